"""How long an act took to be handled everywhere, and where it stands in the audit log: read from the databases."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from services.demo.stage import Act
from shared.database import reading
from shared.messaging.topology import Topology, binds

# The acts of a request itself; what other services did because of it has a causation.
_EVENTS = text(
    "SELECT id, type, correlation_id, recorded_at FROM outbox"
    " WHERE correlation_id = ANY(:ids) AND causation_id IS NULL ORDER BY row"
)


@dataclass(frozen=True)
class Handled:
    """One event of an act: its type, milliseconds until the last of its consumers had handled it, its leaf."""

    correlation_id: UUID
    event_id: UUID
    type: str
    milliseconds: float
    leaf_index: int
    by_consumer: dict[str, float]


class NotHandledError(RuntimeError):
    """Some event was not handled by all its consumers in time."""


class Measurer:
    """Looks acts up in the services' databases. `consumers` is {service: its bindings}."""

    def __init__(self, engines: Mapping[str, Engine], consumers: Mapping[str, tuple[str, ...]]) -> None:
        self.engines, self.topology = engines, Topology.of(consumers)

    def wait(self, acts: Sequence[Act], *, seconds: float = 20) -> list[Handled]:
        """Return every event of `acts`, waiting until all consumers have handled all; raises NotHandledError."""
        deadline = time.monotonic() + seconds
        while True:
            found, missing = self._look([act.correlation_id for act in acts])
            if not missing:
                return found
            if time.monotonic() > deadline:
                raise NotHandledError("not handled in time: " + ", ".join(sorted(missing)[:10]))
            time.sleep(0.1)

    def _look(self, ids: list[UUID]) -> tuple[list[Handled], set[str]]:
        events = [row for engine in self.engines.values() for row in _rows(engine, _EVENTS, ids=ids)]
        wanted = [row["id"] for row in events]
        handled = {
            service: {row["event_id"]: row["handled_at"] for row in self._inbox(service, wanted)}
            for service in self.topology.queues
        }
        leaves = {row["event_id"]: row["leaf_index"] for row in self._leaves(wanted)}
        found, missing = [], set()
        for row in events:
            consumers = self._consumers(row["type"])
            late = {name for name in consumers if row["id"] not in handled[name]}
            if late or row["id"] not in leaves:
                missing |= {f"{row['type']} by {name}" for name in late or {"audit"}}
                continue
            taken = {n: (handled[n][row["id"]] - row["recorded_at"]).total_seconds() * 1000 for n in consumers}
            found.append(
                Handled(row["correlation_id"], row["id"], row["type"], max(taken.values()), leaves[row["id"]], taken)
            )
        return found, missing

    def _consumers(self, event_type: str) -> set[str]:
        return {queue for queue, pattern in self.topology.bindings if binds(pattern, event_type)}

    def _inbox(self, service: str, ids: list[UUID]) -> list[Any]:
        query = text("SELECT event_id, handled_at FROM inbox WHERE consumer = :consumer AND event_id = ANY(:ids)")
        return _rows(self.engines[service], query, consumer=service, ids=ids)

    def _leaves(self, ids: list[UUID]) -> list[Any]:
        return _rows(
            self.engines["audit"], text("SELECT event_id, leaf_index FROM event WHERE event_id = ANY(:ids)"), ids=ids
        )


def _rows(engine: Engine, query: Any, **values: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(query, values).mappings())
