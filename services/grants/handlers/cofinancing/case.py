"""Who stands to which co-financing in which role, and the lists of them."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Person
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.conflict import Recusal
from services.grants.domain.pack import Pack
from services.grants.handlers.base import MAX_REFERENCE, STAFF, act_as, owns, pack_of
from services.grants.handlers.conflicts import ConflictOfInterestError, conflict_on, declare
from services.grants.handlers.standing import stand, ties_of
from services.grants.policy import POLICY
from services.grants.storage.cofinancing import cases, find_case, listed
from shared.database import UnitOfWork
from shared.errors import ForbiddenError, InvalidError, NotFoundError, Rule
from shared.money import Money
from shared.web.identity import Identity
from shared.web.paging import Page, decode_cursor, page_of
from shared.workflow import Facts, Move, authority_levels, authority_limits
from shared.workflow.requirements import Sentence

STEP_BACK = "grants.recusal.declare"


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
    stand(uow, who, case.programme, case.id)
    return case, act_as(uow, role, reason)


def impartial(uow: UnitOfWork, who: Identity, case: CoFinancing) -> None:
    """Raise ForbiddenError for the person's own organisation's case, and for any other conflict of interest."""
    if owns(who, case.organisation):
        raise ForbiddenError("This is your own organisation's case; somebody else must decide about it")
    if conflict := barred(uow.connection, who, case):
        raise ConflictOfInterestError(conflict.message, **conflict.params)


def barred(connection: Connection, who: Identity, case: CoFinancing) -> Sentence | None:
    """Return why `who` decides nothing in this case as staff, or None."""
    return conflict_on(connection, who, case, case.started_at.date())


def step_back(uow: UnitOfWork, who: Identity, reference: str, version: int, nature: str) -> Recusal:
    """Declare a conflict of interest in a co-financing as staff: one decides nothing in it from now on."""
    case, _ = case_for(uow, who, STEP_BACK, reference, version)
    return declare(uow, who, case, nature)


def pack_for(connection: Connection, case: CoFinancing) -> Pack:
    """Return the version of the programme's pack that the case is pinned to."""
    return pack_of(connection, case.programme, case.pack_version)


def facts_for(  # noqa: PLR0917 - a case has as many sides
    pack: Pack,
    who: Identity,
    case: CoFinancing,
    reason: str | None,
    comment: str | None,
    conflict: Sentence | None = None,
) -> Facts:
    """Return what the workflow must know of the case and of who asks, whom a conflict of interest keeps from it."""
    staff = [item for item in pack.workflows[case.workflow].transitions if "applicant" not in item.roles]
    return Facts(
        held={item.id: (conflict,) for item in staff} if conflict else {},
        actor=f"user:{who.user}",
        one_with=frozenset(f"user:{tie.user}" for tie in ties_of(who, case.programme)),
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
    roles = roles_on(who, case)
    conflict = None if roles == ["applicant"] else barred(connection, who, case)
    return pack.workflows[case.workflow].moves(case.stage, roles, facts_for(pack, who, case, None, None, conflict))


def today_of(uow: UnitOfWork, case: CoFinancing) -> date:
    """Return today in the zone of the case's programme."""
    return uow.now().astimezone(ZoneInfo(pack_for(uow.connection, case).calendar.zone)).date()


def same_currency(case: CoFinancing, **amounts: Money) -> None:
    """Raise InvalidError naming the amounts that are not in the currency of the case."""
    wrong = {
        name: Rule("must be in %(currency)s", currency=case.currency)
        for name, item in amounts.items()
        if item.currency != case.currency
    }
    if wrong:
        raise InvalidError(wrong)


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
