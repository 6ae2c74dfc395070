"""What a consumer can't handle, on a real database: held with its bytes, replayed under its own id, or given up."""

from __future__ import annotations

from uuid import UUID

import pytest
from consumer_store import Store
from sqlalchemy import text

from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events import Actor
from shared.messaging import quarantine
from shared.messaging.inbox import Outcome
from shared.messaging.wire import Raw, encode
from shared.testing.backbone import CONSUMER, SOURCE, event_of

OPERATOR = Actor(id="operator:test")


def _poison(store: Store, entity: str) -> None:
    assert store.give(event_of(entity, 1, "poison")) is Outcome.PARKED
    for wait in (1, 5):
        store.clock.forward(wait)
        store.sweep()


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
    """A second replay is told who did the first, and a redelivery in between finds the event done."""
    event = event_of("a", 1).model_copy(update={"version": 99})
    store.give(event)
    row_id = quarantine.held(store.engine)[0].id
    with store.engine.begin() as connection:  # the fix: a release that reads what the former one did not
        connection.execute(text("""UPDATE quarantine SET headers = headers || '{"cloudEvents_dataversion": "1"}'"""))

    def replay() -> list[UUID]:
        return quarantine.replay(store.engine, CONSUMER, OPERATOR, quarantine_id=row_id, clock=store.clock)

    assert len(replay()) == 1
    with pytest.raises(ConflictError, match=r"operator:test has replayed this event at 2026-03-02 09:00:00 UTC"):
        replay()
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
    with pytest.raises(ConflictError, match=r"operator:test has discarded this event at .* UTC: sent by mistake"):
        quarantine.discard(store.engine, CONSUMER, OPERATOR, row_id, "again")
    with pytest.raises(NotFoundError):
        quarantine.discard(store.engine, CONSUMER, OPERATOR, UUID(int=0), "never was")
