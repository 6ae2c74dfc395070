"""The inbox on a real database, without any broker: one effect, in order, nothing lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from shared.database import UnitOfWork, engine_for
from shared.errors import InvalidError, NotFoundError
from shared.events import Actor, Envelope
from shared.messaging import inbox, quarantine
from shared.messaging.inbox import Outcome
from shared.messaging.wire import Raw, encode
from shared.testing.backbone import CONSUMER, SOURCE, TYPE, consumer_database, effect, empty, event_of
from shared.testing.behaviour import behave
from shared.testing.stand import Stand

OPERATOR = Actor(id="operator:test")


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Store:
    """One consumer's database, and what its handler does."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.clock = engine, Clock()
        self.behave: Callable[[Envelope], None] = behave

    def _on_event(self, uow: UnitOfWork, envelope: Envelope) -> None:
        effect(uow.connection, envelope)
        self.behave(envelope)

    def give(self, envelope: Envelope) -> Outcome:
        """Deliver an event once."""
        return inbox.handle(self.engine, CONSUMER, {TYPE: self._on_event}, envelope, encode(envelope), clock=self.clock)

    def receive(self, raw: Raw) -> Outcome:
        """Deliver a message as it is."""
        return inbox.receive(self.engine, CONSUMER, {TYPE: self._on_event}, raw, clock=self.clock)

    def sweep(self) -> int:
        """Take up what is due."""
        return inbox.sweep(self.engine, CONSUMER, {TYPE: self._on_event}, clock=self.clock)

    def effects(self) -> list[tuple[str, int]]:
        """Return (entity, sequence) of every effect, in order."""
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT entity, sequence FROM effect ORDER BY at")).all()
            return [(row.entity.removeprefix("user:"), row.sequence) for row in rows]

    def count(self, table: str, where: str = "true") -> int:
        """Return how many rows of a table there are."""
        with self.engine.connect() as connection:
            query = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608 - the test's own words
            return int(connection.execute(text(query)).scalar_one())


@pytest.fixture(scope="module")
def database(stand: Stand) -> Iterator[Engine]:
    """Give a database with the messaging tables and the one of the effects."""
    with consumer_database(stand) as engine:
        yield engine


@pytest.fixture
def store(database: Engine) -> Store:
    """Give a consumer whose tables are empty."""
    empty(database)
    return Store(database)


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


def test_what_was_discarded_behind_a_held_event_is_passed_over_when_its_turn_comes(store: Store) -> None:
    """Events 1 and 2 are held and 3 waits: with 2 given up, a replay of 1 lets 3 through."""
    one, two = (event_of("a", number).model_copy(update={"version": 99}) for number in (1, 2))
    assert store.give(one) is Outcome.QUARANTINED
    with store.engine.begin() as connection:
        quarantine.hold(connection, CONSUMER, encode(two), ValueError("no"), attempts=1, now=store.clock())
    assert store.give(event_of("a", 3)) is Outcome.PARKED
    ids = {row.event_id: row.id for row in quarantine.held(store.engine)}
    quarantine.discard(store.engine, CONSUMER, OPERATOR, ids[two.id], "never happened", clock=store.clock)
    with store.engine.begin() as connection:
        connection.execute(text("""UPDATE quarantine SET headers = headers || '{"cloudEvents_dataversion": "1"}'"""))
    quarantine.replay(store.engine, CONSUMER, OPERATOR, quarantine_id=ids[one.id], clock=store.clock)
    store.sweep()
    assert store.effects() == [("a", 1), ("a", 3)]
    assert store.count("inbox_parked") == 0


def _poison(store: Store, entity: str) -> None:
    assert store.give(event_of(entity, 1, "poison")) is Outcome.PARKED
    for wait in (1, 5):
        store.clock.forward(wait)
        store.sweep()


def test_poison_is_quarantined_once_and_blocks_only_its_own_entity(store: Store) -> None:
    """After two more attempts the event is held with traceback and bytes; its follower waits, others go on."""
    _poison(store, "a")
    assert store.give(event_of("a", 2)) is Outcome.PARKED
    assert store.give(event_of("b", 1)) is Outcome.APPLIED
    held = quarantine.held(store.engine)
    assert [(row.attempts, row.state) for row in held] == [(3, "held")]
    shown = quarantine.show(store.engine, held[0].id)
    assert "this event is poison" in shown["traceback"]
    assert '"poison"' in shown["body"]
    assert "behaviour.py:behave" in shown["fingerprint"]
    assert store.effects() == [("b", 1)]


def test_a_quarantined_event_that_comes_again_stays_held(store: Store) -> None:
    """A redelivery of a held event is a duplicate, not another attempt."""
    event = event_of("a", 1).model_copy(update={"version": 99})
    assert [store.give(event), store.give(event)] == [Outcome.QUARANTINED, Outcome.DUPLICATE]
    assert store.count("quarantine", "attempts = 1") == 1


def test_an_unknown_version_is_quarantined_at_once(store: Store) -> None:
    """A version that this release does not know can't be handled by waiting."""
    outcome = store.give(event_of("a", 1).model_copy(update={"version": 99}))
    assert outcome is Outcome.QUARANTINED
    assert "unknown event portal.user.deactivated version 99" in quarantine.held(store.engine)[0].error


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{not json"),
        ({"x": "nul \x00 and \ud800"}, b"\x80\x02pickle"),
        ({"cloudEvents_id": "no id"}, b""),
        ({"cloudEvents_type": "\ud800", "cloudEvents_sequence": "9" * 40}, b"{}"),
    ],
)
def test_an_undecodable_message_is_quarantined_with_its_bytes(
    store: Store, headers: dict[str, str], body: bytes
) -> None:
    """Whatever comes in is kept as it came, once, however often it is delivered."""
    raw = Raw(headers, body, "portal.user.deactivated")
    again = Raw(headers | {"x-delivery-count": 1}, body, raw.routing_key)  # as a quorum queue delivers it once more
    assert [store.receive(raw), store.receive(again)] == [Outcome.QUARANTINED, Outcome.QUARANTINED]
    with store.engine.connect() as connection:
        row = connection.execute(text("SELECT body, attempts, state FROM quarantine")).one()
    assert (bytes(row.body), row.attempts, row.state) == (body, 2, "held")


def test_a_service_may_not_speak_for_another(store: Store) -> None:
    """A message whose broker user is one service and whose source is another is quarantined, not believed."""
    good = encode(event_of("a", 1))
    raw = Raw(good.headers, good.body, good.routing_key, user_id="grants")
    assert store.receive(raw) is Outcome.QUARANTINED
    assert "grants may not speak for portal" in quarantine.held(store.engine)[0].error


def test_a_forged_message_takes_nothing_from_the_true_event(store: Store) -> None:
    """What one service says in another's name is kept under no event's id: the true event has its effect."""
    true = event_of("a", 1)
    raw = encode(true)
    assert store.receive(Raw(raw.headers, b"{forged", raw.routing_key, user_id="grants")) is Outcome.QUARANTINED
    assert store.give(true) is Outcome.APPLIED
    assert store.count("quarantine", "event_id IS NULL AND sequence IS NULL AND position IS NULL") == 1
    assert store.effects() == [("a", 1)]


def test_replay_after_a_fix_handles_the_event_and_its_followers(store: Store) -> None:
    """Replayed under its own id once the bug is gone, the event has its effect, and so has what waited."""
    _poison(store, "a")
    store.give(event_of("a", 2))
    store.behave = lambda _: None
    replayed = quarantine.replay(
        store.engine, CONSUMER, OPERATOR, quarantine_id=quarantine.held(store.engine)[0].id, clock=store.clock
    )
    store.sweep()
    assert len(replayed) == 1
    assert store.effects() == [("a", 1), ("a", 2)]
    assert store.count("outbox", "type = 'loans.quarantine.replayed'") == 1


def test_replay_twice_is_harmless(store: Store) -> None:
    """A second replay finds nothing held, and a redelivery in between finds the event done."""
    event = event_of("a", 1).model_copy(update={"version": 99})
    store.give(event)
    row_id = quarantine.held(store.engine)[0].id
    with store.engine.begin() as connection:  # the fix: a release that reads what the former one did not
        connection.execute(text("""UPDATE quarantine SET headers = headers || '{"cloudEvents_dataversion": "1"}'"""))

    def replay() -> list[UUID]:
        return quarantine.replay(store.engine, CONSUMER, OPERATOR, quarantine_id=row_id, clock=store.clock)

    assert len(replay()) == 1
    assert replay() == []
    store.sweep()
    assert store.give(event) is Outcome.DUPLICATE
    assert store.effects() == [("a", 1)]


def test_a_replay_that_fails_again_is_back_in_quarantine_with_one_row(store: Store) -> None:
    """No backoff runs for a replayed event: it is held again at once, and the count of attempts goes on."""
    _poison(store, "a")
    row_id = quarantine.held(store.engine)[0].id
    quarantine.replay(store.engine, CONSUMER, OPERATOR, quarantine_id=row_id, clock=store.clock)
    store.sweep()
    assert [(row.id, row.state) for row in quarantine.held(store.engine)] == [(row_id, "held")]
    assert store.count("inbox_parked") == 0


def test_bulk_replay_by_fingerprint_can_be_tried_first(store: Store) -> None:
    """A dry run names what would be replayed and changes nothing; the real one takes all of the same failure."""
    for entity in "abc":
        store.give(event_of(entity, 1, "poison"))
    for wait in (1, 5):
        store.clock.forward(wait)
        store.sweep()
    same = quarantine.held(store.engine)[0].fingerprint
    store.behave = lambda _: None
    assert len(quarantine.replay(store.engine, CONSUMER, OPERATOR, same=same, dry_run=True)) == 3
    assert store.count("quarantine", "state = 'held'") == 3
    quarantine.replay(store.engine, CONSUMER, OPERATOR, same=same, clock=store.clock)
    store.sweep()
    assert sorted(store.effects()) == [("a", 1), ("b", 1), ("c", 1)]


def test_what_cannot_be_read_is_in_nobodys_way(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More unreadable rows than one transaction takes, before and between the good ones: a replay reaches all these."""
    monkeypatch.setattr(quarantine, "AT_ONCE", 2)
    for number in range(5):
        store.receive(Raw({"cloudEvents_subject": f"user:{number}", "cloudEvents_source": SOURCE}, b"{"))
    good = [event_of(f"{number}b", 1) for number in range(5)]
    with store.engine.begin() as connection:
        for event in good:
            quarantine.hold(connection, CONSUMER, encode(event), ValueError("no"), attempts=1, now=store.clock())
    wanted = quarantine.Filters(consumer=CONSUMER)
    tried = quarantine.replay(store.engine, CONSUMER, OPERATOR, wanted=wanted, dry_run=True)
    done = quarantine.replay(store.engine, CONSUMER, OPERATOR, wanted=wanted)
    assert sorted(done) == sorted(tried)
    assert (len(done), store.count("quarantine", "state = 'held' AND event_id IS NULL")) == (5, 5)


def test_discard_with_a_reason_lets_the_followers_go_on(store: Store) -> None:
    """A discarded event leaves no effect, its followers are handled, and a late copy of it is ignored."""
    poison = event_of("a", 1, "poison").model_copy(update={"version": 99})
    store.give(poison)
    store.give(event_of("a", 2))
    row_id = quarantine.held(store.engine)[0].id
    with pytest.raises(InvalidError):
        quarantine.discard(store.engine, CONSUMER, OPERATOR, row_id, "  ")
    quarantine.discard(store.engine, CONSUMER, OPERATOR, row_id, "sent by mistake")
    store.sweep()
    assert store.effects() == [("a", 2)]
    assert store.give(poison) is Outcome.DUPLICATE
    assert store.count("outbox", "type = 'loans.quarantine.discarded' AND body->>'reason' = 'sent by mistake'") == 1
    with pytest.raises(NotFoundError):
        quarantine.discard(store.engine, CONSUMER, OPERATOR, row_id, "again")


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
