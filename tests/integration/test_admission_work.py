"""What admitting events costs the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, TextClause, text

from shared.database import service_metadata
from shared.messaging import admission, inbox
from shared.messaging.wire import Received, encode
from shared.testing.backbone import CONSUMER, event_of
from shared.testing.stand import Stand
from tests.integration.test_relay_work import looked_at

HEADS = """
INSERT INTO inbox_head SELECT 'probe', 'portal/user:' || number, 1 FROM generate_series(1, 4000) AS number
"""
HELD = """
INSERT INTO quarantine (id, consumer, event_id, headers, body, error, traceback, fingerprint, attempts,
                        consumer_version, first_seen, last_seen, state)
SELECT gen_random_uuid(), 'probe', gen_random_uuid(), '{}', '', '', '', '', 1, '', now(), now(), 'held'
FROM generate_series(1, 4000)
"""


@pytest.fixture
def full(stand: Stand) -> Iterator[Engine]:
    """Give messaging tables with many heads and much in quarantine, of which the planner has no statistics."""
    with stand.empty_database() as engine:
        service_metadata(publishes=False).create_all(engine)
        with engine.begin() as connection:
            for statement in (HEADS, HELD):
                connection.execute(text(statement.replace("probe", CONSUMER)))
        yield engine


def _plan(connection: Connection, statement: TextClause, facts: dict[str, Any]) -> dict[str, Any]:
    explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}")
    plan: dict[str, Any] = connection.execute(explain, facts).scalar_one()[0]["Plan"]
    return plan


def test_admitting_costs_the_same_however_many_entities_are_known(full: Engine) -> None:
    """Eight events are admitted by looking at some dozen rows, not at every head or all that is in quarantine."""
    batch = [Received(event, encode(event)) for event in (event_of(str(number), 2) for number in range(1, 9))]
    facts = {name: [getattr(item.envelope, name) for item in batch] for name in admission._FIELDS}
    facts |= {"consumer": CONSUMER, "key": [item.key for item in batch], "keys": sorted(item.key for item in batch)}
    with full.begin() as connection:
        for statement in (inbox._LOCK_HEADS, admission._ADMIT_ALL):
            plan = _plan(connection, statement, facts)
            assert looked_at(plan) < 300, plan
        heads = text("SELECT count(*) FROM inbox_head WHERE last_sequence = 2")
        assert connection.execute(heads).scalar_one() == len(batch)
