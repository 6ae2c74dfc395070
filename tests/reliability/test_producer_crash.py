"""Producer, scenarios 1, 2, 3, 12 and 13: processes die between commit, publishing and marking, and leaders change."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from sqlalchemy import text

from shared.database import Context, UnitOfWork, system
from shared.events.portal import UserDeactivated
from shared.testing.backbone import SOURCE, Backbone, eventually
from shared.testing.nursery import Child
from shared.testing.scenario import SCALE, Scenario

KILLED = -9
FAILOVER = 2.0  # seconds
STATE = "SELECT count(*) FROM effect"  # in the source's database: the state that an act has changed
_RELAYS = "FROM pg_stat_activity a WHERE application_name LIKE 'tamga relay %' AND datname = current_database()"
_LEADING = " AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'advisory' AND granted)"
RELAYS = f"SELECT count(*) {_RELAYS}"
LEADERS = RELAYS + _LEADING
END_LEADER = f"SELECT pg_terminate_backend(pid) {_RELAYS}{_LEADING}"


def test_crash_after_commit_before_publish(scenario: Scenario) -> None:
    """A process killed while it commits act after act leaves state and events that agree, and all of them go out."""
    backbone, wanted = scenario.backbone, scenario.many(60)
    process = backbone.child("commit")
    eventually(lambda: backbone.unpublished() >= wanted, seconds=60)
    process.kill()
    assert process.wait(timeout=5) == KILLED
    committed = backbone.unpublished()
    assert committed == backbone.count(STATE, at="source") >= wanted
    assert backbone.effects() == []
    scenario.fault_over()
    with backbone.relaying(), backbone.working():
        scenario.settle()
    assert len(backbone.effects()) == committed


def test_crash_after_publish_before_mark(scenario: Scenario) -> None:
    """A relay killed after the broker's confirms leaves duplicates under the same ids, and one effect of each."""
    backbone = scenario.backbone
    for number in range(scenario.many(20)):
        backbone.commit(f"e{number % 4}", "ok", "ok")
    events = backbone.unpublished()
    assert backbone.child("relay", die=True).wait(timeout=20) == KILLED
    assert backbone.unpublished() == events
    published = backbone.depth().messages
    assert published > 0
    scenario.fault_over()
    with backbone.relaying():
        eventually(lambda: backbone.unpublished() == 0)
        eventually(lambda: backbone.depth().messages == published + events)
        with backbone.working():
            scenario.settle()
    assert backbone.count("SELECT max(position) FROM outbox", at="source") == events


def test_rollback_publishes_nothing(scenario: Scenario) -> None:
    """Neither a transaction that failed nor one whose process was killed in its midst leaves an event or a number."""
    backbone = scenario.backbone
    with pytest.raises(ZeroDivisionError), UnitOfWork(backbone.source, SOURCE, Context(system(SOURCE))) as uow:
        uow.record(UserDeactivated(user_id="a", reason="ok"), entity="user:a")
        uow.flush()
        raise ZeroDivisionError
    before = scenario.many(10)
    assert backbone.child("commit", die=before).wait(timeout=20) == KILLED
    assert backbone.unpublished() == backbone.count(STATE, at="source") == before
    backbone.commit("a")
    with backbone.relaying(), backbone.working():
        scenario.settle()
    assert len(backbone.effects()) == before + 1
    assert [sequence for _, entity, sequence in backbone.effects() if entity == "user:a"] == [1]


def test_two_relays_one_leader(scenario: Scenario) -> None:
    """Of two relays one publishes and the other stands by, until the leader's session is ended under it."""
    backbone, half = scenario.backbone, scenario.many(30)
    with backbone.relaying() as one:
        eventually(lambda: one.state == "leading")
        with backbone.relaying() as other:
            eventually(lambda: other.state == "standby")
            for number in range(half):
                backbone.commit(f"e{number % 4}")
            eventually(lambda: backbone.unpublished() == 0)
            assert (one.state, other.state) == ("leading", "standby")
            eventually(lambda: backbone.depth().messages == half)
            with backbone.source.begin() as connection:
                connection.execute(text(END_LEADER))
            scenario.fault_over()
            for number in range(half):
                backbone.commit(f"e{number % 4}")
            eventually(lambda: {one.state, other.state} == {"leading", "standby"})
            with backbone.working():
                scenario.settle()
    assert backbone.count("SELECT max(position) - count(*) FROM outbox", at="source") == 0


def test_leader_killed_failover_under_s(scenario: Scenario) -> None:
    """When the leading relay is killed, the one that stands by publishes within two seconds."""
    backbone, slowest = scenario.backbone, 0.0
    with ExitStack() as ends, backbone.working():
        leader = _relay(ends, backbone)
        eventually(lambda: backbone.count(LEADERS, at="source") == 1)
        for turn in range(2 * SCALE):
            standby = _relay(ends, backbone)
            eventually(lambda: backbone.count(RELAYS, at="source") == 2)
            for number in range(10):
                backbone.commit(f"e{number}")
            eventually(lambda: backbone.unpublished() == 0)
            leader.kill()
            killed = time.monotonic()
            scenario.fault_over()
            backbone.commit(f"e{turn}")
            eventually(lambda: backbone.unpublished() == 0)
            slowest = max(slowest, time.monotonic() - killed)
            assert leader.wait(timeout=5) == KILLED
            scenario.settle()
            leader = standby
    scenario.note(first_through_by_the_relay_that_stood_by=slowest)
    assert slowest <= FAILOVER


def _relay(ends: ExitStack, backbone: Backbone) -> Child:
    process = backbone.child("relay")
    ends.callback(process.wait, timeout=20)
    ends.callback(process.terminate)
    return process
