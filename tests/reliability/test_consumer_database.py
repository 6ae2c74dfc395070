"""A worker whose database is away: it waits, acks nothing, and comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hands import first_handled, in_work
from sqlalchemy import Engine, text

from shared.testing.backbone import Backbone, consumer_database, eventually
from shared.testing.node import PrivateDatabase
from shared.testing.scenario import Scenario
from shared.testing.stand import Stand

FIRST_HANDLED = 5.0  # seconds after the database is back


@pytest.fixture
def two_databases(stand: Stand, private_database: PrivateDatabase) -> Iterator[tuple[Engine, Engine]]:
    """Give the publishing service's database, and the consumer's on a server that may be stopped."""
    own = Stand(private_database.admin_url)
    with consumer_database(stand) as source, consumer_database(own) as consumer:
        yield source, consumer


def test_database_down_pauses_not_crashes(
    backbone: Backbone, scenario: Scenario, private_database: PrivateDatabase
) -> None:
    """Sessions ended in the middle of a handler, then the server stopped: nothing is acked, all is handled later."""
    with backbone.relaying(), backbone.working() as worker:
        backbone.commit("a", "ok", "slow:0.5", "ok")
        eventually(lambda: in_work(backbone))
        with backbone.consumer.connect() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'tamga'"
            end = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}"  # noqa: S608 - ours
            assert connection.execute(text(end)).scalar_one() >= 1
        scenario.settle()
        before = len(backbone.effects())
        private_database.stop()
        for number in range(scenario.many(40)):
            backbone.commit(f"e{number % 8}")
        eventually(lambda: not backbone.unpublished() and not backbone.depth().messages)
        time.sleep(1.5)
        assert worker.poll() is None
        private_database.start()
        scenario.fault_over()
        first = first_handled(backbone, before)
        scenario.settle()
    assert backbone.count("SELECT count(*) FROM quarantine") == 0
    scenario.note(first_handled=first)
    assert first <= FIRST_HANDLED
