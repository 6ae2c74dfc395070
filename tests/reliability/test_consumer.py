"""The consumer's side: a nameko worker in a process of its own, on a real broker, killed and cut off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import amqp
import pytest
from sqlalchemy.engine import make_url

from shared.messaging import topology
from shared.messaging.link import channel_of
from shared.messaging.wire import encode
from shared.testing.backbone import Backbone, event_of, eventually
from shared.testing.proxy import Proxy, proxy_to


def _send(
    backbone: Backbone, *, times: int = 1, body: bytes | None = None, entity: str = "a", reason: str = "ok"
) -> None:
    raw = encode(event_of(entity, 1, reason))
    with channel_of(backbone.amqp_url) as channel:
        for _ in range(times):
            message = amqp.Message(
                raw.body if body is None else body,
                application_headers=raw.headers if body is None else {},
                message_id=raw.message_id,
                content_type="application/json",
                delivery_mode=2,
            )
            channel.basic_publish(message, exchange=backbone.exchange, routing_key="portal.user.deactivated")


def _through(url: str, line: Proxy) -> str:
    return make_url(url).set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)


def _began(backbone: Backbone) -> bool:
    """Say whether a handler is in the middle of its transaction."""
    busy = "SELECT count(*) FROM pg_locks WHERE relation = 'inbox'::regclass AND mode = 'RowExclusiveLock'"
    return backbone.count(busy) > 0


def test_ordinary_traffic_is_handled_once_and_in_order_without_parking(backbone: Backbone) -> None:
    """Two hundred events of five entities through relay and worker: one effect each, per entity in order."""
    with backbone.relaying(), backbone.working():
        for number in range(200):
            backbone.commit(f"e{number % 5}")
        eventually(lambda: len(backbone.effects()) == 200, seconds=30)
    seen: dict[str, int] = {}
    for _, entity, sequence in backbone.effects():
        assert sequence == seen.get(entity, 0) + 1
        seen[entity] = sequence
    assert backbone.depth().messages == 0
    assert backbone.count("SELECT count(*) FROM inbox_parked") == 0


def test_one_event_delivered_three_times_has_one_effect(backbone: Backbone) -> None:
    """Three deliveries through the broker are all acked and have one effect."""
    _send(backbone, times=3)
    with backbone.working():
        eventually(lambda: backbone.effects() and backbone.depth().messages == 0)
    assert len(backbone.effects()) == 1
    assert backbone.depth().messages == 0


def test_an_undecodable_body_is_quarantined_and_the_next_message_handled(backbone: Backbone) -> None:
    """Rubbish is kept whole and acked; what comes after it is handled."""
    _send(backbone, body=b"{not json")
    _send(backbone, entity="b")
    with backbone.working():
        eventually(backbone.effects)
        eventually(lambda: backbone.count("SELECT count(*) FROM quarantine WHERE body = '{not json'::bytea"))
    assert backbone.depth().messages == 0


def test_sigterm_in_the_middle_of_a_handler_finishes_and_acks(backbone: Backbone) -> None:
    """The worker ends only after the running handler's ack: the queue is empty, the effect there once."""
    _send(backbone, reason="slow:1.5")
    with backbone.working() as worker:
        eventually(lambda: _began(backbone))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0
    assert len(backbone.effects()) == 1
    assert backbone.depth().messages == 0


def test_a_handler_that_outlives_the_drain_deadline_is_delivered_again(backbone: Backbone) -> None:
    """After the deadline the process ends without an ack and without an effect: the message is still there."""
    _send(backbone, reason="slow:20")
    with backbone.working(drain=0.5) as worker:
        eventually(lambda: _began(backbone))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=15) == 1
    eventually(lambda: backbone.depth().messages == 1)
    assert backbone.effects() == []


def test_sigkill_in_the_middle_of_a_handler_leaves_one_effect_after_restart(backbone: Backbone) -> None:
    """A worker that dies before its commit leaves nothing; the next one gets the message again."""
    _send(backbone, reason="slow:1")
    with backbone.working() as worker:
        eventually(lambda: _began(backbone))
        worker.kill()
        worker.wait(timeout=5)
    assert backbone.effects() == []
    with backbone.working():
        eventually(backbone.effects)
    assert len(backbone.effects()) == 1
    assert backbone.depth().messages == 0


def test_a_line_cut_in_the_middle_of_a_handler_has_one_effect(backbone: Backbone) -> None:
    """The broker delivers again while the first handler still runs: the duplicate waits for it and is acked."""
    parsed = make_url(backbone.amqp_url)
    with proxy_to(parsed.host or "", parsed.port or 5672) as line:
        _send(backbone, reason="slow:2")
        with backbone.working(amqp_url=_through(backbone.amqp_url, line)):
            eventually(lambda: _began(backbone))
            line.cut()
            eventually(backbone.effects)
            eventually(lambda: backbone.depth().consumers == 1)
            _send(backbone, entity="b")
            eventually(lambda: len(backbone.effects()) == 2)
    assert backbone.depth().messages == 0


def test_a_database_that_is_away_pauses_the_consumer_which_then_goes_on(backbone: Backbone) -> None:
    """Without its database the worker acks nothing and stays alive; when it is back the messages are handled."""
    parsed = backbone.consumer.url
    with proxy_to(parsed.host or "", parsed.port or 5432) as line:
        url = _through(parsed.render_as_string(hide_password=False), line)
        with backbone.working(consumer_url=url) as worker:
            _send(backbone)
            eventually(lambda: len(backbone.effects()) == 1)
            line.cut(refuse=True)
            for entity in "bcd":
                _send(backbone, entity=entity)
            time.sleep(1.5)
            assert worker.poll() is None
            assert len(backbone.effects()) == 1
            line.heal()
            eventually(lambda: len(backbone.effects()) == 4)
    assert backbone.depth().messages == 0
    assert backbone.count("SELECT count(*) FROM quarantine") == 0


def test_a_poisoned_event_does_not_hold_up_the_others(backbone: Backbone) -> None:
    """While one event is retried and its follower waits, other entities' events are handled at once."""
    with backbone.relaying(), backbone.working():
        backbone.commit("a", "poison", "ok")
        backbone.commit("b")
        eventually(lambda: [entity for _, entity, _ in backbone.effects()] == ["user:b"])
        eventually(lambda: backbone.count("SELECT count(*) FROM inbox_parked") == 2)
    assert backbone.depth().messages == 0


def test_the_batch_consumer_takes_each_event_once_and_isolates_poison(backbone: Backbone) -> None:
    """Sixty events and a poisoned one in batches: sixty effects, one row in quarantine, everything acked."""
    for number in range(60):
        backbone.commit(f"e{number}", "poison" if number == 30 else "ok")
    _send(backbone, entity="twice", times=3)
    with backbone.relaying(), backbone.working("batch"):
        eventually(lambda: len(backbone.effects()) == 60)
        eventually(lambda: backbone.count("SELECT count(*) FROM quarantine") == 1)
        eventually(lambda: backbone.unpublished() == 0)
    assert backbone.depth().messages == 0
    assert len({event_id for event_id, _, _ in backbone.effects()}) == 60


def test_a_missing_queue_ends_the_worker_at_once(backbone: Backbone) -> None:
    """A worker whose queue nobody declared does not wait in silence: its process ends with an error."""
    worker = backbone.process("worker", queue="no-such-queue")
    assert worker.wait(timeout=20) == 1


def test_a_queue_of_the_wrong_type_fails_fast(backbone: Backbone) -> None:
    """Where a classic queue has the name already, applying the topology says so instead of going on with it."""
    name = f"{backbone.queue}-classic"
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_declare(name, durable=True, auto_delete=False)
    try:
        with pytest.raises(amqp.PreconditionFailed, match="inequivalent arg"):
            topology.apply(backbone.amqp_url, {name: ("portal.user.#",)}, exchange=backbone.exchange)
    finally:
        with channel_of(backbone.amqp_url) as channel:
            channel.queue_delete(name)


def test_what_is_declared_is_found_and_what_is_missing_is_named(backbone: Backbone) -> None:
    """The passive check is silent about what is there and names a queue that is not."""
    assert topology.depths(backbone.amqp_url, [backbone.queue, "no-such-queue"]).keys() == {backbone.queue}
    missing = topology.check(backbone.amqp_url, {backbone.queue: ("#",), "no-such-queue": ("#",)})
    assert "queue no-such-queue" in missing
    assert f"queue {backbone.queue}" not in missing


def test_database_calls_of_greenlets_run_side_by_side(backbone: Backbone) -> None:
    """Five waits of half a second in PostgreSQL take together about half a second, so psycopg is cooperative."""
    script = """
import shared.messaging.green
import sys, time, eventlet
from sqlalchemy import text
from shared.database import engine_for
engine = engine_for(sys.argv[1])
def wait(_):
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(0.5)"))
began = time.monotonic()
list(eventlet.GreenPool(5).imap(wait, range(5)))
sys.exit(0 if time.monotonic() - began < 1.5 else 1)
"""
    url = backbone.consumer.url.render_as_string(hide_password=False)
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", script, url], cwd=root, check=False).returncode == 0


def test_green_refuses_to_come_too_late() -> None:
    """Patching after psycopg was imported would leave every wait blocking, so it is an error."""
    script = "import psycopg, shared.messaging.green"
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", script], cwd=root, check=False, capture_output=True, text=True)
    assert "must be imported before anything else" in ended.stderr
