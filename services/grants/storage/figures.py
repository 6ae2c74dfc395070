"""Counts for home page and operator: what waits for whom. Each is one statement over the indexes of the lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Float,
    RowMapping,
    Select,
    Table,
    Text,
    func,
    literal,
    not_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, array

from services.grants.storage import tables as t
from services.grants.storage.agreements import amendment
from services.grants.storage.appeals import appeal
from services.grants.storage.cofinancing import cofinancing
from services.grants.storage.exclusion import screening

OPEN_REVIEWS = ("assigned", "open")


def cases(connection: Connection, programmes: Sequence[str], role: str, user: str, today: date) -> RowMapping:
    """Return how many open cases wait for a role, are late, are this person's, and belong to nobody."""
    c = t.application.c
    counts: dict[str, Any] = {
        "waiting": c.holder == role,
        "late": (c.due_order < today) & ~c.paused,
        "mine": c.officer == user,
        "unassigned": c.officer.is_(None),
    }
    query = select(*(func.count().filter(condition).label(name) for name, condition in counts.items()))
    return connection.execute(query.where(c.programme.in_(programmes), c.is_open)).mappings().one()


def reviews(connection: Connection, reviewer: str) -> int:
    """Return how many reviews are still to be done by a reviewer."""
    c = t.review.c
    query = select(func.count()).where(c.reviewer == reviewer, c.status.in_(OPEN_REVIEWS))
    return connection.execute(query).scalar_one()


def decisions(connection: Connection, programmes: Sequence[str], roles: Sequence[str], user: str) -> RowMapping:
    """Return how many amendments these roles decide about, hits on exclusion lists and appeals wait, of open cases.

    What somebody asked for or decided before themselves waits for another person.
    """
    m, s, a, p = amendment.c, screening.c, t.application.c, appeal.c
    mine = m.state["approvers"].op("?|")(array(list(roles), type_=ARRAY(Text)))
    asked = (m.status == "requested", m.state["programme"].astext.in_(programmes), mine)
    counts = {
        "amendments": select(func.count()).where(*asked, m.state["requested_by"].astext != f"user:{user}"),
        "hits": select(func.count()).where(s.programme.in_(programmes), s.open_hits > 0, s.id == a.id, a.is_open),
        "appeals": select(func.count()).where(
            p.programme.in_(programmes),
            p.state["outcome"].astext.is_(None),
            not_(p.state["rejected_by"].contains([f"user:{user}"])),
        ),
    }
    query = select(*(count.scalar_subquery().label(name) for name, count in counts.items()))
    return connection.execute(query).mappings().one()


def payments(connection: Connection, programmes: Sequence[str]) -> int:
    """Return how many awards wait for finance: a tranche to release or a payment to confirm."""
    c = t.award.c
    query = select(func.count()).where(c.programme.in_(programmes), c.waits_for_finance)
    return connection.execute(query).scalar_one()


def _ageing(table: Table, kind: str, since: ColumnElement[Any], late: ColumnElement[bool]) -> Select[Any]:
    c = table.c
    return select(
        literal(kind).label("kind"),
        c.programme,
        c.stage,
        func.coalesce(c.holder, "nobody").label("holder"),
        func.count().label("open"),
        func.count().filter(late).label("overdue"),
        func.extract("epoch", func.now() - func.min(since)).cast(Float).label("oldest_seconds"),
    ).group_by(c.programme, c.stage, c.holder)


def ageing(connection: Connection) -> list[dict[str, Any]]:
    """Return the open cases by programme, stage and the role that has them: how many, how many late, the oldest."""
    today = func.timezone("UTC", func.now()).cast(Date)
    a, f = t.application.c, cofinancing.c
    applications = _ageing(t.application, "application", a.since.expression, (a.due_order < today) & ~a.paused)
    shared_costs = _ageing(cofinancing, "cofinancing", f.updated_at.expression, f.due_order < today)
    both = applications.where(a.is_open).union_all(shared_costs.where(f.holder.is_not(None)))
    return [dict(row) for row in connection.execute(both).mappings()]
