"""The inbox on a real database, without any broker: one effect, in order, nothing lost."""

from __future__ import annotations

import threading

import pytest
from consumer_store import Store
from sqlalchemy import Engine, text

from shared.database import UnitOfWork, engine_for
from shared.errors import NotFoundError
from shared.events import Envelope
from shared.messaging import inbox
from shared.messaging.inbox import Outcome
from shared.messaging.wire import Raw, encode
from shared.testing.backbone import CONSUMER, TYPE, event_of


def test_the_same_event_three_times_has_one_effect(store: Store) -> None:
    """Delivered again and again, an event is handled once, and every delivery may be acked."""
    event = event_of("a", 1)
    assert [store.give(event) for _ in range(3)] == [Outcome.APPLIED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert store.effects() == [("a", 1)]


def test_concurrent_duplicates_have_one_effect(store: Store) -> None:
    """Two deliveries of one event at the same moment: the second waits for the first and then finds it done."""
    event, outcomes, start = event_of("a", 1, "slow:0.3"), [], threading.Barrier(2)

    def deliver() -> None:
        start.wait()
        outcomes.append(store.give(event))

    threads = [threading.Thread(target=deliver) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.value for outcome in outcomes) == ["applied", "duplicate"]
    assert store.effects() == [("a", 1)]


def test_a_gap_parks_what_follows_and_the_missing_event_releases_it_in_order(store: Store) -> None:
    """Events 3 and 2 wait, in whatever order they came, until 1 is there; other entities do not wait."""
    one, two, three = (event_of("a", number) for number in (1, 2, 3))
    assert store.give(three) is Outcome.PARKED
    assert store.give(two) is Outcome.PARKED
    assert store.give(event_of("b", 1)) is Outcome.APPLIED
    assert store.give(one) is Outcome.APPLIED
    assert store.effects() == [("b", 1), ("a", 1), ("a", 2), ("a", 3)]
    assert store.count("inbox_parked") == 0


def test_a_parked_event_that_comes_again_is_a_duplicate(store: Store) -> None:
    """A redelivery of a parked event neither runs it early nor parks it twice."""
    two = event_of("a", 2)
    assert [store.give(two), store.give(two)] == [Outcome.PARKED, Outcome.DUPLICATE]
    store.give(event_of("a", 1))
    assert store.effects() == [("a", 1), ("a", 2)]


def test_concurrent_followers_are_handled_in_order(store: Store) -> None:
    """Ten events of one entity delivered at once by ten threads come about once each, in their order."""
    events = [event_of("a", number) for number in range(1, 11)]
    threads = [threading.Thread(target=store.give, args=(event,)) for event in reversed(events)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.sweep()
    assert store.effects() == [("a", number) for number in range(1, 11)]


def test_an_event_without_a_handler_moves_the_entity_on(store: Store) -> None:
    """A consumer that ignores a kind of event still counts it, so the next one is no gap."""
    ignored = event_of("a", 1).model_copy(update={"type": "portal.user.something_new"})
    assert store.give(ignored) is Outcome.APPLIED
    assert store.give(event_of("a", 2)) is Outcome.APPLIED
    assert store.effects() == [("a", 2)]


def test_a_transient_failure_backs_off_and_then_gives_up_into_quarantine(store: Store) -> None:
    """Attempts follow after 1 s, 5 s, 30 s, 2 min and 10 min, not sooner; then somebody has to look."""
    assert store.give(event_of("a", 1, "transient")) is Outcome.PARKED
    for wait in (1, 5, 30, 120, 600):
        store.clock.forward(wait - 0.1)
        assert store.sweep() == 0
        assert store.count("inbox_parked") == 1
        store.clock.forward(0.1)
        assert store.sweep() == 1
    assert store.count("inbox_parked") == 0
    assert store.count("quarantine", "state = 'held' AND attempts = 6") == 1
    assert store.effects() == []


def test_a_transient_failure_that_passes_releases_what_waited(store: Store) -> None:
    """When the second attempt succeeds, the event and its follower are handled in order."""
    store.give(event_of("a", 1, "transient"))
    assert store.give(event_of("a", 2)) is Outcome.PARKED
    store.behave = lambda _: None
    store.clock.forward(1)
    store.sweep()
    assert store.effects() == [("a", 1), ("a", 2)]


def test_an_event_that_needs_what_is_not_known_yet_waits_for_it(store: Store) -> None:
    """A person whom another source has still to tell of is waited for as long as anything that passes."""

    def needs_a_person(_: Envelope) -> None:
        raise NotFoundError("There is no such person")

    store.behave = needs_a_person
    assert store.give(event_of("a", 1)) is Outcome.PARKED
    for wait in (1, 5, 30):
        store.clock.forward(wait)
        store.sweep()
    assert store.count("inbox_parked", "attempts = 4 AND last_error LIKE '%no such person%'") == 1
    store.behave = lambda _: None
    store.clock.forward(120)
    store.sweep()
    assert store.effects() == [("a", 1)]


def test_a_failed_handler_leaves_nothing_of_its_transaction(store: Store) -> None:
    """The inbox row goes with the handler's changes: an event that failed was not admitted."""
    store.give(event_of("a", 1, "poison"))
    assert (store.count("inbox"), store.count("effect"), store.count("inbox_head", "last_sequence > 0")) == (0, 0, 0)


def test_a_deadlock_between_two_handlers_is_retried(store: Store) -> None:
    """When PostgreSQL ends one of two handlers that wait for each other, its event is put off and then handled."""
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS account"))
        connection.execute(text("CREATE TABLE account AS SELECT generate_series(1, 2) AS id, 0 AS total"))
    meet = threading.Barrier(2, timeout=10)
    add = text("UPDATE account SET total = total + 1 WHERE id = :id")

    def on_event(uow: UnitOfWork, envelope: Envelope) -> None:
        first, second = (1, 2) if envelope.entity == "user:a" else (2, 1)
        uow.connection.execute(add, {"id": first})
        if not meet.broken:
            meet.wait()
        uow.connection.execute(add, {"id": second})

    def deliver(entity: str) -> None:
        event = event_of(entity, 1)
        outcomes.append(inbox.handle(store.engine, CONSUMER, {TYPE: on_event}, event, encode(event), clock=store.clock))

    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=deliver, args=(entity,)) for entity in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    meet.abort()
    store.clock.forward(1)
    inbox.sweep(store.engine, CONSUMER, {TYPE: on_event}, clock=store.clock)
    assert sorted(outcome.value for outcome in outcomes) == ["applied", "parked"]
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT total FROM account")).scalars().all() == [2, 2]


def test_followers_left_behind_by_a_crash_are_found_by_the_sweep(store: Store) -> None:
    """A process that died after an event's commit and before its follower's release leaves no event stuck."""
    store.give(event_of("a", 2))
    engine, handlers, one = store.engine, {TYPE: store._on_event}, event_of("a", 1)
    with UnitOfWork(engine, CONSUMER, inbox._context(CONSUMER, one)) as uow:
        inbox.admit(uow.connection, CONSUMER, one)
        handlers[TYPE](uow, one)
    assert store.effects() == [("a", 1)]
    assert store.sweep() == 1
    assert store.effects() == [("a", 1), ("a", 2)]


def test_an_unreachable_database_acks_nothing(database: Engine) -> None:
    """Without storage there is no outcome that would allow an ack."""
    away = engine_for(database.url.set(port=1).render_as_string(hide_password=False))
    event = event_of("a", 1)
    with pytest.raises(inbox.StorageDownError):
        inbox.handle(away, CONSUMER, {}, event, encode(event))
    with pytest.raises(inbox.StorageDownError):
        inbox.refuse(away, CONSUMER, Raw({}, b"?"), ValueError("?"))
    away.dispose()
