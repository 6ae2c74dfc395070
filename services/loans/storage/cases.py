"""An adviser's cases: its firms with their newest proposal, by what is due, by the last contact, by change or name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, exists, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from services.loans.domain.advice import Advice
from services.loans.domain.proposal import Proposal
from services.loans.storage.firm_tables import advice
from services.loans.storage.queries import says
from services.loans.storage.repositories import proposals
from services.loans.storage.tables import fee, improvement, proposal, referral
from shared.database import Repository, UnitOfWork
from shared.web.paging import Page, decode_cursor, page_of

SORTS = ("due", "contact", "changed", "name")
_NEVER, _LAST = date(1, 1, 1), date(9999, 12, 31)


def _advice(item: Advice) -> dict[str, Any]:
    names = ("programme", "organisation", "adviser", "last_contact")
    return {name: getattr(item, name) for name in names} | {"next_due": item.step.due if item.step else None}


def advices(uow: UnitOfWork) -> Repository[Advice]:
    return Repository(uow, advice, Advice, _advice)


def advice_of(connection: Connection, adviser: str, organisation: str) -> str | None:
    """Return the id of an adviser's case of a firm."""
    query = select(advice.c.id).where(advice.c.adviser == adviser, advice.c.organisation == organisation)
    return connection.execute(query).scalar_one_or_none()


def steps_for(uow: UnitOfWork, organisation: str) -> list[Advice]:
    """Return the cases of a firm in which a next step is agreed, the first due in front."""
    c = advice.c
    advised = exists().where(proposal.c.supporter == c.adviser, proposal.c.organisation == c.organisation)
    return advices(uow).where(c.organisation == organisation, c.next_due.is_not(None), advised, order_by=c.next_due)


def case_rows(
    connection: Connection,
    adviser: str,
    programmes: Sequence[str] | None = None,
    *,
    sort: str = "due",
    stage: str = "",
    late: date | None = None,
    q: str = "",
    cursor: str | None = None,
    limit: int = 25,
) -> Page[Row[Any]]:
    """Return the firms that have chosen an adviser, each once with its newest proposal; of `programmes` if given."""
    query, case = _cases(adviser, programmes)
    key = _key(sort, case)
    query = query.add_columns(key.label("key"))
    if stage:
        query = query.where(case.c.stage == stage)
    if late is not None:
        query = query.where(advice.c.next_due < late)
    if q:
        query = query.where(says(q, case.c.organisation_name, case.c.title, case.c.id))
    rows: list[Row[Any]] = list(connection.execute(_after(query, sort, key, case, cursor).limit(limit + 1)))
    return page_of(rows, limit, lambda row: (_written(row.key), row.organisation))


def case_row(connection: Connection, adviser: str, organisation: str) -> Row[Any] | None:
    """Return one firm of an adviser with its newest proposal."""
    query, case = _cases(adviser, None)
    return next(iter(connection.execute(query.where(case.c.organisation == organisation))), None)


def _cases(adviser: str, programmes: Sequence[str] | None) -> tuple[Select[Any], Any]:
    """Return the query of an adviser's firms, and the part of it that is the newest proposal of each."""
    c = proposal.c
    newest = select(c.id, c.organisation, c.organisation_name, c.stage, c.title, c.amount, c.currency, c.updated_at)
    newest = newest.where(c.supporter == adviser).ext(distinct_on(c.organisation))
    if programmes is not None:
        newest = newest.where(c.programme.in_(programmes))
    case = newest.order_by(c.organisation, c.updated_at.desc(), c.id.desc()).subquery("newest")
    own = and_(advice.c.organisation == case.c.organisation, advice.c.adviser == adviser)
    query = select(*case.c, advice.c.id.label("advice"), advice.c.last_contact, advice.c.next_due)
    return query.select_from(case.outerjoin(advice, own)), case


def proposals_in(uow: UnitOfWork, ids: Sequence[str]) -> list[Proposal]:
    """Return those proposals, not locked, in one statement."""
    return proposals(uow).where(proposal.c.id.in_(ids))


def advices_in(uow: UnitOfWork, ids: Sequence[str]) -> list[Advice]:
    """Return those cases, not locked, in one statement."""
    return advices(uow).where(advice.c.id.in_(ids))


def _key(sort: str, case: Any) -> Any:
    """Return what a list is ordered by; who was never contacted comes first, what has no day last."""
    keys = {
        "due": func.coalesce(advice.c.next_due, literal(_LAST)),
        "contact": func.coalesce(advice.c.last_contact, literal(_NEVER)),
        "changed": case.c.updated_at,
        "name": case.c.organisation_name,
    }
    return keys[sort]


def _after(query: Select[Any], sort: str, key: Any, case: Any, cursor: str | None) -> Select[Any]:
    seen, place = decode_cursor(cursor, 2), tuple_(key, case.c.organisation)
    if seen is not None:
        value = _read(sort, seen[0])
        query = query.where(place < tuple_(value, seen[1]) if sort == "changed" else place > tuple_(value, seen[1]))
    if sort == "changed":
        return query.order_by(key.desc(), case.c.organisation.desc())
    return query.order_by(key, case.c.organisation)


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _read(sort: str, text: str) -> Any:
    if sort in {"due", "contact"}:
        return date.fromisoformat(text)
    return datetime.fromisoformat(text) if sort == "changed" else text


def plans_of(connection: Connection, proposals: Sequence[str]) -> dict[str, Any]:
    """Return {proposal: (open plans, first due)} of improvement plans that no referral has ended."""
    c = improvement.c
    query = select(c.proposal, func.count().label("plans"), func.min(c.due).label("due")).group_by(c.proposal)
    return {row.proposal: row for row in connection.execute(query.where(c.proposal.in_(proposals), c.again.is_(None)))}


def fees_by(connection: Connection, proposals: Sequence[str]) -> dict[str, Any]:
    """Return {proposal: its success fee}."""
    c = fee.c
    query = select(c.id, c.proposal, c.organisation, c.stage, c.currency, c.earned, c.paid)
    return {row.proposal: row for row in connection.execute(query.where(c.proposal.in_(proposals)))}


def banks_by(connection: Connection, proposals: Sequence[str]) -> dict[str, list[Any]]:
    """Return {proposal: its referrals, the newest first}."""
    c = referral.c
    query = select(c.proposal, c.bank_name, c.stage, c.due).where(c.proposal.in_(proposals))
    found: dict[str, list[Any]] = {}
    for row in connection.execute(query.order_by(c.updated_at.desc(), c.id)):
        found.setdefault(row.proposal, []).append(row)
    return found
