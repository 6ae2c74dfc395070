"""How far a consumer of whole sources is with each of them, and which positions it lacks: part of its transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

_ADVANCE = text("""
INSERT INTO inbox_source AS s (consumer, source, last_position) SELECT :consumer, :source, :last WHERE :first = 1
ON CONFLICT (consumer, source) DO UPDATE SET last_position = excluded.last_position
WHERE s.last_position = :first - 1
""")
_GO_ON = text("""
UPDATE inbox_source SET last_position = :last
WHERE consumer = :consumer AND source = :source AND last_position = :first - 1
""")
_LOCK = text("""
INSERT INTO inbox_source AS s (consumer, source, last_position) VALUES (:consumer, :source, 0)
ON CONFLICT (consumer, source) DO UPDATE SET last_position = s.last_position RETURNING last_position
""")
_SET = text("UPDATE inbox_source SET last_position = :last WHERE consumer = :consumer AND source = :source")
_LACK = text("""
INSERT INTO inbox_gap (consumer, entity, source, first, last, since)
VALUES (:consumer, :source, :source, :first, :last, clock_timestamp())
""")
_TOUCHED = text("""
SELECT * FROM inbox_gap WHERE consumer = :consumer AND entity = :source AND closed_at IS NULL
AND last >= :first AND first <= :last ORDER BY first
""")
_DROP = text("DELETE FROM inbox_gap WHERE consumer = :consumer AND entity = :source AND last = :last")
_CLOSE = text("""
UPDATE inbox_gap SET closed_at = clock_timestamp()
WHERE consumer = :consumer AND entity = :source AND last = :last
""")
_LEFT = text("""
INSERT INTO inbox_gap (consumer, entity, source, first, last, since, alarmed_at, asked, asked_at)
VALUES (:consumer, :entity, :source, :first, :last, :since, :alarmed_at, :asked, :asked_at)
""")


def note(connection: Connection, consumer: str, seen: Iterable[tuple[str, int | None]]) -> None:
    """Note that a consumer has (source, position) of these events; what is missing below them is lacking.

    Sources are locked in the order of their names, so two processes never wait for each other.
    """
    by_source: dict[str, set[int]] = {}
    for source, position in seen:
        if position:
            by_source.setdefault(source, set()).add(position)
    for source in sorted(by_source):
        _note(connection, {"consumer": consumer, "source": source}, by_source[source])


def _note(connection: Connection, facts: dict[str, Any], positions: set[int]) -> None:
    first, last = min(positions), max(positions)
    if last - first + 1 == len(positions):  # the usual case: the next ones, in one run
        go_on = _ADVANCE if first == 1 else _GO_ON
        if connection.execute(go_on, facts | {"first": first, "last": last}).rowcount:
            return
    before = int(connection.execute(_LOCK, facts).scalar_one())
    if late := {position for position in positions if position <= before}:
        _fill(connection, facts, late)
    if last > before:
        for start, end in _runs_without(positions, before + 1, last):
            connection.execute(_LACK, facts | {"first": start, "last": end})
        connection.execute(_SET, facts | {"last": last})


def _fill(connection: Connection, facts: dict[str, Any], late: set[int]) -> None:
    for gap in connection.execute(_TOUCHED, facts | {"first": min(late), "last": max(late)}).mappings().all():
        left = _runs_without(late, gap["first"], gap["last"])
        if left == [(gap["first"], gap["last"])]:
            continue
        here = facts | {"last": gap["last"]}
        # Whoever watches tells of the end of a gap that was alarmed; of any other nobody has heard.
        connection.execute(_CLOSE if gap["alarmed_at"] and not left else _DROP, here)
        for start, end in left:
            connection.execute(_LEFT, dict(gap) | {"first": start, "last": end})


def _runs_without(taken: set[int], first: int, last: int) -> list[tuple[int, int]]:
    """Return the runs of numbers from `first` to `last` that are not in `taken`."""
    runs = []
    for position in sorted(position for position in taken if first <= position <= last):
        if position > first:
            runs.append((first, position - 1))
        first = position + 1
    return [*runs, (first, last)] if first <= last else runs
