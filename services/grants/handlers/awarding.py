"""The agreement, its milestones, and the money."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from services.grants.domain.application import Application
from services.grants.domain.award import Award, Plan, Side
from services.grants.domain.award.terms import AgreedLine, Terms
from services.grants.handlers import ledger, partnering, reporting
from services.grants.handlers.base import Command, Frame, act_as, application_for, owns
from services.grants.handlers.capacity import agreed_conditions
from services.grants.handlers.drawing import draw, next_version, proposed_lines
from services.grants.handlers.exclusion import must_be_clear
from services.grants.handlers.moving import CONCLUDE, OFFER, MoveApplication, step
from services.grants.storage.tables import awards
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.money import Money
from shared.web.identity import Identity

DRAW_UP, ACCEPT = "grants.award.offer", "grants.award.accept"
EVIDENCE, VERIFY = "grants.milestone.evidence", "grants.milestone.verify"


class OfferAgreement(Command):
    """An agreement is drawn up; `version` is the application's. Without `lines` those of the application are agreed.

    `administration` are notices and contacts: what an amendment of the smallest class may change.
    """

    milestones: list[Plan]
    conditions: str = ""
    lines: list[AgreedLine] | None = None
    partners: dict[int, dict[str, Money]] | None = None  # {partner: {line: share}}; none: as they were applied for
    dropped: dict[str, str] = {}  # special conditions of due diligence that are left out, each with the reason
    administration: str = ""
    starts_on: date | None = None
    ends_on: date | None = None
    version: int


class AcceptAgreement(Command):
    """One side accepts that version of the agreement, whose document has this hash."""

    agreement_version: int
    sha256: str | None = None


class ShowEvidence(Command):
    """A document of the case shows that a milestone is reached; `version` is the award's, as in all below."""

    document: str
    version: int


class SettleMilestone(Command):
    """An officer verifies the evidence, or returns it."""

    good: bool
    note: str
    version: int


def offer(uow: UnitOfWork, who: Identity, reference: str, command: OfferAgreement, *, store: DocumentStore) -> Award:
    """Draw up the agreement of an approved application and send it to both sides."""
    application, role = application_for(uow, who, DRAW_UP, reference, expected=command.version)
    _check_days(command.milestones, today_of(uow, application))
    award = awards(uow).find(application.id, for_update=True)
    if award is None:
        award = awards(uow).add(Award.of(application, application.decided))
    by = act_as(uow, role)
    must_be_clear(uow, application, Frame(uow.connection, application), OFFER)
    step(uow, who, application, MoveApplication(transition=OFFER, version=command.version), role=role)
    conditions = agreed_conditions(uow, application, command.conditions, command.dropped, by)
    terms = _terms(application, command.model_copy(update={"conditions": conditions}), award.amount)
    terms = partnering.proposed(uow.connection, application, terms, award.amount)
    if command.partners is not None:
        terms = partnering.with_shares(terms, command.partners)
    terms.check(award.amount)
    partnering.must_fit(terms, Frame(uow.connection, application), application.currency)
    version = next_version(uow, award)
    text = draw(uow, application, award, terms, version, by.name, store)
    award.agreement_version = version - 1
    award.offer(terms.milestones, terms.conditions, by, uow.now(), terms=terms, sha256=text.sha256)
    return award


def _terms(application: Application, command: OfferAgreement, amount: Money) -> Terms:
    """Return the terms that are offered; without budget lines those that were applied for."""
    asked = proposed_lines(application, amount)
    return Terms(
        lines=tuple(asked if command.lines is None else command.lines),
        milestones=tuple(item.model_copy(update={"number": None}) for item in command.milestones),
        conditions=command.conditions,
        administration=command.administration,
        starts_on=command.starts_on,
        ends_on=command.ends_on,
    ).numbered()


def today_of(uow: UnitOfWork, application: Application) -> date:
    """Return the day where the programme works."""
    return uow.now().astimezone(ZoneInfo(Frame(uow.connection, application).calendar.zone)).date()


def _check_days(plan: list[Plan], today: date) -> None:
    days = [item.due for item in plan if item.due]
    if len(days) < len(plan):
        raise InvalidError({"milestones": "each needs the day until which it is due"})
    if days != sorted(days) or (days and days[0] < today):
        raise InvalidError({"milestones": "must be due in their order, and not before today"})


def accept(uow: UnitOfWork, who: Identity, reference: str, command: AcceptAgreement) -> Award:
    """Sign for one's side; the second signature concludes the agreement and the grant is awarded."""
    application, role = application_for(uow, who, ACCEPT, reference)
    award = awards(uow).get(application.id)
    leaving = Frame(uow.connection, application).workflow.leaving(application.stage)
    if not award.concluded_at and CONCLUDE not in {transition.id for transition in leaving}:
        raise ConflictError("The agreement is not on offer now: the stage is %(stage)s", stage=application.stage)
    by = act_as(uow, role)
    side: Side = "recipient" if role == "applicant" else "programme"
    if side == "programme" and owns(who, application.organisation):
        raise ForbiddenError("You belong to the recipient's organisation; another person must sign for the programme")
    if award.accept(side, command.agreement_version, by, uow.now(), sha256=command.sha256):
        move = MoveApplication(transition=CONCLUDE, version=application.version)
        step(uow, who, application, move, role=role)
        application.award(award.amount)
        ledger.concluded(uow, award)
        reporting.schedule(uow, application, award)
    return award


def award_for(  # noqa: PLR0917 - a tranche may be named, too
    uow: UnitOfWork, who: Identity, action: str, reference: str, version: int | None, number: int | None = None
) -> tuple[Application, Award, str]:
    """Return a concluded award that runs, its application, and the role of `who`.

    The tranche `number` that settles a terminated grant is paid after its end.
    """
    application, role = application_for(uow, who, action, reference)
    award = awards(uow).get(application.id, expected=version)
    running = {item.to for item in Frame(uow.connection, application).workflow.transitions if item.id == CONCLUDE}
    settles = number is not None and award.settles(number)
    if award.concluded_at and application.stage not in running and not settles:
        raise ConflictError("The grant is not running now: its stage is %(stage)s", stage=application.stage)
    return application, award, role


def evidence(uow: UnitOfWork, who: Identity, reference: str, number: int, command: ShowEvidence) -> Award:
    """Show a document of the case as evidence of a milestone."""
    application, award, role = award_for(uow, who, EVIDENCE, reference, command.version)
    award.evidence(number, application.document(command.document), act_as(uow, role))
    return award


def settle(uow: UnitOfWork, who: Identity, reference: str, number: int, command: SettleMilestone) -> Award:
    """Verify a milestone, or return its evidence."""
    application, award, role = award_for(uow, who, VERIFY, reference, command.version)
    no_relation(who, application)
    if not command.note:
        raise InvalidError({"note": "is required: say what you saw"})
    award.settle(number, good=command.good, note=command.note, by=act_as(uow, role, command.note), now=uow.now())
    return award


def no_relation(who: Identity, application: Application) -> None:
    """Raise ForbiddenError when `who` belongs to the recipient."""
    if owns(who, application.organisation):
        raise ForbiddenError("You belong to the recipient's organisation; another person must do this")
