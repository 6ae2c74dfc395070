"""How matches spread over the whole time of a search: read evenly from all of it, within a bound on the work.

The leaves of the search are divided into equal strata, and of each some neighbouring leaves are read: first few, then
as many more as the time that is left allows, to all of them where an index makes that cheap. What was found in a part
of a stratum stands for the whole stratum. Without other conditions every leaf matches, so the sum is exact.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil, floor, sqrt
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, Integer, column, func, literal, select, text, true

from services.audit.storage.conditions import Filters, acting, conditions
from services.audit.storage.facets import BUCKETS, Bar
from services.audit.storage.search import reach
from services.audit.storage.tables import events

STRATA = 256
BUDGET, BUDGET_OF_REFUSED = 0.025, 0.008  # seconds
# Leaves of a stratum that are read at first; of words and of changes each is judged by itself, which costs more.
_FIRST, _FIRST_JUDGED = 16, 2
_GROWTH, _CAUTION = 32, 0.5
_WITHIN = 1e-6
_CHEAP = 800  # matches that an index finds within the time
_LEAST = 20  # matches read; of fewer no picture is made
_GOLDEN = 0.6180339887498949  # its multiples lie evenly in every stratum, and the same search reads the same leaves
_SETTINGS = ("enable_bitmapscan", "enable_seqscan", "jit")
_SET = text("SELECT set_config(:name, :value, true)")


@dataclass(frozen=True)
class Spread:
    """Bars over the whole time of a search, and what they are worth.

    `read` of `leaves` entries were read; `exact` when all were. `margin` is how far the sum may be off, as a fraction
    of it: two standard errors, estimated from how much neighbouring strata differ.
    """

    bars: list[Bar]
    total: int
    exact: bool
    read: int
    leaves: int
    margin: float


@dataclass(frozen=True)
class _Axis:
    """Equal spans of whole minutes."""

    first: datetime
    span: timedelta
    bars: int

    def place(self, moment: datetime) -> float:
        """Return where a moment lies, counted in bars from the first and kept within them."""
        return min(max((moment - self.first) / self.span, 0.0), self.bars - _WITHIN)


@dataclass(frozen=True)
class _Stratum:
    """Leaves [low, high), and the time between whose bars they were recorded, counted in bars from the first."""

    low: int
    high: int
    start: float
    end: float

    def over(self, bar: int, *, whole: bool) -> list[tuple[int, float]]:
        """Return on which bars what was found in one falls, with its shares.

        What stands for more than itself lies evenly over the time of its stratum; what happened at another time than
        it was recorded, and what was counted, stays where it is.
        """
        first, last = floor(self.start), floor(self.end)
        if whole or not first <= bar <= last or first == last:
            return [(bar, 1.0)]
        wide = self.end - self.start
        return [(at, (min(at + 1, self.end) - max(at, self.start)) / wide) for at in range(first, last + 1)]


@dataclass(frozen=True)
class _How:
    """What is read: of each stratum `first` leaves to begin with; `indexed` when only matches are."""

    strata: list[_Stratum]
    first: int
    indexed: bool


@dataclass(frozen=True)
class _Read:
    """Estimated counts by bar, what was read for them, and how many matches were among it."""

    counts: dict[int, float]
    leaves: int
    found: int
    whole: bool
    margin: float


_NONE = _Read({}, 0, 0, whole=True, margin=0.0)


def spread(connection: Connection, filters: Filters) -> Spread | None:
    """Return how all matches of a search spread over its time; None where too few were met to tell."""
    low, high = reach(connection, filters)
    axis = _axis(connection, filters)
    if axis is None or low >= high:
        return None
    judged = bool(filters.q or filters.changed)
    wanted = conditions(filters, acting(connection, filters), by_leaf=True, judged=judged)
    how = _How(_strata(connection, axis, low, high), _FIRST_JUDGED if judged else _FIRST, _indexed(filters))
    usual = _by_leaves(connection)
    acts = _counted(connection, wanted, axis, how, BUDGET)
    refused = acts
    if not filters.outcome:
        # Where few were refused at all, each is read: none is lost between the entries that are.
        first = high - low if _few_refused(connection, low, high) else how.first
        own = [*wanted, events.c.outcome != "success"]
        refused = _counted(connection, own, axis, replace(how, first=first), BUDGET_OF_REFUSED)
    connection.execute(_SET, usual)
    if not acts.whole and acts.found < _LEAST:
        return None
    shown = refused if filters.outcome != "success" else _NONE
    return Spread(
        bars=_bars(axis, acts.counts, shown.counts),
        total=round(sum(acts.counts.values())),
        exact=acts.whole,
        read=acts.leaves,
        leaves=high - low,
        margin=acts.margin,
    )


def _by_leaves(connection: Connection) -> list[dict[str, Any]]:
    """Close every way but by the leaves or an index in their order; returns the settings as they were.

    These are bounded; a bitmap would be of all matches, each time, and compiling takes longer than the query.
    """
    known = [func.current_setting(name).label(name) for name in _SETTINGS]
    row = connection.execute(select(*known)).one()
    connection.execute(_SET, [{"name": name, "value": "off"} for name in _SETTINGS])
    return [{"name": name, "value": value} for name, value in zip(_SETTINGS, row, strict=True)]


def _axis(connection: Connection, filters: Filters) -> _Axis | None:
    """Return the time that is asked for, cut off where nothing has happened yet or any more."""
    time_ = events.c.occurred_at
    spans = [time_ >= filters.since] if filters.since else []
    spans += [time_ < filters.until] if filters.until else []
    first, last = connection.execute(select(func.min(time_), func.max(time_)).where(*spans)).one()
    if first is None:
        return None
    first = first.replace(second=0, microsecond=0)
    minutes = int((last - first).total_seconds() // 60) + 1
    span = timedelta(minutes=ceil(minutes / BUCKETS))
    return _Axis(first, span, int((last - first) / span) + 1)


def _strata(connection: Connection, axis: _Axis, low: int, high: int) -> list[_Stratum]:
    """Return the strata with the bars between which they were recorded."""
    ends = [low + (high - low) * number // STRATA for number in range(STRATA + 1)]
    index, at = events.c.leaf_index, events.c.recorded_at
    # Their own order is wanted, whatever the planner prefers: a list of places, each looked up by itself.
    place = func.unnest(literal([*ends[:-1], high - 1], ARRAY(BigInteger))).column_valued("place")
    times = {
        row.leaf_index: row.recorded_at for row in connection.execute(select(index, at).where(index.in_(select(place))))
    }
    bars = [axis.place(times.get(min(end, high - 1), axis.first)) for end in ends]
    return [_Stratum(*leaves, *time_) for leaves, time_ in zip(pairwise(ends), pairwise(bars), strict=True)]


def _indexed(filters: Filters) -> bool:
    """Say whether an index finds the matches among some leaves without reading the others."""
    own = filters.person or filters.organisation or filters.programme or filters.case or ":" in filters.entity
    return bool(own or filters.kind[-1:] not in {"", "."} or filters.outcome not in {"", "success"})


def _few_refused(connection: Connection, low: int, high: int) -> bool:
    index = events.c.leaf_index
    some = select(index).where(events.c.outcome != "success", index >= low, index < high).limit(_CHEAP + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) <= _CHEAP


def _counted(
    connection: Connection, wanted: Sequence[ColumnElement[bool]], axis: _Axis, how: _How, budget: float
) -> _Read:
    """Return the counts by bar; each round reads more of every stratum, for as long as the next fits into the time."""
    widest = max(stratum.high - stratum.low for stratum in how.strata)
    length, begun = min(how.first, widest), time.perf_counter()
    while True:
        started = time.perf_counter()
        parts = _parts(how.strata, length)
        rows = connection.execute(_query(wanted, axis, parts)).all()
        now = time.perf_counter()
        took, left = now - started, budget - (now - begun)
        growth = min(_GROWTH, _CAUTION * left / max(took, 1e-6))
        if how.indexed and length == how.first:
            # Bounded by what is found, not by the clock: on a busy machine, too, what is seldom is counted whole.
            growth = max(growth, _CHEAP / (1 + sum(row.met for row in rows)))
        if length >= widest or growth <= 1:
            return _weighed(rows, how.strata, parts)
        length = min(widest, ceil(length * growth))


def _parts(strata: Sequence[_Stratum], length: int) -> list[tuple[int, int]]:
    """Return the leaves [low, high) that are read of each stratum."""
    parts = []
    for number, stratum in enumerate(strata):
        room = max(0, stratum.high - stratum.low - length)
        low = stratum.low + int(room * ((number * _GOLDEN) % 1))
        parts.append((low, min(stratum.high, low + length)))
    return parts


def _query(wanted: Sequence[ColumnElement[bool]], axis: _Axis, parts: Sequence[tuple[int, int]]) -> Any:
    """Return the query of counts by stratum and bar."""
    values = zip(*((number, low, high) for number, (low, high) in enumerate(parts)), strict=True)
    part = (
        func.unnest(*(literal(list(value), ARRAY(BigInteger)) for value in values))
        .table_valued(column("stratum", BigInteger), column("low", BigInteger), column("high", BigInteger), name="part")
        .render_derived()
    )
    seconds = func.extract("epoch", events.c.occurred_at - axis.first)
    bar = func.floor(seconds / axis.span.total_seconds()).cast(Integer).label("bar")
    inside = [events.c.leaf_index >= part.c.low, events.c.leaf_index < part.c.high]
    # The offset keeps the planner from reading all matches first and looking for their parts after that.
    found = select(bar).where(*wanted, *inside).offset(0).lateral("found")
    return (
        select(part.c.stratum, found.c.bar, func.count().label("met"))
        .select_from(part.join(found, true()))
        .group_by(part.c.stratum, found.c.bar)
    )


def _weighed(rows: Sequence[Any], strata: Sequence[_Stratum], parts: Sequence[tuple[int, int]]) -> _Read:
    """Let what was found in the part of each stratum stand for the whole of it."""
    read = [high - low for low, high in parts]
    counts: dict[int, float] = defaultdict(float)
    met = [0] * len(parts)
    for row in rows:
        stratum, own = strata[row.stratum], read[row.stratum]
        met[row.stratum] += row.met
        for bar, share in stratum.over(row.bar, whole=own == stratum.high - stratum.low):
            counts[bar] += share * row.met * (stratum.high - stratum.low) / own
    shares = [found / of if of else 0.0 for found, of in zip(met, read, strict=True)]
    total, leaves = sum(counts.values()), strata[-1].high - strata[0].low
    unread = 1 - sum(read) / leaves
    error = _error(shares) * leaves / len(shares) * sqrt(max(0.0, unread))
    return _Read(counts, sum(read), sum(met), sum(read) == leaves, 2 * error / total if total else 0.0)


def _error(shares: Sequence[float]) -> float:
    """Return the standard error of the sum of shares, from how much neighbours differ."""
    return sqrt(sum((one - other) ** 2 for one, other in pairwise(shares)) / 2)


def _bars(axis: _Axis, counts: dict[int, float], refused: dict[int, float]) -> list[Bar]:
    """Return the bars; a few refusals that were read exactly are not lost beside acts that were estimated."""
    bars = []
    for number in range(axis.bars):
        start, wrong = axis.first + number * axis.span, round(refused.get(number, 0))
        bars.append(Bar(start, start + axis.span, max(wrong, round(counts.get(number, 0))), wrong))
    return bars
