"""Reads for pages and the API; each is one statement, however many rows it gives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    Select,
    Table,
    func,
    or_,
    select,
    tuple_,
    update,
)

from services.loans.domain.finance import Finance
from services.loans.domain.referral import HIDDEN_FROM_BANK
from services.loans.storage import tables
from services.loans.storage.tables import letter, locked_proposal, metadata, organisation, programme, proposal, referral
from services.loans.storage.tables import supporter as supporters_table
from shared.web.paging import Page, decode_cursor, page_of

outbox: Table = metadata.tables["outbox"]
MAX_LINES = 200
MAX_LETTERS = 1000

# The bank's folders, in the order of its work.
FOLDERS: dict[str, tuple[str, ...]] = {
    "new": ("submitted",),
    "analysis": ("received", "info_supplied", "in_credit", "countered"),
    "waiting": ("info_requested",),
    "offered": ("offered", "accepted"),
    "disbursed": ("partly_disbursed", "disbursed"),
    "declined": ("declined",),
    "closed": ("withdrawn", "closed", "turned_down", "expired"),
}


# Folders by the bank's clock, the first due in front: all on which it runs, and those that are late.
TURN = ("turn", "overdue")


def finance_of(connection: Connection, programme_id: str) -> tuple[Finance, str] | None:
    """Return a programme's rules for loans and its currency, or None before its pack has come."""
    query = select(programme.c.finance, programme.c.currency).where(programme.c.id == programme_id)
    row = connection.execute(query).one_or_none()
    return (Finance.model_validate(row.finance), row.currency) if row and row.finance else None


def programmes(connection: Connection) -> list[str]:
    """Return the ids of the programmes that are known."""
    return list(connection.execute(select(programme.c.id).order_by(programme.c.id)).scalars())


def programme_name(connection: Connection, programme_id: str) -> str:
    """Return what a programme is called."""
    return connection.execute(select(programme.c.name).where(programme.c.id == programme_id)).scalar_one_or_none() or ""


def supporters(connection: Connection, programmes: Sequence[str]) -> list[Any]:
    """Return the organisations that hold an award in these programmes and so support MSMEs."""
    query = select(supporters_table).where(supporters_table.c.programme.in_(programmes))
    return list(connection.execute(query.order_by(supporters_table.c.name).limit(MAX_LINES)))


def supporter(connection: Connection, organisation_id: str, programmes: Sequence[str]) -> Row[Any] | None:
    """Return one supporting organisation, in the first of the programmes that it holds an award in."""
    query = select(supporters_table).where(supporters_table.c.organisation == organisation_id)
    query = query.where(supporters_table.c.programme.in_(programmes)).order_by(supporters_table.c.programme).limit(1)
    return connection.execute(query).one_or_none()


def organisation_name(connection: Connection, organisation_id: str) -> Row[Any] | None:
    """Return an organisation's name, kind and country as the portal told them."""
    return connection.execute(select(organisation).where(organisation.c.id == organisation_id)).one_or_none()


def banks(connection: Connection) -> dict[str, str]:
    """Return {id: name} of the finance partners that the portal knows."""
    query = select(organisation.c.id, organisation.c.name).where(organisation.c.kind == "finance_partner")
    return {row.id: row.name for row in connection.execute(query.order_by(organisation.c.name))}


def locked(connection: Connection, reference: str, number: int) -> dict[str, Any]:
    """Return the content of a locked version."""
    query = select(locked_proposal.c.content).where(locked_proposal.c.proposal == reference)
    content: dict[str, Any] = connection.execute(query.where(locked_proposal.c.number == number)).scalar_one()
    return content


def locked_versions(connection: Connection, reference: str, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return {number: content} of those locked versions of a proposal."""
    c = locked_proposal.c
    query = select(c.number, c.content).where(c.proposal == reference, c.number.in_(numbers))
    return {row.number: row.content for row in connection.execute(query)}


def of_proposal(reference: str) -> ColumnElement[bool]:
    """Return the condition by which a proposal's referrals are found."""
    return referral.c.proposal == reference


def _after(query: Select[Any], table: Table, cursor: str | None) -> Select[Any]:
    """Go on below the last row of the page before; newest first."""
    seen = decode_cursor(cursor, 2)
    if seen is not None:
        query = query.where(tuple_(table.c.updated_at, table.c.id) < tuple_(datetime.fromisoformat(seen[0]), seen[1]))
    return query.order_by(table.c.updated_at.desc(), table.c.id.desc())


def newest_first(
    connection: Connection, query: Select[Any], table: Table, cursor: str | None, limit: int
) -> Page[Row[Any]]:
    """Return a page of an entity's rows, newest change first."""
    rows = connection.execute(_after(query, table, cursor).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: (row.updated_at.isoformat(), row.id))


def says(text: str, *columns: Column[str]) -> ColumnElement[bool]:
    """Return the condition that one of the columns holds the text, whatever the case."""
    words = f"%{text.replace('%', '').replace('_', '')}%"
    return or_(*(column.ilike(words) for column in columns))


def light_columns(table: Table) -> list[Any]:
    """Return the columns of an entity's table without its whole state."""
    heavy = {"state", "last_changes"}
    return [column for column in table.columns if column.name not in heavy]


def proposal_rows(
    connection: Connection,
    *,
    organisation: str | None = None,
    programmes: Sequence[str] | None = None,
    stage: str | None = None,
    q: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Row[Any]]:
    """Return proposals, newest change first: of an organisation, or of programmes."""
    query = select(*light_columns(proposal))
    if organisation is not None:
        query = query.where(proposal.c.organisation == organisation)
    if programmes is not None:
        query = query.where(proposal.c.programme.in_(programmes))
    if stage:
        query = query.where(proposal.c.stage == stage)
    if q:
        query = query.where(says(q, proposal.c.id, proposal.c.title, proposal.c.organisation_name))
    return newest_first(connection, query, proposal, cursor, limit)


def referral_rows(
    connection: Connection,
    bank: str,
    *,
    today: date,
    folder: str = "",
    q: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Row[Any]]:
    """Return a bank's own referrals, of one folder or of all: newest change first, or by the bank's clock."""
    query = select(*light_columns(referral)).where(referral.c.bank == bank, referral.c.stage.not_in(HIDDEN_FROM_BANK))
    if folder in FOLDERS:
        query = query.where(referral.c.stage.in_(FOLDERS[folder]))
    if q:
        query = query.where(says(q, referral.c.id, referral.c.title, referral.c.organisation_name))
    if folder in TURN:
        return _by_due(connection, query, today if folder == "overdue" else None, cursor, limit)
    return newest_first(connection, query, referral, cursor, limit)


def _by_due(
    connection: Connection, query: Select[Any], before: date | None, cursor: str | None, limit: int
) -> Page[Row[Any]]:
    """Return the referrals on which the bank's clock runs, the first due in front."""
    c = referral.c
    query = query.where(c.due.is_not(None), c.open)
    if before is not None:
        query = query.where(c.due < before)
    seen = decode_cursor(cursor, 2)
    if seen is not None:
        query = query.where(tuple_(c.due, c.id) > tuple_(date.fromisoformat(seen[0]), seen[1]))
    rows = connection.execute(query.order_by(c.due, c.id).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: (row.due.isoformat(), row.id))


def overdue(connection: Connection, today: date, limit: int = 100) -> list[str]:
    """Return the ids of referrals whose bank is late and has not been told of this due day."""
    c = referral.c
    told = c.state["escalated"].astext
    query = select(c.id).where(c.open, c.due < today, told.is_distinct_from(func.to_char(c.due, "YYYY-MM-DD")))
    return list(connection.execute(query.order_by(c.due, c.id).limit(limit)).scalars())


def inbox_counts(connection: Connection, bank: str, today: date) -> dict[str, int]:
    """Return how many referrals are in each of a bank's folders."""
    clock = select(func.count(), func.count().filter(referral.c.due < today))
    row = connection.execute(clock.where(referral.c.bank == bank, referral.c.open, referral.c.due.is_not(None))).one()
    query = select(referral.c.stage, func.count()).where(referral.c.bank == bank).group_by(referral.c.stage)
    found: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    folders = {folder: sum(found.get(stage, 0) for stage in stages) for folder, stages in FOLDERS.items()}
    return {"turn": row[0], "overdue": row[1]} | folders


def referrals_of(connection: Connection, reference: str) -> list[str]:
    """Return the ids of a proposal's referrals, oldest first."""
    query = select(referral.c.id).where(referral.c.proposal == reference).order_by(referral.c.id)
    return list(connection.execute(query).scalars())


def open_offers(connection: Connection, before: date, limit: int = 100) -> list[str]:
    """Return the ids of referrals whose offer ended before that day."""
    query = select(referral.c.id).where(referral.c.stage == "offered", referral.c.valid_until < before)
    return list(connection.execute(query.order_by(referral.c.id).limit(limit)).scalars())


def timeline(
    connection: Connection, case: str, entities: Sequence[str] = (), *, refused: bool = False
) -> list[RowMapping]:
    """Return a case's acts, newest first; only those of `entities` ("kind:id") when given, refused ones if wanted."""
    columns = (outbox.c.id, outbox.c.type, outbox.c.time, outbox.c.body, outbox.c.entity, outbox.c.outcome)
    query = select(*columns).where(outbox.c.case == case, outbox.c.type != "loans.record.viewed")
    if not refused:
        query = query.where(outbox.c.outcome == "success")
    if entities:
        query = query.where(outbox.c.entity.in_(entities))
    return list(connection.execute(query.order_by(outbox.c.row.desc()).limit(MAX_LINES)).mappings())


def views_of(connection: Connection, case: str) -> list[Any]:
    """Return who of other organisations opened the records of a case, newest first."""
    query = select(outbox.c.time, outbox.c.body).where(outbox.c.case == case, outbox.c.type == "loans.record.viewed")
    return list(connection.execute(query.order_by(outbox.c.row.desc()).limit(MAX_LINES)))


def letters(connection: Connection, case: str, organisation_id: str | None = None) -> list[RowMapping]:
    """Return what letters about a case became of, newest first; only those to one organisation's people if given."""
    c = letter.c
    query = select(c.event, c.recipient_name.label("to"), c.channel, c.title, c.state, c.at).where(c.case == case)
    if organisation_id is not None:
        people = select(tables.person.c.id).where(tables.person.c.organisation == organisation_id)
        query = query.where(c.recipient.in_(people))
    return list(connection.execute(query.order_by(c.at.desc()).limit(MAX_LETTERS)).mappings())


def deactivate(connection: Connection, person_id: str) -> None:
    """Remember that a person can no longer sign in."""
    connection.execute(update(tables.person).where(tables.person.c.id == person_id).values(active=False))


def standing(connection: Connection, kind: str, reference: str) -> Row[Any] | None:
    """Return whose an entity is, without locking it: what its scope is decided from."""
    table = metadata.tables[kind]
    names = ("id", "proposal", "programme", "organisation", "bank", "guarantor", "facility", "number", "stage")
    columns = [table.c[name] for name in names if name in table.c]
    return connection.execute(select(*columns).where(table.c.id == reference)).one_or_none()


def loan_of(connection: Connection, reference: str) -> str | None:
    """Return the id of the loan that came of a proposal."""
    return connection.execute(select(tables.loan.c.id).where(tables.loan.c.proposal == reference)).scalar_one_or_none()
