"""Counts for the home page: what waits for whom. Each is one statement over the indexes of the lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from services.grants.storage import tables as t

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


def payments(connection: Connection, programmes: Sequence[str]) -> int:
    """Return how many awards wait for finance: a tranche to release or a payment to confirm."""
    c = t.award.c
    query = select(func.count()).where(c.programme.in_(programmes), c.waits_for_finance)
    return connection.execute(query).scalar_one()
