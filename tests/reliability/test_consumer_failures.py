"""Handlers that fail, for now or for good, and messages that nobody can read: kept with the reason, in nobody's way."""

from __future__ import annotations

import statistics
import time

import pytest
from hands import RUBBISH, nobody_left, send, send_rubbish
from sqlalchemy import text

from shared.database import UnitOfWork
from shared.events import Envelope
from shared.messaging import inbox
from shared.messaging.inbox import Outcome
from shared.messaging.wire import Raw
from shared.testing.backbone import CONSUMER, TYPE, Backbone, effect, event_of, eventually
from shared.testing.clock import StandingClock
from shared.testing.scenario import Scenario

PATIENCE = (1, 5, 30, 120, 600)  # seconds, as the operator's guide has them


def _wants_its_row(uow: UnitOfWork, envelope: Envelope) -> None:
    effect(uow.connection, envelope)
    uow.connection.execute(text("SELECT FROM account WHERE id = :id FOR UPDATE NOWAIT"), {"id": envelope.entity})


def _receive(backbone: Backbone, clock: StandingClock) -> list[Outcome]:
    raws = [Raw(dict(taken.headers), bytes(taken.body)) for taken in backbone.take(1)]
    return [inbox.receive(backbone.consumer, CONSUMER, {TYPE: _wants_its_row}, raw, clock=clock) for raw in raws]


def _delays(backbone: Backbone, clock: StandingClock) -> list[float]:
    """Let time pass up to each next attempt of a parked event; returns how long each took, to the millisecond."""
    delays: list[float] = []
    due = text("SELECT min(not_before) FROM inbox_parked")
    while True:
        with backbone.consumer.connect() as connection:
            next_attempt = connection.execute(due).scalar_one()
        if next_attempt is None:
            return delays
        wait = (next_attempt - clock()).total_seconds()
        clock.forward(wait - 0.001)
        assert inbox.sweep(backbone.consumer, CONSUMER, {TYPE: _wants_its_row}, clock=clock) == 0
        clock.forward(0.001)
        assert inbox.sweep(backbone.consumer, CONSUMER, {TYPE: _wants_its_row}, clock=clock) == 1
        delays.append(wait)


def test_transient_error_backs_off(backbone: Backbone, scenario: Scenario) -> None:
    """A row that stays locked: attempts after 1, 5, 30, 120 and 600 s, then quarantine; freed, the next succeeds."""
    clock = StandingClock()
    with backbone.consumer.begin() as connection:
        connection.execute(text("CREATE TABLE account AS SELECT unnest(ARRAY['user:a', 'user:b']) AS id"))
    scenario.sent(send(backbone, event_of("a", 1)))
    with backbone.consumer.connect() as holder:
        holder.execute(text("SELECT FROM account FOR UPDATE"))
        assert _receive(backbone, clock) == [Outcome.PARKED]
        assert _delays(backbone, clock) == list(PATIENCE)
        scenario.sent(send(backbone, event_of("b", 1)))
        assert _receive(backbone, clock) == [Outcome.PARKED]
        holder.rollback()
    assert _delays(backbone, clock) == [PATIENCE[0]]
    with backbone.consumer.begin() as connection:
        connection.execute(text("DROP TABLE account"))
    assert [entity for _, entity, _ in backbone.effects()] == ["user:b"]
    assert backbone.count("SELECT attempts FROM quarantine WHERE error LIKE '%LockNotAvailable%'") == len(PATIENCE) + 1
    scenario.expects(quarantined=1)
    scenario.note(delays=" ".join(f"{seconds}s" for seconds in PATIENCE))


def test_poison_goes_to_quarantine_once(backbone: Backbone, scenario: Scenario) -> None:
    """Two processes, one poisoned event sent six times: three attempts, one row with its bytes and its traceback."""
    poison, follower = event_of("a", 1, "poison"), event_of("a", 2)
    scenario.expects(quarantined=1, parked=1)
    with backbone.working(patience=(0.2, 0.2)), backbone.working(patience=(0.2, 0.2)):
        scenario.sent(send(backbone, poison, times=3))
        scenario.sent(send(backbone, follower))
        scenario.settle()
    scenario.sent(send(backbone, poison, times=3))
    scenario.sent(send(backbone, event_of("last", 1)))  # handled after all that came before it
    with backbone.working(patience=(0.2, 0.2)):
        scenario.settle()
    assert nobody_left(backbone) == 0
    with backbone.consumer.connect() as connection:
        [row] = connection.execute(text("SELECT * FROM quarantine")).mappings().all()
    assert (row["event_id"], row["attempts"], row["state"]) == (poison.id, 3, "held")
    assert bytes(row["body"]) == poison.body.model_dump_json().encode()
    assert row["headers"]["cloudEvents_subject"] == "user:a"
    assert row["fingerprint"] == "ValueError shared/testing/behaviour.py:behave"
    assert "ValueError: this event is poison" in row["traceback"]


def _latencies(backbone: Backbone) -> dict[str, list[float]]:
    """Return, by the kind of entity, how many milliseconds each effect came after its commit."""
    with backbone.source.connect() as connection:
        rows = connection.execute(text("SELECT id, recorded_at FROM outbox"))
        recorded = {row.id: row.recorded_at for row in rows}
    found: dict[str, list[float]] = {}
    with backbone.consumer.connect() as connection:
        for event_id, entity, at in connection.execute(text("SELECT event_id, entity, at FROM effect")):
            kind = entity.removeprefix("user:").rstrip("0123456789")
            found.setdefault(kind, []).append((at - recorded[event_id]).total_seconds() * 1000)
    return found


def _traffic(backbone: Backbone, kind: str, events: int) -> None:
    for number in range(events):
        backbone.commit(f"{kind}{number % 20}")
        time.sleep(0.005)
    eventually(lambda: len(_latencies(backbone).get(kind, ())) == events)


def test_poison_does_not_block_others(backbone: Backbone, scenario: Scenario) -> None:
    """While a poisoned event waits for its next attempt, all others are handled as they were recorded, none later."""
    events = scenario.many(150)
    scenario.expects(parked=2)
    with backbone.relaying(), backbone.working(patience=(3600, 3600)):
        _traffic(backbone, "warm", 20)
        _traffic(backbone, "before", events)
        backbone.commit("poisoned", "poison", "ok")
        _traffic(backbone, "during", events)
        scenario.settle()
    assert nobody_left(backbone) == 0
    with backbone.source.connect() as connection:
        recorded = connection.execute(text("SELECT id FROM outbox WHERE entity <> 'user:poisoned' ORDER BY row"))
        assert [event_id for event_id, _, _ in backbone.effects()] == list(recorded.scalars())
    assert backbone.count("SELECT count(*) FROM inbox_parked WHERE entity <> 'portal/user:poisoned'") == 0
    latencies = _latencies(backbone)
    for name, kind in (("without", "before"), ("with", "during")):
        p50, p99 = statistics.median(latencies[kind]), statistics.quantiles(latencies[kind], n=100)[-1]
        scenario.note(**{f"p50_{name}": f"{p50:.1f}ms", f"p99_{name}": f"{p99:.1f}ms"})


@pytest.mark.parametrize("role", ["worker", "batch"])
def test_undecodable_body_is_quarantined(backbone: Backbone, scenario: Scenario, role: str) -> None:
    """Nine kinds of rubbish between events: each kept byte by byte in one row, though sent twice; all events pass."""
    scenario.expects(quarantined=len(RUBBISH))
    with backbone.working(role) as worker:
        for number, (body, properties) in enumerate(RUBBISH):
            for _ in range(2):
                send_rubbish(backbone, body, **properties)
            scenario.sent(send(backbone, event_of(f"e{number}", 1)))
        scenario.settle()
        assert worker.poll() is None
    assert nobody_left(backbone) == 0
    with backbone.consumer.connect() as connection:
        kept = connection.execute(text("SELECT body FROM quarantine WHERE error LIKE 'UnreadableError: %'")).scalars()
        assert sorted(map(bytes, kept)) == sorted(body for body, _ in RUBBISH)


def test_deadlock_is_retried(backbone: Backbone, scenario: Scenario) -> None:
    """Two workers' handlers wait for each other's lock: PostgreSQL ends one, its event is put off and then handled."""
    with backbone.working(patience=(0.5,) * 5), backbone.working(patience=(0.5,) * 5):
        eventually(lambda: backbone.depth().consumers == 2)
        scenario.sent(send(backbone, event_of("a", 1, "lock:1,2"), event_of("b", 1, "lock:2,1")))
        ended = "SELECT count(*) FROM inbox_parked WHERE last_error LIKE '%DeadlockDetected%'"
        eventually(lambda: backbone.count(ended) == 1)
        scenario.fault_over()
        scenario.settle()
    assert nobody_left(backbone) == 0
    assert backbone.count("SELECT count(*) FROM quarantine") == 0
