"""What one batch of the relay costs the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from shared.database import service_metadata
from shared.messaging import relay
from shared.messaging.relay import Relay
from shared.testing.stand import Stand

BACKLOG = """
INSERT INTO outbox (id, type, version, entity, sequence, "time", correlation_id, outcome, body)
SELECT gen_random_uuid(), 'portal.user.deactivated', 1, 'user:' || number % 7, number, now(), gen_random_uuid(),
       'success', '{}'
FROM generate_series(1, 8000) AS number
"""


@pytest.fixture
def outbox(stand: Stand) -> Iterator[Engine]:
    """Give a database with the messaging tables, of which the planner has no statistics."""
    with stand.empty_database() as engine:
        service_metadata(consumes=False).create_all(engine)
        yield engine


def looked_at(plan: dict[str, Any]) -> int:
    """Return how many rows the nodes of a plan took into their hands, whether they kept them or not."""
    removed = [count for name, count in plan.items() if name.startswith("Rows Removed")]
    own = (plan["Actual Rows"] + sum(removed)) * plan["Actual Loops"]
    return int(own) + sum(looked_at(below) for below in plan.get("Plans", []))


@pytest.mark.parametrize("known", [False, True])
def test_a_batch_costs_the_same_however_much_waits(outbox: Engine, known: bool) -> None:
    """Neither the choice nor the mark reads the backlog, whether its statistics say that nothing waits or nothing."""
    leader = Relay("portal", outbox.url.render_as_string(hide_password=False), "amqp://nowhere")
    with leader._session() as db:
        if known:  # as of a time when all was published
            db.execute(BACKLOG.encode())
            db.execute("UPDATE outbox SET published_at = now()")
            db.execute("ANALYZE outbox")
            db.execute("DELETE FROM outbox")
        db.execute(BACKLOG.encode())
        leader._measure(db)
        window = leader._window | {"source": "portal", "limit": 100}
        rows = db.execute(relay._NEXT, window).fetchall()
        mark = window | {"rows": [row["row"] for row in rows], "positions": [row["position"] for row in rows]}
        for statement, limit in ((relay._MARK, 500), (relay._NEXT, 1500)):
            found = db.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), mark).fetchone()
            assert found is not None
            assert looked_at(found["QUERY PLAN"][0]["Plan"]) < limit, statement
    with outbox.connect() as connection:
        marked = text("SELECT count(*), min(position), max(position) FROM outbox WHERE published_at IS NOT NULL")
        assert tuple(connection.execute(marked).one()) == (100, 1, 100)
