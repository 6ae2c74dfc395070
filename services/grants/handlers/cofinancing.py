"""Use cases of co-financing: each a function of the unit of work, who asks, and a command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Document, Person
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.contribution import Contribution, Form, Rules, Valuation, worth
from services.grants.domain.pack import Pack
from services.grants.handlers.base import MAX_REFERENCE, STAFF, Command, act_as, owns, pack_of
from services.grants.policy import POLICY
from services.grants.storage import reads
from services.grants.storage.cofinancing import cases, find_case, free_claim, listed, take_claim
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.events import Envelope
from shared.events.grants import RecordViewed
from shared.money import Money
from shared.web.identity import Identity
from shared.web.paging import Page, decode_cursor, page_of
from shared.workflow import Facts, Move, Workflow, authority_levels, authority_limits

# Co-financing learns nothing of its own: people, organisations and packs are the service's.
ON: dict[str, Callable[[UnitOfWork, Envelope], None]] = {}


class Concept(Command):
    """What a lead firm proposes: `planned` is the whole cost, both shares together."""

    kind: str = Field(max_length=60)
    title: str = Field(min_length=3, max_length=200)
    summary: str = Field(default="", max_length=5000)
    planned: Money


class EnterContribution(Command):
    """What the firm paid or gave, with what its kind needs to be valued."""

    form: Form
    basis: str = Field(default="", max_length=60)
    given_on: date
    description: str = Field(min_length=3, max_length=500)
    claimed: Money
    ineligible: Decimal = Field(default=Decimal("0.00"), max_digits=20, decimal_places=3)
    exchange_rate: Decimal | None = Field(default=None, gt=0, max_digits=20, decimal_places=10)
    rate_source: str = Field(default="", max_length=200)
    valuation: Valuation | None = None
    invoice_number: str = Field(default="", max_length=80)
    supplier_tax_id: str = Field(default="", max_length=40)


# --- who and which case ------------------------------------------------------------


def role_on(who: Identity, action: str, case: CoFinancing) -> str:
    """Return the role in which `who` may do `action` to the case; raises as the policy does."""
    return POLICY.role_for(action, who, own=owns(who, case.organisation), programme=case.programme)


def roles_on(who: Identity, case: CoFinancing) -> list[str]:
    """Return all roles in which `who` stands to the case; the workflow says what each may do."""
    roles = ["applicant"] if "applicant" in who.roles and owns(who, case.organisation) else []
    here = case.programme in who.programmes
    return roles + [role for role in STAFF if here and role in who.roles]


def look_at(connection: Connection, who: Identity, reference: str) -> CoFinancing:
    """Return a case to read; whoever may not know of it gets the NotFoundError of one that does not exist."""
    POLICY.require("grants.cofinancing.read", who)
    case = find_case(connection, reference[:MAX_REFERENCE])
    if case is None:
        raise NotFoundError("There is no such record")
    role_on(who, "grants.cofinancing.read", case)
    return case


def case_for(
    uow: UnitOfWork, who: Identity, action: str, reference: str, version: int, *, reason: str | None = None
) -> tuple[CoFinancing, Person]:
    """Return the case, locked and of that version, and who acts on it in which role."""
    POLICY.require(action, who)
    case = cases(uow).find(reference[:MAX_REFERENCE], for_update=True)
    if case is None:
        raise NotFoundError("There is no such record")
    role = role_on(who, action, case)
    if case.version != version:
        raise cases(uow).stale(case.id, version)
    return case, act_as(uow, role, reason)


def _impartial(who: Identity, case: CoFinancing) -> None:
    if owns(who, case.organisation):
        raise ForbiddenError("This is your own organisation's case; somebody else must decide about it")


def pack_for(connection: Connection, case: CoFinancing) -> Pack:
    """Return the version of the programme's pack that the case is pinned to."""
    return pack_of(connection, case.programme, case.pack_version)


def facts_for(pack: Pack, who: Identity, case: CoFinancing, reason: str | None, comment: str | None) -> Facts:
    """Return what the workflow must know of the case and of who asks."""
    return Facts(
        actor=f"user:{who.user}",
        values=case.values(),
        done_by=case.done_by(),
        reason=reason,
        comment=comment,
        amount=case.money(case.terms.programme_share) if case.terms else None,
        limits=authority_limits(pack.delegations, roles_on(who, case), case.currency),
        levels=authority_levels(pack.delegations, pack.workflows[case.workflow], case.currency),
    )


def moves_for(connection: Connection, who: Identity, case: CoFinancing) -> list[Move]:
    """Return what this person may do now, the blocked moves with what blocks them."""
    pack = pack_for(connection, case)
    return pack.workflows[case.workflow].moves(case.stage, roles_on(who, case), facts_for(pack, who, case, None, None))


# --- concept and agreement ------------------------------------------------------------


def rules_of(connection: Connection, programme: str) -> tuple[int, dict[str, Any]]:
    """Return the newest pack's version and its co-financing rules; raises NotFoundError."""
    version = reads.latest_pack(connection, programme)
    content = reads.pack_content(connection, programme, version) if version is not None else {}
    if version is None or "cofinancing" not in content:
        raise NotFoundError("This programme has no co-financing")
    return version, content["cofinancing"]


def workflow_of(connection: Connection, programme: str) -> Workflow:
    """Return the co-financing workflow of a programme's newest pack: its words label lists."""
    version, content = rules_of(connection, programme)
    return pack_of(connection, programme, version).workflows[content["workflow"]]


def start_concept(uow: UnitOfWork, who: Identity, programme: str, command: Concept) -> CoFinancing:
    """Begin a concept for the person's own firm; raises ForbiddenError when it is not a lead firm."""
    version, content = rules_of(uow.connection, programme)
    firm = reads.find_organisation(uow.connection, who.organisation or "")
    if firm is None or firm["kind"] not in content["organisation_kinds"]:
        raise ForbiddenError("Co-financing is for lead firms; your organisation is not one")
    rules = Rules.of(content)
    _check_concept(rules, content["currency"], command)
    actor = act_as(uow, "applicant")
    case = CoFinancing.start(
        workflow=pack_of(uow.connection, programme, version).workflows[content["workflow"]],
        id=uow.next_reference(content["reference_prefix"]),
        programme=programme,
        pack_version=version,
        rules=rules,
        kind=command.kind,
        organisation=firm["id"],
        organisation_name=firm["name"],
        started_by=actor.id,
        started_at=uow.now(),
        currency=command.planned.currency,
        title=command.title,
        summary=command.summary,
        planned=command.planned.amount,
    )
    return cases(uow).add(case)


def _check_concept(rules: Rules, currency: str, command: Concept) -> None:
    problems: dict[str, str] = {}
    if command.kind not in rules.kinds:
        problems["kind"] = Rule("must be one of: %(names)s", names=", ".join(rules.kinds))
    if command.planned.currency != currency:
        problems["planned"] = Rule("must be in %(currency)s", currency=currency)
    elif command.planned.amount <= 0:
        problems["planned"] = "must be more than nothing"
    if problems:
        raise InvalidError(problems)


def save_concept(uow: UnitOfWork, who: Identity, reference: str, version: int, command: Concept) -> CoFinancing:
    """Change a concept that is not sent."""
    case, _ = case_for(uow, who, "grants.cofinancing.write", reference, version)
    _check_concept(case.rules, case.currency, command)
    case.save(**dict(command))
    return case


def draw_terms(
    uow: UnitOfWork, who: Identity, reference: str, version: int, *, total: Money, in_kind: Money
) -> CoFinancing:
    """Settle the shares of the agreement."""
    case, actor = case_for(uow, who, "grants.cofinancing.draw", reference, version)
    _impartial(who, case)
    _same_currency(case, total=total, in_kind=in_kind)
    case.draw_terms(total, in_kind, actor, uow.now())
    return case


def _same_currency(case: CoFinancing, **amounts: Money) -> None:
    wrong = {
        name: Rule("must be in %(currency)s", currency=case.currency)
        for name, item in amounts.items()
        if item.currency != case.currency
    }
    if wrong:
        raise InvalidError(wrong)


def move(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    version: int,
    transition: str,
    *,
    reason: str | None = None,
    comment: str | None = None,
) -> CoFinancing:
    """Make a move of the workflow; raises IllegalTransitionError naming the legal ones."""
    case, _ = case_for(uow, who, "grants.cofinancing.move", reference, version)
    pack, roles = pack_for(uow.connection, case), roles_on(who, case)
    workflow = pack.workflows[case.workflow]
    chosen = workflow.move(transition, case.stage, roles, facts_for(pack, who, case, reason, comment))
    role = next(role for role in roles if role in chosen.roles)
    actor = act_as(uow, role, reason)
    if role != "applicant":
        _impartial(who, case)
    case.move(chosen, workflow, pack.calendar, actor, uow.now(), reason=reason, comment=comment)
    return case


# --- contributions -----------------------------------------------------------------------


def enter(uow: UnitOfWork, who: Identity, reference: str, version: int, command: EnterContribution) -> CoFinancing:
    """Enter what the firm paid or gave; the same invoice counts only once, in any case."""
    case, actor = case_for(uow, who, "grants.cofinancing.contribute", reference, version)
    value = worth(
        case.rules,
        case.currency,
        form=command.form,
        basis=command.basis,
        claimed=command.claimed,
        ineligible=command.ineligible,
        exchange_rate=command.exchange_rate,
        valuation=command.valuation if command.form == "in_kind" else None,
    )
    contribution = Contribution(
        **dict(command),
        number=len(case.contributions) + 1,
        value=value,
        entered_by=actor.id,
        entered_by_name=actor.name,
        entered_at=uow.now(),
    )
    zone = pack_for(uow.connection, case).calendar.zone
    case.enter(contribution, uow.now().astimezone(ZoneInfo(zone)))
    key = contribution.claim_key
    if key and not take_claim(uow.connection, key, case.id, contribution.number, uow.now()):
        raise ConflictError("This invoice is counted already: the same number, supplier and amount")
    return case


def add_evidence(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    version: int,
    store: DocumentStore,
    *,
    number: int,
    kind: str,
    name: str,
    content: BinaryIO,
) -> CoFinancing:
    """Put a document behind a contribution."""
    case, actor = case_for(uow, who, "grants.cofinancing.contribute", reference, version)
    wanted = case.rules.evidence[case.contribution(number).form]
    if kind not in wanted:
        raise InvalidError({"kind": Rule("must be one of: %(names)s", names=", ".join(wanted))})
    stored = store.put(name, content)
    about = {"id": str(uow.ids()), "kind": kind, "added_by": actor.id, "added_by_name": actor.name}
    case.attach(number, Document(**about, added_at=uow.now(), **stored.model_dump()))
    return case


def read_evidence(
    uow: UnitOfWork, who: Identity, reference: str, document_id: str, store: DocumentStore
) -> tuple[Document, bytes]:
    """Return a document of the case with its content, and put on record that it was read."""
    case = look_at(uow.connection, who, reference)
    document = case.evidence(document_id)
    content = store.get(document.sha256)
    act_as(uow, role_on(who, "grants.cofinancing.read", case))
    viewed = RecordViewed(record=document.id, what=f"evidence {document.name}")
    uow.record(viewed, entity=f"record:{uow.ids()}", case=case.id, programme=case.programme)
    return document, content


def decide(
    uow: UnitOfWork, who: Identity, reference: str, version: int, number: int, *, good: bool, note: str
) -> CoFinancing:
    """Verify a contribution, or refuse it with a reason; never by who entered it or by its own firm."""
    case, actor = case_for(uow, who, "grants.cofinancing.verify", reference, version, reason=note or None)
    _impartial(who, case)
    _reasoned(note, good=good)
    case.decide(number, actor, uow.now(), good=good, note=note)
    key = case.contribution(number).claim_key
    if key and not good:
        free_claim(uow.connection, key)
    return case


def _reasoned(note: str, *, good: bool) -> None:
    if not good and not note.strip():
        raise InvalidError({"note": "Say the reason"})


# --- releases --------------------------------------------------------------------------------


def request_release(uow: UnitOfWork, who: Identity, reference: str, version: int, amount: Money) -> CoFinancing:
    """Ask for a matched release; raises MatchTooSmallError with the arithmetic."""
    case, actor = case_for(uow, who, "grants.cofinancing.request-release", reference, version)
    _impartial(who, case)
    _same_currency(case, amount=amount)
    case.request_release(amount, actor, uow.now())
    return case


def settle_release(
    uow: UnitOfWork, who: Identity, reference: str, version: int, number: int, *, good: bool, note: str
) -> CoFinancing:
    """Release what another person asked for, within one's authority, or refuse it with a reason."""
    case, actor = case_for(uow, who, "grants.cofinancing.release", reference, version, reason=note or None)
    _impartial(who, case)
    _reasoned(note, good=good)
    if good:
        _within_authority(uow.connection, who, case, case.money(case.release(number).amount))
    case.settle_release(number, actor, uow.now(), good=good, note=note)
    return case


def _within_authority(connection: Connection, who: Identity, case: CoFinancing, amount: Money) -> None:
    limit = authority_limits(pack_for(connection, case).delegations, roles_on(who, case), case.currency).get("release")
    if limit is None:
        raise ForbiddenError("You have no delegated authority for this")
    if amount > limit:
        raise ForbiddenError(
            "%(amount)s is above your delegated authority of %(limit)s", amount=str(amount), limit=str(limit)
        )


# --- lists -----------------------------------------------------------------------------------


def listed_for(
    connection: Connection, who: Identity, *, stage: str = "", cursor: str | None = None, limit: int = 50
) -> Page[RowMapping]:
    """Return a page of the cases that `who` may see, by due day: the firm's own, the programmes', or all."""
    scopes = set(POLICY.require("grants.cofinancing.list", who).values())
    where: dict[str, Any] = {"programmes": who.programmes}
    if "all" in scopes:
        where = {}
    elif "programme" not in scopes:
        where = {"organisation": who.organisation or ""}
    after = decode_cursor(cursor, 2)
    try:
        last = [date.fromisoformat(str(after[0])), str(after[1])] if after else None
    except ValueError as error:
        raise InvalidError({"cursor": "is not a cursor that this list gave"}) from error
    rows = listed(connection, **where, stage=stage or None, after=last, limit=limit)
    return page_of(rows, limit, lambda row: [row["due_order"].isoformat(), row["id"]])


def row_view(row: RowMapping) -> dict[str, Any]:
    """Return a row of a list with its amounts as money."""
    plain = ("programme", "kind", "organisation_name", "title", "stage", "holder", "due", "to_verify", "to_release")
    amounts = {
        name: None if row[name] is None else Money.of(row[name], row["currency"])
        for name in ("programme_share", "matched", "released")
    }
    return {"reference": row["id"]} | {name: row[name] for name in plain} | amounts


def may(who: Identity, action: str, case: CoFinancing) -> bool:
    """Return whether `who` may do `action` to the case at all; whether now is the case's own matter."""
    try:
        role_on(who, action, case)
    except (ForbiddenError, NotFoundError):
        return False
    return True
