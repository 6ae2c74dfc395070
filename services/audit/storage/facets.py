"""How matches spread: counts by facet, and over time. Counted over the newest matches, never over the whole log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from services.audit.storage.conditions import Filters
from services.audit.storage.search import FACETS, Looked, look

SAMPLE = 2000
BUCKETS = 60
_MOST = 6
# Facet → the columns of its value and of its label.
COLUMNS = {
    "person": ("actor_id", "actor_name"),
    "role": ("role", "role"),
    "organisation": ("organisation", "organisation"),
    "kind": ("type", "type"),
    "programme": ("programme", "programme"),
    "service": ("source", "source"),
    "outcome": ("outcome", "outcome"),
}


@dataclass(frozen=True)
class Bar:
    """What happened in a span of time: how many acts, how many of them refused."""

    start: datetime
    end: datetime
    count: int
    refused: int


@dataclass(frozen=True)
class Overview:
    """Counts over the newest matches: (value, label, count) by facet, and bars over time.

    `more`: there are older matches than were counted, or there may be.
    """

    counted: int
    more: bool
    facets: dict[str, list[tuple[str, str, int]]]
    bars: list[Bar]


def overview(connection: Connection, filters: Filters) -> Overview:
    """Return counts over at most SAMPLE newest matches."""
    looked = look(connection, filters, before=None, limit=SAMPLE + 1, columns=FACETS)
    return counted(looked)


def counted(looked: Looked) -> Overview:
    """Return counts over what was found."""
    rows = looked.rows[:SAMPLE]
    facets = {
        name: _count((getattr(row, value), getattr(row, label)) for row in rows)
        for name, (value, label) in COLUMNS.items()
    }
    facets["entity"] = _count((kind, kind) for kind in (row.entity.partition(":")[0] for row in rows))
    more = len(looked.rows) > SAMPLE or looked.reached is not None
    return Overview(len(rows), more, facets, _bars([(row.occurred_at, row.outcome) for row in rows]))


def _count(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[str, str, int]]:
    counts: dict[str, int] = {}
    labels: dict[str, str] = {}
    for value, label in pairs:
        if value:
            counts[value] = counts.get(value, 0) + 1
            labels.setdefault(value, label or value)
    ranked = sorted(counts, key=lambda value: -counts[value])[:_MOST]
    return [(value, labels[value], counts[value]) for value in ranked]


def _bars(acts: list[tuple[datetime, str]]) -> list[Bar]:
    """Return counts in equal spans of whole minutes between the first and the last act."""
    if not acts:
        return []
    first, last = min(acts)[0].replace(second=0, microsecond=0), max(acts)[0]
    minutes = int((last - first).total_seconds() // 60) + 1
    span = timedelta(minutes=-(-minutes // BUCKETS))
    bars = [[0, 0] for _ in range(int((last - first) / span) + 1)]
    for at, outcome in acts:
        bar = bars[int((at - first) / span)]
        bar[0] += 1
        bar[1] += outcome != "success"
    return [
        Bar(first + number * span, first + (number + 1) * span, count, refused)
        for number, (count, refused) in enumerate(bars)
    ]
