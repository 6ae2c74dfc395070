"""Hits of the watch: kept, listed, counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, tuple_

from services.audit.domain.hit import Hit
from services.audit.storage.tables import events
from services.audit.storage.watch_tables import hits
from shared.database import Repository, UnitOfWork

LIMIT = 25


def repository(uow: UnitOfWork) -> Repository[Hit]:
    """Return the hits."""
    return Repository(uow, hits, Hit, _columns)


def _columns(hit: Hit) -> dict[str, Any]:
    happened = datetime.fromisoformat(hit.happened_at)
    return {"rule": hit.rule, "stage": hit.stage, "leaf": hit.leaf, "happened_at": happened}


def known(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return those of the ids that have a hit already."""
    return set(connection.execute(select(hits.c.id).where(hits.c.id.in_(list(ids)))).scalars())


def page(connection: Connection, stage: str, rule: str, before: list[Any] | None, limit: int = LIMIT) -> list[Any]:
    """Return hits of a stage, and of a rule if one is given, the newest first: one more than a page has."""
    query = select(hits.c.id, hits.c.version, hits.c.state, hits.c.leaf).where(hits.c.stage == stage)
    query = query.where(hits.c.rule == rule) if rule else query
    if before is not None:
        query = query.where(tuple_(hits.c.leaf, hits.c.id) < tuple_(*before))
    return list(connection.execute(query.order_by(hits.c.leaf.desc(), hits.c.id.desc()).limit(limit + 1)))


def tally(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many hits there are by rule and stage."""
    rows = connection.execute(select(hits.c.rule, hits.c.stage, func.count()).group_by(hits.c.rule, hits.c.stage))
    return {(rule, stage): count for rule, stage, count in rows}


def weeks(connection: Connection, since: datetime, zone: str) -> dict[tuple[str, datetime], tuple[int, int]]:
    """Return (all, open) by rule and by the Monday of a week."""
    week = func.date_trunc("week", func.timezone(zone, hits.c.happened_at)).label("week")
    open_ = func.count().filter(hits.c.stage == "open")
    query = select(hits.c.rule, week, func.count(), open_).where(hits.c.happened_at >= since)
    rows = connection.execute(query.group_by(hits.c.rule, week))
    return {(rule, monday): (count, waiting) for rule, monday, count, waiting in rows}


def open_ones(connection: Connection) -> int:
    """Return how many hits wait for somebody."""
    return int(connection.execute(select(func.count()).where(hits.c.stage == "open")).scalar_one())


def evidence(connection: Connection, ids: Iterable[str]) -> list[Any]:
    """Return the stored events that a hit rests on, in the order of the log."""
    query = select(events).where(events.c.event_id.in_([UUID(item) for item in ids]))
    return list(connection.execute(query.order_by(events.c.leaf_index)))
