"""Reads of facilities and guarantees: lists, how much of a ceiling is used, and what is guaranteed on a day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from services.loans.domain.arrears import Timetable
from services.loans.domain.guarantee_sums import covered
from services.loans.storage.guarantee_tables import facility, guarantee, permission
from services.loans.storage.queries import light_columns, newest_first, says
from services.loans.storage.tables import loan, organisation, tape, tape_line
from shared.money import Money
from shared.web.paging import Page

MOST_OPEN = 200


def guarantors(connection: Connection) -> dict[str, str]:
    """Return {id: name} of the guarantors that the portal knows."""
    query = select(organisation.c.id, organisation.c.name).where(organisation.c.kind == "guarantor")
    return {row.id: row.name for row in connection.execute(query.order_by(organisation.c.name))}


def facility_rows(
    connection: Connection,
    *,
    guarantor: str | None = None,
    programmes: Sequence[str] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Row[Any]]:
    """Return facilities, newest change first: all of a guarantor, or those of programmes that were approved."""
    c = facility.c
    query = select(*light_columns(facility), c.state["terms"]["name"].label("names"))
    if guarantor is not None:
        query = query.where(c.guarantor == guarantor)
    if programmes is not None:
        query = query.where(c.programme.in_(programmes), c.number > 0)
    return newest_first(connection, query, facility, cursor, limit)


def open_facilities(connection: Connection, programme: str, guarantor: str, day: date) -> list[Any]:
    """Return (id, name, coverage) of the facilities of a guarantor under which guarantees are issued on that day."""
    c = facility.c
    query = select(c.id, c.state["terms"]["name"].label("names"), c.coverage).where(
        c.programme == programme, c.guarantor == guarantor, c.stage == "open", c.valid_from <= day
    )
    query = query.where(or_(c.valid_until.is_(None), c.valid_until >= day)).order_by(c.id).limit(MOST_OPEN)
    return list(connection.execute(query))


def used(connection: Connection, facilities: Collection[str]) -> dict[str, Any]:
    """Return {facility: (committed, spent, net)}: room that is kept, room that losses used up, and all losses."""
    c = guarantee.c
    sums = [func.sum(c[name]).label(name) for name in ("committed", "spent", "net")]
    query = select(c.facility, *sums).where(c.facility.in_(facilities)).group_by(c.facility)
    return {row.facility: row for row in connection.execute(query)}


def guarantee_rows(
    connection: Connection,
    *,
    guarantor: str | None = None,
    bank: str | None = None,
    programmes: Sequence[str] | None = None,
    of: str = "",
    stage: str = "",
    q: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Row[Any]]:
    """Return guarantees, newest change first: of a guarantor, of a bank, or of programmes; of one facility."""
    c = guarantee.c
    query = select(*light_columns(guarantee))
    if guarantor is not None:
        query = query.where(c.guarantor == guarantor, c.stage != "void")
    if bank is not None:
        query = query.where(c.bank == bank)
    if programmes is not None:
        query = query.where(c.programme.in_(programmes))
    for column, value in ((c.facility, of), (c.stage, stage)):
        if value:
            query = query.where(column == value)
    if q:
        query = query.where(says(q, c.id, c.loan, c.organisation_name, c.bank_name))
    return newest_first(connection, query, guarantee, cursor, limit)


def guarantee_counts(connection: Connection, guarantor: str) -> dict[str, int]:
    """Return how many guarantees of a guarantor are at each stage."""
    c = guarantee.c
    query = select(c.stage, func.count()).where(c.guarantor == guarantor).group_by(c.stage)
    return {row[0]: row[1] for row in connection.execute(query)}


def facilities_waiting(connection: Connection, guarantor: str) -> int:
    """Return how many facilities of a guarantor have terms that wait for a second person."""
    c = facility.c
    query = select(func.count()).select_from(facility).where(c.guarantor == guarantor, c.waits)
    return int(connection.execute(query).scalar_one())


def guarantees_of(connection: Connection, reference: str) -> list[Row[Any]]:
    """Return the guarantees of a loan, newest first."""
    query = select(*light_columns(guarantee)).where(guarantee.c.loan == reference)
    return list(connection.execute(query.order_by(guarantee.c.created_at.desc()).limit(MOST_OPEN)))


def waiting_under(connection: Connection, reference: str) -> list[str]:
    """Return the ids of guarantees that rest on a consent and are not issued yet."""
    c = guarantee.c
    waits = (c.permission == reference, c.stage.in_(("requested", "approved")))
    return list(connection.execute(select(c.id).where(*waits)).scalars())


def live_permissions(connection: Connection, reference: str) -> list[str]:
    """Return the ids of the consents about a loan that were not taken back, newest first."""
    c = permission.c
    query = select(c.id).where(c.loan == reference, c.live).order_by(c.created_at.desc())
    return list(connection.execute(query).scalars())


def live_permission(connection: Connection, reference: str, guarantor: str) -> str | None:
    """Return the id of the consent about a loan to a guarantor that was not taken back."""
    c = permission.c
    query = select(c.id).where(c.loan == reference, c.guarantor == guarantor, c.live)
    return connection.execute(query).scalar_one_or_none()


def acts_due(connection: Connection, day: date, limit: int = 100) -> list[str]:
    """Return the ids of guarantees of which a fee is to be charged by that day, or that lapse."""
    c = guarantee.c
    query = select(c.id).where(c.acts_on <= day).order_by(c.acts_on, c.id).limit(limit)
    return list(connection.execute(query).scalars())


def held_for(connection: Connection, loans: Collection[str]) -> list[tuple[str, str]]:
    """Return (guarantee, loan) of the guarantees of loans that hold, in one order for everybody."""
    c = guarantee.c
    query = select(c.id, c.loan).where(c.loan.in_(loans), c.live).order_by(c.id)
    return [(row.id, row.loan) for row in connection.execute(query)]


def line_of(connection: Connection, reference: str, day: date) -> Any:
    """Return what the newest tape up to a day that counts says of a loan, or None."""
    c = tape_line.c
    query = select(c.tape, c.days, c.outstanding, c.stage, tape.c.as_of).join(tape, tape.c.id == c.tape)
    query = query.where(c.loan == reference, ~c.wrong, tape.c.stage == "applied", tape.c.as_of <= day)
    return connection.execute(query.order_by(tape.c.as_of.desc()).limit(1)).first()


@dataclass(frozen=True)
class Held:
    """One guarantee on a day: what is committed, what of the loan is outstanding, and what of it is guaranteed."""

    id: str
    facility: str
    bank: str
    currency: str
    committed: Money
    spent: Money
    outstanding: Money
    guaranteed: Money
    paid: Money
    booked: bool  # the bank's tape has it, and not as written off


def held(
    connection: Connection,
    day: date,
    tapes: Collection[str],
    *,
    programme: str,
    of: str | None = None,
    bank: str | None = None,
) -> list[Held]:
    """Return the guarantees that were issued by a day, of a programme, a facility or a bank; balances by `tapes`."""
    c, line = guarantee.c, tape_line.c
    columns = [c[name] for name in ("id", "facility", "bank", "currency", "sum", "coverage", "ended_on", "spent")]
    parts = [c.state[name].label(name) for name in ("claims", "recoveries", "dues")]
    said = and_(line.loan == c.loan, line.tape.in_(tapes), ~line.wrong)
    query = (
        select(*columns, *parts, loan.c.payouts, line.outstanding, line.stage.label("stands"))
        .join(loan, loan.c.id == c.loan)
        .outerjoin(tape_line, said)
        .where(c.programme == programme, c.issued_on <= day)
        .order_by(c.id)
    )
    if of is not None:
        query = query.where(c.facility == of)
    if bank is not None:
        query = query.where(c.bank == bank)
    return [_held(row, day) for row in connection.execute(query)]


def _held(row: Any, day: date) -> Held:
    def money(amount: Decimal) -> Money:
        return Money.of(amount, row.currency)

    def whole(items: list[dict[str, Any]], name: str, when: str) -> Decimal:
        seen = [item for item in items if item[when] and item[when] <= day.isoformat()]
        return sum((Decimal(item[name]["amount"]) for item in seen), Decimal(0))

    outstanding = row.outstanding
    if outstanding is None:
        outstanding = Timetable.read(row.payouts or "").due_before(day + timedelta(days=1))
    over, limit = row.ended_on is not None and row.ended_on <= day, money(row.sum)
    claims = whole(row.claims, "amount", "paid_on")
    back = whole([item for item in row.dues if item["kind"] == "claw_back"], "amount", "charged_on")
    paid = money(claims - back - whole(row.recoveries, "guarantor", "on"))
    balance = min(limit, covered(money(outstanding), row.coverage))
    nothing = money(Decimal(0))
    return Held(
        id=row.id,
        facility=row.facility,
        bank=row.bank,
        currency=row.currency,
        committed=nothing if over else limit,
        spent=money(row.spent) if over else nothing,
        outstanding=nothing if over else money(outstanding),
        guaranteed=nothing if over else max(balance - money(claims - back), nothing),
        paid=paid,
        booked=row.outstanding is not None and row.stands != "written_off",
    )
