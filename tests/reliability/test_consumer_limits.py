"""What a consumer stands: any number of waiting events and of kills, a queue that is gone or of the wrong kind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import amqp
import pytest
from hands import asking, in_work, nobody_left, send

from shared.messaging import relay as relaying
from shared.messaging import topology
from shared.messaging.backfill import send_again
from shared.messaging.link import channel_of
from shared.messaging.reconcile import reconcile
from shared.messaging.topology import DEAD_LETTERS
from shared.testing.backbone import CONSUMER, SOURCE, TYPE, Backbone, event_of, eventually
from shared.testing.messages import alarm_of
from shared.testing.nursery import Child
from shared.testing.scenario import Scenario

LONG = bool(os.environ.get("TAMGA_CHAOS_LONG"))
WAITING, FILLER = (200_000, 1_000) if LONG else (500, 80_000)  # events, and bytes in each
KILLS = 60 if LONG else 24  # RabbitMQ 4 gives a message up after 20 deliveries unless told otherwise


def _memory(worker: Child) -> float:
    """Return a process's resident memory in MB."""
    pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _fill(backbone: Backbone, scenario: Scenario, name: str, events: int, *, slow: int = 0) -> None:
    """Send events, the first `slow` of which take a second each."""
    for start in range(0, events, 1000):
        numbers = range(start, min(start + 1000, events))
        plain = [event_of(f"{name}{n}", 1, "slow:1" if n < slow else "ok") for n in numbers]
        bodies = [event.body.model_copy(update={"parties": {"filler": ["x" * FILLER]}}) for event in plain]
        filled = [event.model_copy(update={"body": body}) for event, body in zip(plain, bodies, strict=True)]
        scenario.sent(send(backbone, *filled))


@pytest.mark.timeout(900)
def test_slow_consumer_bounded_memory(backbone: Backbone, scenario: Scenario) -> None:
    """However many events wait for a slow handler, its process holds only a few: memory grows by less than 20 MB."""
    with backbone.working() as worker:
        _fill(backbone, scenario, "warm", 100)
        eventually(lambda: len(backbone.effects()) == 100)
        before = peak = _memory(worker)
        _fill(backbone, scenario, "e", WAITING, slow=3)
        deadline = time.monotonic() + 800
        while backbone.count("SELECT count(*) FROM effect") < WAITING + 100:
            peak = max(peak, _memory(worker))
            assert time.monotonic() < deadline
            time.sleep(0.05)
        scenario.settle()
    scenario.note(memory=f"+{peak - before:.1f}MB", waiting=WAITING, megabytes=WAITING * FILLER // 2**20)
    assert peak - before < 20


def test_delivery_limit_never_reached(backbone: Backbone, scenario: Scenario) -> None:
    """A worker killed again and again with the same events in its hands: none is given up by the broker."""
    with channel_of(backbone.amqp_url) as channel:
        dead = channel.queue_declare(DEAD_LETTERS, passive=True).message_count
    # All are slow, so that whichever come in one batch are still in work when the worker is killed.
    scenario.sent(send(backbone, *(event_of(f"e{number}", 1, "slow:2") for number in range(51))))
    for _ in range(KILLS):
        worker = backbone.worker()
        eventually(lambda: not backbone.depth().messages and in_work(backbone))
        worker.kill()
        worker.wait()
        assert nobody_left(backbone) == 51
    with channel_of(backbone.amqp_url) as channel:
        counted = channel.basic_get(backbone.queue).headers["x-delivery-count"]
    scenario.fault_over()
    with backbone.working(cured=True):
        scenario.settle()
    scenario.note(deliveries=counted + 1)
    assert counted >= KILLS
    with channel_of(backbone.amqp_url) as channel:
        assert channel.queue_declare(DEAD_LETTERS, passive=True).message_count == dead


def _unaccounted(backbone: Backbone) -> int:
    engines = {SOURCE: backbone.source, CONSUMER: backbone.consumer}
    return reconcile(engines, {CONSUMER: ("portal.user.#",)}, {CONSUMER: backbone.depth()}, grace=0).unaccounted


def test_queue_deleted_under_us(backbone: Backbone, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker ends with an error; with the queue declared again all events come, also those it took with it."""
    monkeypatch.setattr(relaying, "_HOLD", 0.3)
    monkeypatch.setenv("TAMGA_GAP_SECONDS", "0.3")
    with backbone.relaying(), asking(backbone):
        with backbone.working() as worker:
            backbone.commit("a", "ok", "slow:1.5", "ok")
            for entity in ("b", "c", "last"):
                backbone.commit(entity)
            eventually(lambda: in_work(backbone) and not backbone.unpublished())
            with channel_of(backbone.amqp_url) as channel:
                channel.queue_delete(backbone.queue)
            assert worker.wait(timeout=20) == 1
        taken = 6 - len(backbone.effects())
        backbone.commit("d")
        eventually(lambda: backbone.count("SELECT count(*) FROM outbox WHERE held_reason IS NOT NULL", at="source"))
        keys = ("portal.user.#", "*.backfill.#")
        topology.apply(backbone.amqp_url, {backbone.queue: keys}, exchange=backbone.exchange)
        scenario.fault_over()
        with backbone.working():
            for entity in "abc":  # the next act of each case shows what is missing before it, and that is asked for
                backbone.commit(entity)
            eventually(lambda: sum(entity.startswith("user:") for _, entity, _ in backbone.effects()) == 9)
            # Nothing follows the last one: the account names it, and its source sends it again.
            assert _unaccounted(backbone) == 1
            with backbone.source.begin() as connection:
                assert send_again(connection, alarm_of("last", 1, 1)) == (1, 0)
            scenario.settle()
    assert _unaccounted(backbone) == 0
    scenario.note(gone_with_the_queue=taken)


@contextmanager
def _classic(backbone: Backbone) -> Iterator[None]:
    """Have a classic queue, with an event in it, stand where the quorum queue should be."""
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_delete(backbone.queue)
        channel.queue_declare(backbone.queue, durable=True, auto_delete=False)
        channel.queue_bind(backbone.queue, backbone.exchange, TYPE)
    yield
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_delete(backbone.queue)


def test_wrong_queue_type_fails_fast(backbone: Backbone, scenario: Scenario) -> None:
    """A queue of the wrong type, or none at all, is an error at once that names it; nothing goes on in silence."""
    wanted = {backbone.queue: ("portal.user.#",)}
    with _classic(backbone):
        began = time.monotonic()
        with pytest.raises(amqp.PreconditionFailed, match=f"inequivalent arg .* for queue '{backbone.queue}'"):
            topology.apply(backbone.amqp_url, wanted, exchange=backbone.exchange)
        scenario.note(refused_after=f"{time.monotonic() - began:.2f}s")
    assert backbone.worker().wait(timeout=20) == 1
    topology.apply(backbone.amqp_url, wanted, exchange=backbone.exchange)
    with backbone.relaying(), backbone.working():
        backbone.commit("a", "ok", "ok")
        scenario.settle()
