"""What the watch reads of the log, in stretches of leaves and by the things that acts are about."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from services.audit.domain.watch_rules import TELLING
from services.audit.domain.watching import Act, Terms, Thing
from shared.events.watch_rules import watch_rules_of

_COLUMNS = """
leaf_index, event_id, source, type, entity, occurred_at, recorded_at, actor_id, role, organisation, on_behalf_of,
programme, "case", outcome, correlation_id, CASE WHEN type = ANY(:telling) THEN body END AS body
"""
# What services do on their own account is no person's act, but for payments that are read from a bank's file.
_STRETCH = text(f"""
SELECT {_COLUMNS} FROM event WHERE leaf_index >= :low AND leaf_index < :high
  AND (actor_kind = 'person' OR type = ANY(:telling)) ORDER BY leaf_index
""")  # noqa: S608 - ours
_THINGS = text(f"""
SELECT {_COLUMNS} FROM event WHERE (source, entity) IN (
  SELECT source, entity FROM unnest(CAST(:sources AS text[]), CAST(:entities AS text[])) AS asked (source, entity)
) AND type = ANY(:types) AND leaf_index < :high ORDER BY leaf_index
""")  # noqa: S608 - ours
# By the hash of the id, as the index of actors has it.
_BEFORE = text(f"""
SELECT {_COLUMNS} FROM event WHERE hashtextextended(actor_id, 0) = ANY(
    SELECT hashtextextended(id, 0) FROM unnest(CAST(:actors AS text[])) AS asked (id)
  ) AND actor_id = ANY(:actors) AND leaf_index >= :low AND leaf_index < :high AND occurred_at > :since
  AND (actor_kind = 'person' OR type = ANY(:telling)) ORDER BY leaf_index
""")  # noqa: S608 - ours
_EXPORTS = text(f"""
SELECT {_COLUMNS} FROM event WHERE type = 'audit.export.completed' AND actor_id = ANY(:actors)
  AND leaf_index >= :low AND leaf_index < :high AND occurred_at > :since ORDER BY leaf_index
""")  # noqa: S608 - ours
# Leaves are in the order of recording: halve until the first one is found.
_FIRST_SINCE = text("""
WITH RECURSIVE half(low, high) AS (
  SELECT CAST(0 AS bigint), coalesce(max(leaf_index), -1) + 1 FROM event
  UNION ALL
  SELECT CASE WHEN middle.recorded_at < :moment THEN (low + high) / 2 + 1 ELSE low END,
    CASE WHEN middle.recorded_at < :moment THEN high ELSE (low + high) / 2 END
  FROM half, LATERAL (SELECT recorded_at FROM event WHERE leaf_index = (low + high) / 2) AS middle WHERE low < high
)
SELECT low FROM half WHERE low >= high
""")
_PACKS = text("""
SELECT substr(entity, 11) AS programme, leaf_index, body::jsonb #> '{data,pack,watch}' AS watch,
  body::jsonb #> '{data,pack,programme,settings}' AS settings
FROM event WHERE type = 'portal.programme.loaded' AND source = 'portal' AND leaf_index < :high ORDER BY leaf_index
""")
_PLACE = text("SELECT next_leaf FROM watch_place WHERE id = 1 FOR UPDATE")
_MOVE = text("""
INSERT INTO watch_place (id, next_leaf) VALUES (1, :next)
ON CONFLICT (id) DO UPDATE SET next_leaf = excluded.next_leaf
""")


def place(connection: Connection) -> int:
    """Return the leaf at which the watch goes on, and hold it until the end of the transaction."""
    return int(connection.execute(_PLACE).scalar() or 0)


def move(connection: Connection, following: int) -> None:
    """Keep where the watch goes on."""
    connection.execute(_MOVE, {"next": following})


def first_since(connection: Connection, moment: datetime) -> int:
    """Return the first leaf that was recorded at that moment or later."""
    return int(connection.execute(_FIRST_SINCE, {"moment": moment}).scalar_one())


def stretch(connection: Connection, low: int, high: int) -> list[Act]:
    """Return the acts among the leaves [low, high) that rules can be about."""
    return _acts(connection.execute(_STRETCH, {"low": low, "high": high, "telling": sorted(TELLING)}))


def of_things(
    connection: Connection, things: Iterable[Thing], types: Iterable[str], high: int
) -> Mapping[Thing, list[Act]]:
    """Return what was done about things before a leaf, as far as it is of these types."""
    asked = sorted(set(things))
    found: dict[Thing, list[Act]] = defaultdict(list)
    if asked:
        facts: dict[str, Any] = {"sources": [item[0] for item in asked], "entities": [item[1] for item in asked]}
        facts |= {"types": sorted(types), "high": high, "telling": sorted(TELLING)}
        for act in _acts(connection.execute(_THINGS, facts)):
            found[act.source, act.entity].append(act)
    return found


def before(
    connection: Connection, actors: Iterable[str], since: datetime, low: int, high: int, *, exports: bool
) -> Mapping[str, list[Act]]:
    """Return what people did since a moment, among the leaves [low, high): their exports alone, or everything."""
    found: dict[str, list[Act]] = defaultdict(list)
    asked = sorted(set(actors))
    if asked and low < high:
        facts = {"actors": asked, "low": low, "high": high, "since": since, "telling": sorted(TELLING)}
        for act in _acts(connection.execute(_EXPORTS if exports else _BEFORE, facts)):
            found[act.actor].append(act)
    return found


class Packs:
    """The terms of programmes as they were at every leaf."""

    def __init__(self, connection: Connection, high: int, zone: str) -> None:
        self.house = Terms(zone=zone)
        self._terms: dict[str, list[tuple[int, Terms]]] = defaultdict(list)
        for row in connection.execute(_PACKS, {"high": high}):
            given = row.settings if isinstance(row.settings, dict) else {}
            rules, country = watch_rules_of(row.watch), given.get("country")
            own = Terms(rules, str(given.get("timezone") or zone), country, row.programme)
            self._terms[row.programme].append((row.leaf_index, own))

    def at(self, programme: str | None, leaf: int) -> Terms:
        """Return the terms of a programme that were in force when a leaf was made; the house's without one."""
        known = [terms for since, terms in self._terms.get(programme or "", ()) if since < leaf]
        return known[-1] if known else self.house


def _acts(rows: Iterable[Any]) -> list[Act]:
    return [_act(row) for row in rows]


def _act(row: Any) -> Act:
    body = json.loads(row.body) if row.body else {}
    return Act(
        leaf=row.leaf_index,
        id=row.event_id,
        source=row.source,
        type=row.type,
        entity=row.entity,
        at=row.occurred_at,
        recorded_at=row.recorded_at,
        actor=row.actor_id,
        role=row.role,
        organisation=row.organisation,
        on_behalf_of=row.on_behalf_of,
        programme=row.programme,
        case=row.case,
        outcome=row.outcome,
        correlation=row.correlation_id,
        data=body.get("data") or {},
        changes=body.get("changes") or {},
        parties=body.get("parties") or {},
    )
