"""Scenarios 38 and 40 to 42: deadlines, releases side by side, the law of conservation, clocks that are wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from shared.clock import Clock, utc_now
from shared.database import Context, UnitOfWork, system
from shared.events import Actor, Envelope
from shared.events.portal import UserDeactivated
from shared.messaging import quarantine
from shared.messaging.link import channel_of
from shared.messaging.reconcile import Account, reconcile
from shared.testing.backbone import CONSUMER, SOURCE, Backbone, event_of, eventually
from shared.testing.messages import send
from shared.testing.scenario import Scenario

PROCESS = [sys.executable, "-m", "shared.testing.release_process"]
ROOT = Path(__file__).parents[2]
OPERATOR = Actor(id="operator:test")
HOUR = 3600.0


@contextmanager
def other(backbone: Backbone, **facts: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of another release, or of a machine with another clock, until the block ends."""
    known = {
        "role": "worker",
        "source_url": backbone.source.url.render_as_string(hide_password=False),
        "consumer_url": backbone.consumer.url.render_as_string(hide_password=False),
        "amqp_url": backbone.amqp_url,
        "exchange": backbone.exchange,
        "queue": backbone.queue,
    }
    environment = os.environ | {"TAMGA_TEST_PROCESS": json.dumps(known | facts)}
    process = subprocess.Popen(PROCESS, env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _consumers(backbone: Backbone, count: int) -> None:
    eventually(lambda: backbone.depth().consumers == count, seconds=40)


# 38: a deadline fires once


@pytest.fixture
def deadlines(backbone: Backbone) -> Iterator[list[str]]:
    """Give the names of six deadlines that have passed, in the publishing service's database."""
    names = [f"d{number}" for number in range(6)]
    with backbone.source.begin() as connection:
        connection.execute(text("CREATE TABLE deadline (id text PRIMARY KEY, due timestamptz, fired_at timestamptz)"))
        connection.execute(
            text("INSERT INTO deadline SELECT name, clock_timestamp() FROM unnest(CAST(:names AS text[])) AS name"),
            {"names": names},
        )
    yield names
    with backbone.source.begin() as connection:
        connection.execute(text("DROP TABLE deadline"))


def test_saga_timeout_fires_once(scenario: Scenario, deadlines: list[str]) -> None:
    """Two processes keep the same deadlines and one is killed in the middle of firing them: each fires once."""
    backbone = scenario.backbone
    busy = "SELECT count(*) FROM pg_locks WHERE relation = 'deadline'::regclass AND mode = 'RowExclusiveLock'"
    callers = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with backbone.relaying(), backbone.working(), other(backbone, role="timers", takes=1.0) as first:
        eventually(lambda: backbone.count(busy, at="source") == 1, seconds=40)
        before = backbone.count(callers, at="source")
        with other(backbone, role="timers", takes=0.1):
            eventually(lambda: backbone.count(callers, at="source") > before, seconds=40)
            first.kill()
            first.wait(timeout=5)
            scenario.fault_over()
            eventually(lambda: len(backbone.effects()) == len(deadlines), seconds=40)
            scenario.settle()
    assert sorted(entity for _, entity, _ in backbone.effects()) == [f"user:{name}" for name in deadlines]


# 40: releases side by side


def _next_version(entity: str, sequence: int) -> Envelope:
    event = event_of(entity, sequence)
    data = event.data | {"until": "2027-01-01"}
    return event.model_copy(update={"version": 2, "body": event.body.model_copy(update={"data": data})})


def _with_more(entity: str, sequence: int) -> Envelope:
    event = event_of(entity, sequence)
    return event.model_copy(update={"body": event.body.model_copy(update={"data": event.data | {"note": "new"}})})


def test_rolling_deploy_v1_v2(scenario: Scenario) -> None:
    """The release before ignores a new member and keeps a new version whole; the next one reads all that is old."""
    backbone = scenario.backbone
    old = [event_of("a", 1), _with_more("a", 2), event_of("b", 1)]
    new = [_next_version(name, 2 if name in "bc" else 1) for name in "bcdefgh"]
    late = [event_of("c", 1), *(event_of(name, 3 if name in "bc" else 2) for name in "bcdefgh")]
    scenario.sent(event.id for event in [*old, *new, *late])
    with backbone.working():
        send(backbone, old)
        eventually(lambda: len(backbone.effects()) == len(old))
        assert backbone.count("SELECT count(*) FROM quarantine") == 0
        send(backbone, new[:2])
        eventually(lambda: backbone.count("SELECT count(*) FROM quarantine WHERE state = 'held'") == 1)
        with other(backbone, release="next"):
            _consumers(backbone, 2)
            send(backbone, new[2:] + late)
            eventually(lambda: backbone.depth().messages == 0)
            eventually(lambda: scenario.figures().lost == 0)
        _consumers(backbone, 1)
    kept = backbone.count("SELECT count(*) FROM quarantine WHERE state = 'held'")
    with other(backbone, release="next"):
        _consumers(backbone, 1)
        scenario.fault_over()
        _replay_all(backbone)
        scenario.settle()
    scenario.note(kept_for_the_next_release=kept)
    assert kept >= 1
    assert len(backbone.effects()) == len(old) + len(new) + len(late)


def _replay_all(backbone: Backbone) -> None:
    """Replay what the release before could not read, group by group, as an operator does."""
    held = quarantine.held(backbone.consumer)
    assert {row.error.split(":")[0] for row in held} == {"UnknownEventError"}
    for same in {row.fingerprint for row in held}:
        quarantine.replay(backbone.consumer, CONSUMER, OPERATOR, same=same)


# 41: the law of conservation


def _account(backbone: Backbone, *, grace: float = 0.0) -> Account:
    """Let reconciliation account for the one source at the one consumer.

    The broker tells only of messages that nobody has in hand; `grace` is for those that a worker has.
    """
    engines = {SOURCE: backbone.source, CONSUMER: backbone.consumer}
    depths = {CONSUMER: backbone.depth()}
    [account] = reconcile(engines, {CONSUMER: ("portal.user.#",)}, depths, grace=grace).accounts
    return account


def _sum(account: Account) -> int:
    return account.applied + account.parked + account.quarantined + account.discarded + account.in_flight


def test_conservation_law(scenario: Scenario) -> None:
    """What is recorded is applied, parked, in quarantine or in flight, at any moment; what is taken away is missed."""
    backbone, each = scenario.backbone, scenario.many(20)
    for entity in "abcd":
        backbone.commit(entity, *["ok"] * each)
    backbone.commit("p", "ok", "poison", "ok", "ok")
    recorded = 4 * each + 4
    assert (_account(backbone).in_flight, _account(backbone).unaccounted) == (recorded, 0)
    with backbone.relaying():
        eventually(lambda: backbone.depth().messages == recorded)
        assert _account(backbone).in_flight == recorded
        with backbone.working(patience=[0.1, 0.1]):
            while (account := _account(backbone, grace=60)).quarantined == 0 or account.in_flight:
                assert account.unaccounted == 0
        scenario.expects(quarantined=1, parked=2)
        scenario.settle()
        account = _account(backbone)
        assert _sum(account) == account.events == recorded
        assert (account.applied, account.quarantined, account.parked) == (recorded - 3, 1, 2)
        lost = _take_away(backbone)
        account = _account(backbone)
        assert _sum(account) + len(lost) == account.events
        assert (account.unaccounted, account.missing) == (len(lost), sorted(map(str, lost)))
        _give_back(backbone, lost)
        with backbone.working():
            scenario.settle()
    assert _account(backbone).unaccounted == 0


def _take_away(backbone: Backbone) -> list[UUID]:
    """Lose messages as no part of the system does: take them off the queue and ack them."""
    lost = backbone.commit("e", "ok", "ok", "ok")
    eventually(lambda: backbone.unpublished() == 0)
    eventually(lambda: backbone.depth().messages == 3)
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_purge(backbone.queue)
    return lost


def _give_back(backbone: Backbone, lost: list[UUID]) -> None:
    with backbone.source.begin() as connection:
        again = text("UPDATE outbox SET published_at = NULL WHERE id = ANY(:ids)")
        connection.execute(again, {"ids": lost})
    eventually(lambda: backbone.unpublished() == 0)


# 42: clocks


@pytest.mark.parametrize("skew", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_clock_skew(scenario: Scenario, skew: float) -> None:
    """Source and one of two consumers an hour off: order and effects are as ever, and what failed is tried in time."""
    backbone = scenario.backbone
    with backbone.relaying():
        with other(backbone, skew=skew) as worker:
            _consumers(backbone, 1)
            for number in range(scenario.many(20)):
                _commit(backbone, f"e{number % 3}", -skew if number % 2 else 0.0)
            backbone.commit("f", "once", "ok")
            scenario.settle()
            backbone.commit("g", "transient", "ok")
            eventually(lambda: backbone.count("SELECT count(*) FROM inbox_parked WHERE why = 'retry'") == 1)
            worker.kill()
            worker.wait(timeout=5)
        scenario.fault_over()
        with backbone.working(cured=True):
            scenario.settle(seconds=20)
        _replay_from_a_wrong_clock(scenario, skew)
    assert scenario.recovery is not None
    assert scenario.recovery < 20


def _commit(backbone: Backbone, user: str, skew: float) -> None:
    """Commit an event on a machine whose clock is wrong by so many seconds."""
    clock: Clock = lambda: utc_now() + timedelta(seconds=skew)  # noqa: E731 - a clock
    with UnitOfWork(backbone.source, SOURCE, Context(actor=system(SOURCE)), clock=clock) as uow:
        uow.record(UserDeactivated(user_id=user, reason="ok"), entity=f"user:{user}")


def _replay_from_a_wrong_clock(scenario: Scenario, skew: float) -> None:
    """Replay an event from an operator's machine that is an hour off: it is handled at once."""
    backbone = scenario.backbone
    backbone.commit("h", "poison")
    with backbone.working(patience=[0.1, 0.1]):
        eventually(lambda: backbone.count("SELECT count(*) FROM quarantine WHERE state = 'held'") == 1)
    with backbone.working(cured=True), other(backbone, role="replay", skew=skew) as operator:
        assert operator.wait(timeout=40) == 0
        scenario.settle(seconds=20)
