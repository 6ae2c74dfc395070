"""What a consumer can't handle is kept whole, blocks nobody else, and comes back under its own id when asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.errors import ConflictError
from shared.events import Actor, Envelope
from shared.messaging import quarantine
from shared.messaging.wire import LARGEST_BODY, Raw, encode
from shared.testing.backbone import CONSUMER, Backbone, event_of, eventually
from shared.testing.messages import send
from shared.testing.scenario import Scenario

_DUE = "SELECT count(*) FROM inbox_parked WHERE why = 'retry' AND not_before <= now()"
OPERATOR = Actor(id="u-1", name="Olga Operator", role="operator")


def _held(backbone: Backbone) -> list[quarantine.Held]:
    return quarantine.held(backbone.consumer)


def _unknown(entity: str) -> Envelope:
    """Return an event of a version that this release does not know; its later release's `cured` worker does."""
    return event_of(entity, 1).model_copy(update={"version": 2})


def _poison(scenario: Scenario, entities: int) -> None:
    """Have as many entities' first events end in quarantine by a bug, each with a follower that waits behind it."""
    backbone = scenario.backbone
    for number in range(entities):
        backbone.commit(f"p{number}", "poison", "ok")
    with backbone.relaying(), backbone.working():
        # Attempts are put off by seconds; the test's clock does not wait for that.
        eventually(lambda: backbone.count("SELECT count(*) FROM inbox_parked WHERE why = 'retry'") == entities)
        for _ in range(2):
            with backbone.consumer.begin() as connection:
                connection.execute(text("UPDATE inbox_parked SET not_before = now() WHERE why = 'retry'"))
            eventually(lambda: backbone.count(_DUE) == 0)
        eventually(lambda: len(_held(backbone)) == entities)


def test_unknown_event_version_is_quarantined(scenario: Scenario) -> None:
    """A version of a handled type that this release does not know is held at once, with the reason; others go on."""
    backbone = scenario.backbone
    strange, follower = _unknown("a"), event_of("a", 2)
    others = [event_of("b", number) for number in range(1, scenario.many(20) + 1)]
    scenario.sent([strange.id, follower.id, *(event.id for event in others)])
    scenario.expects(quarantined=1, parked=1)
    with backbone.working():
        send(backbone, [strange, follower, *others])
        scenario.settle()
    [row] = _held(backbone)
    assert (row.attempts, row.entity) == (1, "portal/user:a")
    assert "unknown event portal.user.deactivated version 2" in row.error
    assert len(backbone.effects()) == len(others)


def test_replay_after_fix(scenario: Scenario) -> None:
    """Under a release without the bug the event and its follower have their effects, and the row says who and what."""
    backbone = scenario.backbone
    _poison(scenario, 1)
    [row] = _held(backbone)
    with backbone.working(cured=True):
        scenario.fault_over()
        assert quarantine.replay(backbone.consumer, CONSUMER, OPERATOR, quarantine_id=row.id) == [row.id]
        scenario.settle()
    shown = quarantine.show(backbone.consumer, row.id)
    assert [sequence for _, _, sequence in backbone.effects()] == [1, 2]
    assert (shown["state"], shown["replay_result"], shown["replayed_by"]) == ("replayed", "applied", "Olga Operator")
    assert "this event is poison" in shown["first_error"]
    assert backbone.count("SELECT count(*) FROM outbox WHERE type = 'loans.quarantine.replayed'") == 1


def test_replay_twice_is_harmless(scenario: Scenario) -> None:
    """Replayed twice, which is refused, and delivered once more by the broker, an event has one effect."""
    backbone = scenario.backbone
    _poison(scenario, 1)
    [row] = _held(backbone)
    with backbone.working(cured=True):
        assert quarantine.replay(backbone.consumer, CONSUMER, OPERATOR, quarantine_id=row.id) == [row.id]
        with pytest.raises(ConflictError):
            quarantine.replay(backbone.consumer, CONSUMER, OPERATOR, quarantine_id=row.id)
        assert row.event_id is not None
        send(backbone, [event_of("p0", 1, "poison", event_id=row.event_id)])
        scenario.settle()
        with pytest.raises(ConflictError):
            quarantine.replay(backbone.consumer, CONSUMER, OPERATOR, quarantine_id=row.id)
    assert len(backbone.effects()) == 2


def test_bulk_replay_by_fingerprint(scenario: Scenario) -> None:
    """All that failed in one way come back together; a dry run changes nothing; what failed otherwise stays held."""
    backbone = scenario.backbone
    many = scenario.many(15)
    _poison(scenario, many)
    other = _unknown("odd")
    scenario.sent(other.id)
    scenario.expects(quarantined=1)
    with backbone.working(cured=True):
        send(backbone, [other])
        eventually(lambda: len(_held(backbone)) == many + 1)
        with backbone.consumer.connect() as connection:
            poison, unknown = quarantine.groups(connection, quarantine.Filters())
        assert (poison.count, unknown.count, poison.types) == (many, 1, ["portal.user.deactivated"])
        same = quarantine.Filters(fingerprint=poison.fingerprint, type="portal.user.")
        assert len(quarantine.replay(backbone.consumer, CONSUMER, OPERATOR, wanted=same, dry_run=True)) == many
        assert len(_held(backbone)) == many + 1
        scenario.fault_over()
        assert len(quarantine.replay(backbone.consumer, CONSUMER, OPERATOR, wanted=same)) == many
        scenario.settle()
    assert len(backbone.effects()) == 2 * many
    assert [row.fingerprint for row in _held(backbone)] == [unknown.fingerprint]


def test_a_replay_that_fails_again_shows_both_failures(scenario: Scenario) -> None:
    """Without a fix the event is back at once; the first failure and the result of the replay stand side by side."""
    backbone = scenario.backbone
    _poison(scenario, 1)
    scenario.expects(quarantined=1, parked=1)
    [row] = _held(backbone)
    with backbone.working():
        quarantine.replay(backbone.consumer, CONSUMER, OPERATOR, quarantine_id=row.id)
        eventually(lambda: len(_held(backbone)) == 1)
    shown = quarantine.show(backbone.consumer, row.id)
    assert (shown["state"], shown["replay_result"], shown["replays"]) == ("held", "failed", 1)
    assert "poison" in shown["first_traceback"]
    assert shown["behind"] == 1


def test_whatever_comes_in_blocks_nobody_else(scenario: Scenario) -> None:
    """Bytes that are no event, a foreign source, a body over the limit, an odd envelope are kept with their reasons."""
    backbone = scenario.backbone
    good = encode(event_of("x", 1))

    def odd(**headers: str) -> dict[str, str]:
        return good.headers | {f"cloudEvents_{name}": value for name, value in ({"id": str(uuid4())} | headers).items()}

    bad = [
        Raw({}, b"\x80\x02pickle"),
        Raw(odd(), b"{not json"),
        Raw(odd(), b" " * (LARGEST_BODY + 1)),
        Raw(odd(source="grants"), good.body),
        Raw(odd(sequence="0"), good.body),
    ]
    others = [event_of("y", number) for number in range(1, 11)]
    scenario.sent(event.id for event in others)
    scenario.expects(quarantined=len(bad))
    with backbone.working():
        send(backbone, [*bad, *others])
        scenario.settle()
    errors = " | ".join(row.error for row in _held(backbone))
    assert all(reason in errors for reason in ("over the limit", "may not publish", "counted from 1"))
    with backbone.consumer.connect() as connection:
        kept = {bytes(body) for body in connection.execute(text("SELECT body FROM quarantine")).scalars()}
    assert kept == {raw.body for raw in bad}
    assert len(backbone.effects()) == len(others)


def test_a_clock_an_hour_off_changes_no_order(scenario: Scenario) -> None:
    """An event's own time says when somebody acted, not when its turn is: sequence alone decides that."""
    backbone, now = scenario.backbone, datetime.now(UTC)
    hours = (0, 1, -1, 0)
    events = [
        event_of("a", number).model_copy(update={"time": now + timedelta(hours=off)})
        for number, off in enumerate(hours, 1)
    ]
    scenario.sent(event.id for event in events)
    with backbone.working():
        send(backbone, events)
        scenario.settle()
    assert [sequence for _, _, sequence in backbone.effects()] == [1, 2, 3, 4]
