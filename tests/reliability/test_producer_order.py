"""Producer, scenarios 10, 11, 14 and 15: what the broker refuses, what commits late, and who writes at once."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial

import pytest

from shared.database import Context, UnitOfWork, system
from shared.events.portal import UserDeactivated
from shared.messaging import relay as relaying
from shared.messaging.link import channel_of
from shared.testing.backbone import SOURCE, Backbone, eventually
from shared.testing.scenario import Scenario

HELD = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND held_reason LIKE "


def _applied(backbone: Backbone, events: int) -> bool:
    return len(backbone.effects()) == events


def test_unroutable_event_is_held_not_lost(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no queue is bound to comes back and is held with the reason; once there is a binding it goes out."""
    monkeypatch.setattr(relaying, "_HOLD", 0.5)
    backbone, entities = scenario.backbone, scenario.many(10)
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_unbind(backbone.queue, backbone.exchange, "portal.user.#")
        channel.queue_bind(backbone.queue, backbone.exchange, "portal.user.registered")
    for number in range(entities):
        backbone.commit(f"e{number}", "ok", "ok")
    with backbone.relaying(batch=7), backbone.working():
        eventually(lambda: backbone.count(HELD + "'%no queue is bound%'", at="source") >= entities)
        assert backbone.unpublished() == 2 * entities
        with channel_of(backbone.amqp_url) as channel:
            channel.queue_bind(backbone.queue, backbone.exchange, "portal.user.#")
        scenario.fault_over()
        scenario.settle()
    assert len(backbone.effects()) == 2 * entities


def test_nacked_by_full_queue(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a full queue refuses stays in the outbox with the reason, and goes out when a consumer has made room."""
    monkeypatch.setattr(relaying, "_HOLD", 0.3)
    backbone, events = scenario.backbone, scenario.many(60)
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_delete(backbone.queue)
        limited = {"x-queue-type": "quorum", "x-max-length": 5, "x-overflow": "reject-publish"}
        channel.queue_declare(backbone.queue, durable=True, auto_delete=False, arguments=limited)
        channel.queue_bind(backbone.queue, backbone.exchange, "portal.user.#")
    for number in range(events):
        backbone.commit(f"e{number % 8}")
    with backbone.relaying(batch=10):
        eventually(lambda: backbone.count(HELD + "'%refused%'", at="source") > 0)
        assert backbone.unpublished() > 0
        scenario.fault_over()
        with backbone.working():
            scenario.settle(60)
    assert len(backbone.effects()) == events


def test_long_transaction_does_not_hide_rows(scenario: Scenario) -> None:
    """Rows written early and committed late, in any order, go out although hundreds went out before them."""
    backbone, between = scenario.backbone, scenario.many(20)
    with backbone.relaying(), backbone.working(), ExitStack() as leftover:
        late = []
        for number in range(5):
            act = leftover.enter_context(ExitStack())
            uow = act.enter_context(UnitOfWork(backbone.source, SOURCE, Context(system(SOURCE))))
            uow.record(UserDeactivated(user_id=f"late{number}", reason="ok"), entity=f"user:late{number}")
            uow.flush()
            late.append(act)
        scenario.random.shuffle(late)
        done = 0
        for act in late:
            for number in range(between):
                backbone.commit(f"e{number % 3}")
            done += between
            eventually(partial(_applied, backbone, done))
            act.close()
            done += 1
        scenario.fault_over()
        scenario.settle()
    assert len(backbone.effects()) == done
    early = "SELECT count(*) FROM outbox o WHERE entity LIKE 'user:late%' AND position > row"
    assert backbone.count(early, at="source") == len(late)


def test_order_per_aggregate_under_concurrency(scenario: Scenario) -> None:
    """Four writers on three entities, two consumers: each entity's effects come in its order, numbers have no hole."""
    backbone, each = scenario.backbone, scenario.many(50)

    def write() -> None:
        for number in range(each):
            backbone.commit(f"e{number % 3}")

    writers = [threading.Thread(target=write) for _ in range(4)]
    with backbone.relaying(batch=10), backbone.working(), backbone.working():
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        scenario.settle()
    assert len(backbone.effects()) == 4 * each
    assert backbone.count("SELECT max(position) - count(*) FROM outbox", at="source") == 0
