"""Whether the newest events have reached everybody they are for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Engine, text

from services.cards import consumers
from shared.database import engine_for, reading
from shared.messaging.topology import binds
from shared.settings import SERVICES, Settings

NEWEST = 200  # events of each source that are looked at: enough to know that everything moves


def unaccounted(engines: Mapping[str, Engine], consuming: Mapping[str, tuple[str, ...]]) -> int:
    """Return how many of the newest events were not published, or not handled by somebody they are for."""
    waiting = 0
    newest: dict[UUID, str] = {}
    for engine in engines.values():
        with reading(engine) as connection:
            unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND not_before IS NULL"
            waiting += connection.execute(text(unpublished)).scalar_one()
            rows = connection.execute(
                text("SELECT id, type FROM outbox WHERE published_at IS NOT NULL ORDER BY row DESC LIMIT :limit"),
                {"limit": NEWEST},
            )
            newest |= {row.id: row.type for row in rows}
    for consumer, keys in consuming.items():
        meant = [event for event, kind in newest.items() if any(binds(key, kind) for key in keys)]
        if not meant:
            continue
        with reading(engines[consumer]) as connection:
            known = text(
                "SELECT event_id FROM inbox WHERE event_id = ANY(:ids)"
                " UNION SELECT event_id FROM quarantine WHERE event_id = ANY(:ids)"
            )
            waiting += len(set(meant) - set(connection.execute(known, {"ids": meant}).scalars()))
    return waiting


def settle(settings: Settings, seconds: float) -> int:
    """Wait until nothing is unaccounted for, at most `seconds`; returns what is left."""
    engines = {service: engine_for(settings.database_url(service), pool_size=1) for service in SERVICES}
    deadline = time.monotonic() + seconds
    try:
        while (left := unaccounted(engines, consumers())) and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        for engine in engines.values():
            engine.dispose()
    return left
