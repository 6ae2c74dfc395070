"""Producer, scenarios 4, 5, 8 and 9: the broker is stopped, killed, or out of memory and disk; on one of our own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from shared.testing.backbone import Backbone, backbone_on, eventually
from shared.testing.node import PrivateBroker
from shared.testing.scenario import Scenario

FIRST_THROUGH = 5.0  # seconds after a broker is up again
BATCH = 3  # so that a backlog is many batches, and the broker goes in the midst of them
SLOWEST_COMMIT = 1.0  # seconds; a commit knows nothing of the broker


@pytest.fixture
def backbone(private_broker: PrivateBroker, two_databases: tuple[Engine, Engine]) -> Iterator[Backbone]:
    """Give a backbone on the broker of our own, whatever state a test leaves it in."""
    with backbone_on(private_broker.amqp_url, *two_databases) as parts:
        yield parts
        private_broker.calm()


def _commit(backbone: Backbone, acts: int) -> float:
    """Commit acts of two events each; returns the seconds of the slowest."""
    slowest = 0.0
    for number in range(acts):
        began = time.monotonic()
        backbone.commit(f"e{number % 5}", "ok", "ok")
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def _unpublished(backbone: Backbone) -> list[UUID]:
    with backbone.source.connect() as connection:
        return list(connection.execute(text("SELECT id FROM outbox WHERE published_at IS NULL ORDER BY row")).scalars())


def _first_through(backbone: Backbone, waiting: list[UUID]) -> float:
    """Wait for the first effect of an event that was not published when the broker went; returns the seconds."""
    began = time.monotonic()
    eventually(lambda: not {event_id for event_id, _, _ in backbone.effects()}.isdisjoint(waiting))
    return time.monotonic() - began


def test_broker_down_while_committing(scenario: Scenario, private_broker: PrivateBroker) -> None:
    """While the broker is stopped acts commit as always; when it is back relay and worker return by themselves."""
    backbone, acts = scenario.backbone, scenario.many(50)
    with backbone.relaying() as relay, backbone.working() as worker:
        _commit(backbone, 5)
        scenario.settle()
        private_broker.stop()
        slowest = _commit(backbone, acts)
        eventually(lambda: relay.state == "broker away")
        waiting = _unpublished(backbone)
        assert len(waiting) == 2 * acts
        private_broker.start()
        scenario.fault_over()
        first = _first_through(backbone, waiting)
        scenario.settle()
        assert worker.poll() is None
    scenario.note(slowest_commit=slowest, first_through=first)
    assert slowest <= SLOWEST_COMMIT
    assert first <= FIRST_THROUGH


@contextmanager
def _traffic(backbone: Backbone) -> Iterator[None]:
    """Commit an event every few milliseconds until the block ends."""
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.wait(0.02):
            backbone.commit(f"e{number % 9}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_broker_restart_during_batch(scenario: Scenario, private_broker: PrivateBroker) -> None:
    """A broker killed in the midst of traffic and started again: the first event is through within five seconds."""
    backbone = scenario.backbone
    for number in range(scenario.many(20)):
        backbone.commit(f"e{number % 9}", *["ok"] * 20)
    backlog = backbone.unpublished()
    time.sleep(3)  # until then the broker itself may forget a queue that is new
    with backbone.relaying(batch=BATCH) as relay, backbone.working() as worker:
        with _traffic(backbone):
            eventually(lambda: backbone.unpublished() < backlog - 40)
            private_broker.kill()
            relay.batch = 500
            waiting = eventually(lambda: _unpublished(backbone)[BATCH:])  # the broker may have those of the last batch
            private_broker.start()
            scenario.fault_over()
            first = _first_through(backbone, waiting)
        scenario.settle(60)
        assert worker.poll() is None
    scenario.note(first_through=first)
    assert first <= FIRST_THROUGH


def test_memory_alarm_blocks_then_resumes(scenario: Scenario, private_broker: PrivateBroker) -> None:
    """A broker whose memory is really full blocks the relay, which says so and waits; then everything goes out."""
    backbone, acts = scenario.backbone, scenario.many(20)
    with backbone.relaying() as relay, backbone.working():
        _commit(backbone, 5)
        scenario.settle()
        private_broker.fill_memory()
        slowest = _commit(backbone, acts)
        eventually(lambda: relay.state == "blocked")
        waiting = backbone.unpublished()
        time.sleep(1)
        assert (relay.state, backbone.unpublished()) == ("blocked", waiting)
        assert waiting > 0
        private_broker.free_memory()
        scenario.fault_over()
        scenario.settle()
    scenario.note(slowest_commit=slowest)
    assert slowest <= SLOWEST_COMMIT


def test_disk_alarm_blocks_then_resumes(scenario: Scenario, private_broker: PrivateBroker) -> None:
    """A broker short of disk blocks the relay, which can be ended meanwhile; the next one sends what waited."""
    backbone, acts = scenario.backbone, scenario.many(20)
    with backbone.working():
        with backbone.relaying() as relay:
            _commit(backbone, 5)
            scenario.settle()
            private_broker.disk_alarm()
            _commit(backbone, acts)
            eventually(lambda: relay.state == "blocked")
            assert backbone.unpublished() > 0
            asked = time.monotonic()
        ended = time.monotonic() - asked
        with backbone.relaying() as relay:
            eventually(lambda: relay.state == "blocked")
            private_broker.no_alarm()
            scenario.fault_over()
            scenario.settle()
    scenario.note(ended_while_blocked=ended)
    assert relay.state == "stopped"
