"""Tables and queries of reports: each a fixed number of statements, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    Index,
    Integer,
    Numeric,
    RowMapping,
    String,
    and_,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from services.grants.domain.reporting import Report
from services.grants.storage.base import metadata
from services.grants.storage.cofinancing import claim
from shared.database import Repository, UnitOfWork, entity_table

OPEN = ("draft", "returned")

report = entity_table(
    "report",
    metadata,
    Column("application", String(80), nullable=False),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("period_to", Date, nullable=False),
    # The day by which somebody is to act: the recipient until it is handed in, then the programme.
    Column("act_on", Date, nullable=False),
    Column("remind_on", Date),
    Column("review_told", Boolean, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("claimed", Numeric(22, 3), nullable=False),
    Column("accepted", Numeric(22, 3), nullable=False),
    # Whether figures of it count: a version was accepted.
    Column("published", Boolean, nullable=False),
    Index("report_one_each", "application", "number", unique=True),
    Index("report_list", "programme", "status", "act_on", "id"),
    Index("report_organisation", "organisation", "status", "act_on", "id"),
    Index("report_reminding", "remind_on", postgresql_where=text("remind_on IS NOT NULL")),
)
c = report.c
_LISTED = [column for column in c if column.name not in {"state", "last_changes"}]


def _columns(item: Report) -> dict[str, Any]:
    names = ("application", "programme", "organisation", "organisation_name", "title", "number", "kind", "status")
    return {name: getattr(item, name) for name in (*names, "period_to", "remind_on", "review_told", "currency")} | {
        "act_on": item.review_due or item.due,
        "claimed": item.claimed().amount,
        "accepted": item.accepted().amount,
        "published": item.accepted_version > 0,
    }


def reports(uow: UnitOfWork) -> Repository[Report]:
    """Return the reports of this transaction."""
    return Repository(uow, report, Report, _columns)


def all_of(uow: UnitOfWork, application: str) -> list[Report]:
    """Return every report of a case, cancelled ones too, to act on."""
    return reports(uow).where(c.application == application, order_by=c.number)


def _read(row: RowMapping) -> Report:
    return Report.stored(row["state"], row["version"])


def find_report(connection: Connection, report_id: str) -> Report | None:
    """Return a report to look at."""
    row = connection.execute(select(report).where(c.id == report_id)).mappings().one_or_none()
    return None if row is None else _read(row)


def reports_of(connection: Connection, application: str) -> list[Report]:
    """Return the reports of a case in the order of their periods."""
    query = select(report).where(c.application == application, c.status != "cancelled").order_by(c.number)
    return [_read(row) for row in connection.execute(query).mappings()]


def rows_of(connection: Connection, application: str) -> list[RowMapping]:
    """Return what lists show of a case's reports, in the order of their periods."""
    query = select(*_LISTED).where(c.application == application, c.status != "cancelled").order_by(c.number)
    return list(connection.execute(query).mappings())


def overdue(connection: Connection, application: str, today: date) -> list[RowMapping]:
    """Return the reports of a case that should have been handed in before today, the oldest first."""
    late = and_(c.status.in_(OPEN), c.act_on < today)
    query = select(*_LISTED).where(c.application == application, late).order_by(c.act_on, c.number)
    return list(connection.execute(query).mappings())


def last_change(connection: Connection, report_id: str) -> RowMapping:
    """Return who changed a report last, and when."""
    return connection.execute(select(c.updated_by_name, c.updated_at).where(c.id == report_id)).mappings().one()


def _state(state: str, today: date) -> ColumnElement[bool]:
    states: dict[str, ColumnElement[bool]] = {
        "due": and_(c.status.in_(OPEN), c.act_on >= today),
        "overdue": and_(c.status.in_(OPEN), c.act_on < today),
        "review": c.status == "submitted",
        "accepted": c.status == "accepted",
        "all": c.status != "cancelled",
    }
    return states[state]


STATES = ("review", "overdue", "due", "accepted", "all")


def listed(
    connection: Connection,
    state: str,
    today: date,
    *,
    programmes: Sequence[str] | None = None,
    organisation: str | None = None,
    after: Sequence[Any] | None = None,
    limit: int = 50,
) -> list[RowMapping]:
    """Return `limit + 1` reports of some programmes or of one organisation, what is to be done first at the top."""
    query = select(*_LISTED).where(_state(state, today))
    if programmes is not None:
        query = query.where(c.programme.in_(programmes))
    if organisation is not None:
        query = query.where(c.organisation == organisation)
    if after is not None:
        query = query.where(tuple_(c.act_on, c.id) > tuple_(after[0], after[1]))
    return list(connection.execute(query.order_by(c.act_on, c.id).limit(limit + 1)).mappings())


def counts(
    connection: Connection, today: date, *, programmes: Sequence[str] = (), organisation: str | None = None
) -> RowMapping:
    """Return how many reports wait for review, are late with it, are overdue, and are due."""
    whose = c.programme.in_(programmes) if organisation is None else c.organisation == organisation
    wanted = {name: func.count().filter(_state(name, today)).label(name) for name in ("review", "overdue", "due")}
    late = func.count().filter(and_(c.status == "submitted", c.act_on < today)).label("review_late")
    query = select(*wanted.values(), late).where(whose, c.status.in_([*OPEN, "submitted"]))
    return connection.execute(query).mappings().one()


def to_remind(connection: Connection, today: date, limit: int = 200) -> list[str]:
    """Return the reports about which somebody is to be told today."""
    told = and_(c.status == "submitted", c.act_on < today, ~c.review_told)
    query = select(c.id).where(or_(c.remind_on <= today, told)).order_by(c.id).limit(limit)
    return list(connection.execute(query).scalars())


def published(connection: Connection, programme: str) -> list[RowMapping]:
    """Return {application, number, period_to, figures} of every accepted report of a programme, in order."""
    columns = (c.application, c.organisation_name, c.number, c.period_to, c.state["figures"].label("figures"))
    query = select(*columns).where(c.programme == programme, c.published)
    return list(connection.execute(query.order_by(c.application, c.number)).mappings())


def targets(connection: Connection, programme: str) -> list[RowMapping]:
    """Return {application, targets} of every grant of a programme that reports."""
    columns = (c.application, c.state["targets"].label("targets"))
    query = select(*columns).where(c.programme == programme, c.number == 1, c.status != "cancelled")
    return list(connection.execute(query).mappings())


# --- the same invoice twice: the index that co-financing has, for all cases and programmes ---


def meet(
    connection: Connection, report_id: str, keys: Mapping[int, Mapping[str, str]], at: Any
) -> dict[int, list[dict[str, Any]]]:
    """Take the keys of a report's costs ({cost: {what: key}}); returns {cost: [{what, case, number}]} of who had them.

    What the report had taken before is let go first, so that a changed cost leaves nothing behind.
    """
    free(connection, report_id)
    values = [
        {"key": key, "case": report_id, "contribution": number, "claimed_at": at}
        for number, own in keys.items()
        for key in own.values()
    ]
    if not values:
        return {}
    first = {item["key"]: item for item in reversed(values)}
    connection.execute(insert(claim).values(list(first.values())).on_conflict_do_nothing())
    query = select(claim.c.key, claim.c.case, claim.c.contribution).where(claim.c.key.in_(list(first)))
    had = {row["key"]: row for row in connection.execute(query).mappings()}
    found: dict[int, list[dict[str, Any]]] = {}
    for number, own in keys.items():
        for what, key in own.items():
            by = had[key]
            if (by["case"], by["contribution"]) != (report_id, number):
                found.setdefault(number, []).append({"what": what, "case": by["case"], "number": by["contribution"]})
    return found


def free(connection: Connection, report_id: str, number: int | None = None) -> None:
    """Let what a report's costs had claimed, or one of them, be counted elsewhere."""
    query = delete(claim).where(claim.c.case == report_id)
    connection.execute(query if number is None else query.where(claim.c.contribution == number))
