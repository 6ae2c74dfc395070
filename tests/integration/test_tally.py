"""The judge of the reliability suite is judged: each way to break the promise is found, and none is invented."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Engine, text

from shared.clock import new_id, utc_now
from shared.database import Context, UnitOfWork, system
from shared.events.portal import UserDeactivated
from shared.messaging import quarantine
from shared.messaging.heads import lock_head, park
from shared.messaging.wire import Received, encode
from shared.testing import tally
from shared.testing.backbone import CONSUMER, SOURCE, effect, event_of
from shared.testing.scenario import Expected

Pair = tuple[Engine, Engine]


def _record(source: Engine, events: int) -> list[UUID]:
    with UnitOfWork(source, SOURCE, Context(system(SOURCE))) as uow:
        return [uow.record(UserDeactivated(user_id="a", reason="ok"), entity="user:a") for _ in range(events)]


def _apply(consumer: Engine, event_id: UUID, sequence: int) -> None:
    with consumer.begin() as connection:
        effect(connection, event_of("a", sequence, event_id=event_id))


def test_every_event_with_one_effect_in_order_is_no_violation(both: Pair) -> None:
    """What went well counts as applied, and all else is 0."""
    for sequence, event_id in enumerate(_record(both[0], 3), 1):
        _apply(both[1], event_id, sequence)
    figures = tally.count(*both)
    assert (figures.events, figures.applied, figures.violations) == (3, 3, 0)
    assert Expected().differences(figures) == []


def test_an_event_without_any_trace_is_lost(both: Pair) -> None:
    """One of two events has no effect and waits nowhere: it is lost, and named."""
    first, second = _record(both[0], 2)
    _apply(both[1], first, 1)
    figures = tally.count(*both)
    assert (figures.lost, figures.why) == (1, [f"lost {second}"])


def test_two_effects_of_one_event_are_a_duplicate(both: Pair) -> None:
    """The second effect shows although the inbox may have one row."""
    [event_id] = _record(both[0], 1)
    _apply(both[1], event_id, 1)
    _apply(both[1], event_id, 1)
    figures = tally.count(*both)
    assert (figures.duplicated, figures.lost, figures.disordered) == (1, 0, 0)


def test_effects_against_the_sequence_are_disordered(both: Pair) -> None:
    """The second event's effect came before the first one's."""
    first, second = _record(both[0], 2)
    _apply(both[1], second, 2)
    _apply(both[1], first, 1)
    figures = tally.count(*both)
    assert (figures.disordered, figures.lost, figures.duplicated) == (1, 0, 0)


def test_an_effect_of_an_event_nobody_recorded_is_found(both: Pair) -> None:
    """An event that was rolled back and had an effect all the same; one that the test itself has sent is none."""
    rolled_back, sent = new_id(), new_id()
    _apply(both[1], rolled_back, 1)
    _apply(both[1], sent, 2)
    figures = tally.count(*both, sent=[sent])
    assert (figures.unrecorded, figures.events) == (1, 1)


def test_what_waits_is_accounted_for_and_may_not_be_overtaken(both: Pair) -> None:
    """A parked and a quarantined event are not lost; an effect of a later event of their entity is out of order."""
    ids = _record(both[0], 3)
    received = [event_of("a", sequence, event_id=event_id) for sequence, event_id in enumerate(ids, 1)]
    with both[1].begin() as connection:
        lock_head(connection, CONSUMER, f"{SOURCE}/user:a")
        quarantine.hold(connection, CONSUMER, encode(received[0]), ValueError("no"), attempts=1, now=utc_now())
        park(connection, CONSUMER, Received(received[1], encode(received[1])), why="gap")
    _apply(both[1], ids[2], 3)
    figures = tally.count(*both)
    assert (figures.lost, figures.parked, figures.quarantined) == (0, 1, 1)
    assert figures.disordered == 2
    assert Expected(parked=1).differences(figures) == ["quarantined: 1 instead of 0"]


def test_an_event_that_is_applied_and_still_waits_counts_as_twice(both: Pair) -> None:
    """The attempt that is still to come would be the second effect."""
    [event_id] = _record(both[0], 1)
    envelope = event_of("a", 1, event_id=event_id)
    with both[1].begin() as connection:
        park(connection, CONSUMER, Received(envelope, encode(envelope)), why="retry")
    _apply(both[1], event_id, 1)
    assert tally.count(*both).duplicated == 1


def test_what_the_broker_refused_is_held_and_not_lost(both: Pair) -> None:
    """An event that stays in the outbox with the broker's reason is accounted for, and has to be expected."""
    _record(both[0], 1)
    with both[0].begin() as connection:
        connection.execute(text("UPDATE outbox SET held_reason = 'no queue is bound'"))
    figures = tally.count(*both)
    assert (figures.held, figures.lost) == (1, 0)
    assert Expected().differences(figures) == ["held: 1 instead of 0"]
