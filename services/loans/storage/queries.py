"""Reads for pages and the API; each is one statement, however many rows it gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, Table, func, or_, select, tuple_, update

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
    "analysis": ("received", "info_supplied", "in_credit"),
    "waiting": ("info_requested",),
    "offered": ("offered", "accepted"),
    "disbursed": ("partly_disbursed", "disbursed"),
    "declined": ("declined",),
    "closed": ("withdrawn", "closed", "turned_down", "expired"),
}


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


def _after(query: Select[Any], table: Table, cursor: str | None) -> Select[Any]:
    """Go on below the last row of the page before; newest first."""
    seen = decode_cursor(cursor, 2)
    if seen is not None:
        query = query.where(tuple_(table.c.updated_at, table.c.id) < tuple_(datetime.fromisoformat(seen[0]), seen[1]))
    return query.order_by(table.c.updated_at.desc(), table.c.id.desc())


def _list(connection: Connection, query: Select[Any], table: Table, cursor: str | None, limit: int) -> Page[Row[Any]]:
    rows = connection.execute(_after(query, table, cursor).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: (row.updated_at.isoformat(), row.id))


def _columns(table: Table) -> list[Any]:
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
    query = select(*_columns(proposal))
    if organisation is not None:
        query = query.where(proposal.c.organisation == organisation)
    if programmes is not None:
        query = query.where(proposal.c.programme.in_(programmes))
    if stage:
        query = query.where(proposal.c.stage == stage)
    if q:
        words = f"%{q.replace('%', '').replace('_', '')}%"
        query = query.where(
            or_(proposal.c.id.ilike(words), proposal.c.title.ilike(words), proposal.c.organisation_name.ilike(words))
        )
    return _list(connection, query, proposal, cursor, limit)


def referral_rows(
    connection: Connection, bank: str, *, folder: str = "", q: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Row[Any]]:
    """Return a bank's own referrals, newest change first, of one folder or of all."""
    query = select(*_columns(referral)).where(referral.c.bank == bank, referral.c.stage.not_in(HIDDEN_FROM_BANK))
    if folder:
        query = query.where(referral.c.stage.in_(FOLDERS[folder]))
    if q:
        words = f"%{q.replace('%', '').replace('_', '')}%"
        query = query.where(
            or_(referral.c.id.ilike(words), referral.c.title.ilike(words), referral.c.organisation_name.ilike(words))
        )
    return _list(connection, query, referral, cursor, limit)


def inbox_counts(connection: Connection, bank: str) -> dict[str, int]:
    """Return how many referrals are in each of a bank's folders."""
    query = select(referral.c.stage, func.count()).where(referral.c.bank == bank).group_by(referral.c.stage)
    found: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    return {folder: sum(found.get(stage, 0) for stage in stages) for folder, stages in FOLDERS.items()}


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
    """Return whose a proposal, referral, loan or tape is, without locking it: what its scope is decided from."""
    table = metadata.tables[kind]
    names = ("id", "proposal", "programme", "organisation", "bank", "stage")
    columns = [table.c[name] for name in names if name in table.c]
    return connection.execute(select(*columns).where(table.c.id == reference)).one_or_none()


def loan_of(connection: Connection, reference: str) -> str | None:
    """Return the id of the loan that came of a proposal."""
    return connection.execute(select(tables.loan.c.id).where(tables.loan.c.proposal == reference)).scalar_one_or_none()
