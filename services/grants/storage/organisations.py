"""Queries of what grants has of one organisation: its cases, awards, reports and what the lists say of it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, func, select

from services.grants.domain.award import Award
from services.grants.domain.exclusion import Screening
from services.grants.storage import cofinancing as cofinanced
from services.grants.storage import tables as t
from services.grants.storage.exclusion import screening
from services.grants.storage.reports import report

MOST_CASES, MOST_OTHERS = 200, 5000
Programmes = Sequence[str] | None  # None: of all


def applications(connection: Connection, organisation: str, programmes: Programmes) -> list[RowMapping]:
    """Return the applications that an organisation handed in, the newest first."""
    c = t.application.c
    columns = (c.id, c.programme, c.call, c.title, c.stage, c.amount, c.currency, c.submitted_at)
    query = select(*columns).where(c.organisation == organisation, c.submitted_at.is_not(None))
    if programmes is not None:
        query = query.where(c.programme.in_(programmes))
    return list(connection.execute(query.order_by(c.submitted_at.desc(), c.id).limit(MOST_CASES)).mappings())


def cofinancings(connection: Connection, organisation: str, programmes: Programmes) -> list[RowMapping]:
    """Return an organisation's co-financing cases by reference; a concept is still its own."""
    c = cofinanced.cofinancing.c
    title = c.state["title"].astext.label("title")
    query = select(c.id, c.programme, c.stage, title).where(c.organisation == organisation, c.stage != "concept")
    if programmes is not None:
        query = query.where(c.programme.in_(programmes))
    return list(connection.execute(query.order_by(c.id).limit(MOST_CASES)).mappings())


def awards(connection: Connection, references: Sequence[str]) -> list[Award]:
    """Return the concluded agreements among these cases, by reference."""
    c = t.award.c
    query = select(t.award).where(c.id.in_(references), c.concluded_at.is_not(None)).order_by(c.id)
    rows = connection.execute(query).mappings()
    return [Award.stored(row["state"], row["version"]) for row in rows]


def screenings(connection: Connection, references: Sequence[str]) -> list[Screening]:
    """Return what the exclusion lists say of these cases."""
    query = select(screening).where(screening.c.id.in_(references)).order_by(screening.c.id)
    rows = connection.execute(query).mappings()
    return [Screening.stored(row["state"], row["version"]) for row in rows]


def reports(connection: Connection, references: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return {case: {state of its reports: how many}}."""
    c = report.c
    query = select(c.application, c.status, func.count().label("many")).where(c.application.in_(references))
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query.group_by(c.application, c.status)):
        found.setdefault(row.application, {})[row.status] = row.many
    return found


def others(connection: Connection, organisation: str) -> list[RowMapping]:
    """Return all other organisations with what they can be told apart by."""
    c = t.organisation.c
    query = select(c.id, c.name, c.country, c.registration_number).where(c.id != organisation)
    return list(connection.execute(query.order_by(c.id).limit(MOST_OTHERS)).mappings())
