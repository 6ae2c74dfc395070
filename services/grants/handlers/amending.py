"""Amendments of concluded agreements: requested, decided by another person, accepted where the class says so."""

from __future__ import annotations

from datetime import date

from services.grants.domain.amendment import Amendment
from services.grants.domain.application import Application
from services.grants.domain.award import Award, Plan, Side
from services.grants.domain.award.classes import Verdict, classify
from services.grants.domain.award.terms import AgreedLine, Terms
from services.grants.handlers import partnering, reporting
from services.grants.handlers.awarding import award_for
from services.grants.handlers.base import Command, Frame, act_as, application_for, owns
from services.grants.handlers.drawing import draw, next_version, proposed_lines
from services.grants.policy import POLICY
from services.grants.storage.agreements import amendments, amendments_of, find_amendment
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.money import Money
from shared.web.identity import Identity

REQUEST, DECIDE = "grants.amendment.request", "grants.amendment.decide"
ACCEPT, WITHDRAW = "grants.amendment.accept", "grants.amendment.withdraw"
MAX_WHY = 2000


class RequestAmendment(Command):
    """What the agreement is to say instead; what is left out stays. `version` is the award's.

    `milestones` and `lines` are whole lists; a milestone with a `number` is that one, without it is new.
    """

    why: str
    version: int
    milestones: list[Plan] | None = None
    lines: list[AgreedLine] | None = None
    conditions: str | None = None
    administration: str | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    partners: dict[int, dict[str, Money]] | None = None  # {partner: {line: share}}; who is not named keeps theirs


class DecideAmendment(Command):
    """Another person approves it or refuses it; `version` is the amendment's, as in all below."""

    approve: bool
    note: str = ""
    version: int


class AcceptAmendment(Command):
    """One side accepts the new text, whose document has this hash."""

    sha256: str
    version: int


class WithdrawAmendment(Command):
    """It is taken back, and why."""

    why: str
    version: int


def wanted(award: Award, command: RequestAmendment, application: Application) -> Terms:
    """Return the terms as they would be."""
    now = standing(award, application)
    said = {name: getattr(command, name) for name in ("conditions", "administration", "starts_on", "ends_on")}
    update = {name: value for name, value in said.items() if value is not None}
    for name in ("milestones", "lines"):
        given = getattr(command, name)
        update |= {} if given is None else {name: tuple(given)}
    made = now.model_copy(update=update).numbered()
    return made if command.partners is None else partnering.with_shares(made, command.partners)


def standing(award: Award, application: Application) -> Terms:
    """Return the present terms; an agreement of a former release has the budget lines that were applied for."""
    terms = award.agreed()
    if terms.lines:
        return terms
    return terms.model_copy(update={"lines": tuple(proposed_lines(application, award.amount))})


def judge(award: Award, terms: Terms, application: Application, frame: Frame) -> Verdict | None:
    """Return the class of the change to `terms`, with its figures; None when nothing changes."""
    moved = award.moved or Money.zero(award.amount.currency)
    rules = frame.pack.rules.amendments
    return classify(standing(award, application), terms, moved_before=moved, base=award.amount, rules=rules)


def request(uow: UnitOfWork, who: Identity, reference: str, command: RequestAmendment) -> Amendment:
    """Ask for an amendment; its class is derived from what it changes."""
    application, award, role = award_for(uow, who, REQUEST, reference, command.version)
    if not award.concluded_at:
        raise ConflictError("The agreement is not concluded yet: offer it anew instead")
    if not 0 < len(command.why) <= MAX_WHY:
        raise InvalidError({"why": "is required: say what it is for, in at most 2,000 characters"})
    terms, frame = wanted(award, command, application), Frame(uow.connection, application)
    award.check_amendment(terms)
    partnering.must_fit(terms, frame, application.currency)
    verdict = judge(award, terms, application, frame)
    if verdict is None:
        raise InvalidError({"milestones": "say the same as the agreement: nothing is changed"})
    rules = frame.pack.rules.amendments
    made = Amendment.request(
        award,
        terms,
        verdict,
        act_as(uow, role, command.why),
        uow.now(),
        id=str(uow.ids()),
        number=len(amendments_of(uow.connection, award.id)) + 1,
        why=command.why,
        approvers=verdict.approvers(rules),
        both_sides=verdict.both_sides(rules),
    )
    return amendments(uow).add(made)


def _held(
    uow: UnitOfWork, who: Identity, action: str, amendment_id: str, expected: int
) -> tuple[Amendment, Application, Award, str]:
    """Return an amendment, its application and its award, locked in that order from the case inwards."""
    seen = find_amendment(uow.connection, amendment_id[:80])
    if seen is None:
        POLICY.require(action, who)
        raise NotFoundError("There is no such record")
    application, award, role = award_for(uow, who, action, seen.application, None)
    return amendments(uow).get(seen.id, expected=expected), application, award, role


def decide(
    uow: UnitOfWork, who: Identity, amendment_id: str, command: DecideAmendment, *, store: DocumentStore
) -> Amendment:
    """Approve or refuse an amendment: another person than who asked, of a role that its class names."""
    amendment, application, award, role = _held(uow, who, DECIDE, amendment_id, command.version)
    if owns(who, application.organisation):
        raise ForbiddenError("You belong to the recipient's organisation; another person must do this")
    if not command.note:
        raise InvalidError({"note": "is required: say what you looked at"})
    role = next((name for name in amendment.approvers if name in who.roles), role)
    by = act_as(uow, role, command.note)
    if not command.approve:
        amendment.refuse(by, command.note, uow.now())
        return amendment
    _still_right(uow, amendment, application, award)
    version = next_version(uow, award)
    text = draw(uow, application, award, amendment.terms, version, by.name, store, amendment)
    amendment.approve(by, command.note, uow.now(), version=version, sha256=text.sha256)
    if not amendment.both_sides:
        _effect(amendment, award)
        reporting.schedule(uow, application, award)
    return amendment


def _still_right(uow: UnitOfWork, amendment: Amendment, application: Application, award: Award) -> None:
    """Raise ConflictError when what was asked for no longer fits the agreement, or is of another class now."""
    amendment.must_be_based_on(award.agreement_version)
    award.check_amendment(amendment.terms)
    waiting = [item for item in amendments_of(uow.connection, award.id) if item.status == "approved"]
    if any(item.id != amendment.id for item in waiting):
        message = "Amendment %(number)s is approved and waits to be accepted; it comes first"
        raise ConflictError(message, number=waiting[0].number)
    verdict = judge(award, amendment.terms, application, Frame(uow.connection, application))
    if verdict is None or verdict.kinds != amendment.verdict.kinds:
        raise ConflictError(
            "The class of amendment %(number)s is another now: ask for it anew", number=amendment.number
        )


def _effect(amendment: Amendment, award: Award) -> None:
    amendment.must_be_based_on(award.agreement_version)
    verdict, version = amendment.verdict, amendment.agreement_version or 0
    award.amend(amendment.terms, version, amendment.sha256, verdict.kinds, verdict.moved)
    amendment.effect()


def accept(uow: UnitOfWork, who: Identity, amendment_id: str, command: AcceptAmendment) -> Amendment:
    """Accept the new text for one's side; the second acceptance puts it in force."""
    amendment, application, award, role = _held(uow, who, ACCEPT, amendment_id, command.version)
    side: Side = "recipient" if role == "applicant" else "programme"
    if side == "programme" and owns(who, application.organisation):
        raise ForbiddenError("You belong to the recipient's organisation; another person must sign for the programme")
    by = act_as(uow, role)
    if amendment.accept(side, command.sha256, by, uow.now()):
        _effect(amendment, award)
        reporting.schedule(uow, application, award)
    return amendment


def withdraw(uow: UnitOfWork, who: Identity, amendment_id: str, command: WithdrawAmendment) -> Amendment:
    """Take an amendment back."""
    seen = find_amendment(uow.connection, amendment_id[:80])
    if seen is None:
        POLICY.require(WITHDRAW, who)
        raise NotFoundError("There is no such record")
    _application, role = application_for(uow, who, WITHDRAW, seen.application)
    amendment = amendments(uow).get(seen.id, expected=command.version)
    if not command.why:
        raise InvalidError({"why": "is required"})
    amendment.withdraw(act_as(uow, role, command.why), command.why)
    return amendment


def preview(uow: UnitOfWork, who: Identity, reference: str, command: RequestAmendment) -> Verdict | None:
    """Return of which class an amendment would be, and keep nothing; raises where it could not be asked for."""
    application, award, role = award_for(uow, who, REQUEST, reference, command.version)
    act_as(uow, role)
    terms, frame = wanted(award, command, application), Frame(uow.connection, application)
    award.check_amendment(terms)
    partnering.must_fit(terms, frame, application.currency)
    return judge(award, terms, application, frame)
