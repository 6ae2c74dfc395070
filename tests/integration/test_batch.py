"""The batch consumer on a real database: one transaction for many, and one bad event spoils nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from shared.database import engine_for
from shared.events import Actor
from shared.messaging import batch, quarantine
from shared.messaging.inbox import Outcome, StorageDownError
from shared.messaging.wire import Raw, Received, encode
from shared.testing.backbone import effect, event_of
from shared.testing.behaviour import behave

CONSUMER = "audit"
APPLIED, DUPLICATE, QUARANTINED = Outcome.APPLIED, Outcome.DUPLICATE, Outcome.QUARANTINED


def act(connection: Connection, batch_: list[Received]) -> None:
    """Write an effect for each event; fail as the event says."""
    for item in batch_:
        effect(connection, item.envelope)
        behave(item.envelope)


def mended(connection: Connection, batch_: list[Received]) -> None:
    """Write an effect for each event: the bug is gone."""
    for item in batch_:
        effect(connection, item.envelope)


def _effects(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT entity FROM effect ORDER BY at")).scalars())


def test_each_event_counts_once_within_a_batch_and_across_batches(engine: Engine) -> None:
    """Twice in one batch, and again in the next: one effect, and every message may be acked."""
    a, b = encode(event_of("a", 1)), encode(event_of("b", 1))
    assert batch.handle_batch(engine, CONSUMER, act, [a, b, a]) == [APPLIED, APPLIED, DUPLICATE]
    assert batch.handle_batch(engine, CONSUMER, act, [b, a]) == [DUPLICATE, DUPLICATE]
    assert _effects(engine) == ["user:a", "user:b"]


def test_the_order_of_arrival_is_kept(engine: Engine) -> None:
    """Events are given on in the order in which they came."""
    raws = [encode(event_of(f"{number:03}", 1)) for number in range(50)]
    batch.handle_batch(engine, CONSUMER, act, raws)
    assert _effects(engine) == sorted(_effects(engine))
    assert len(_effects(engine)) == 50


def test_one_poisoned_and_one_unreadable_message_are_isolated(engine: Engine) -> None:
    """Both are held with their bytes, the others have their effect, in their order."""
    raws = [encode(event_of(name, 1, "poison" if name == "c" else "ok")) for name in "abcde"]
    outcomes = batch.handle_batch(engine, CONSUMER, act, [*raws, Raw({}, b"{not json")])
    assert outcomes == [APPLIED, APPLIED, QUARANTINED, APPLIED, APPLIED, QUARANTINED]
    assert _effects(engine) == ["user:a", "user:b", "user:d", "user:e"]
    assert sorted(row.attempts for row in quarantine.held(engine)) == [1, 1]


def test_a_held_event_stays_held_until_it_is_replayed(engine: Engine) -> None:
    """A redelivery changes nothing; after replay the sweep gives it on, and the row says so."""
    raw = encode(event_of("a", 1, "poison"))
    batch.handle_batch(engine, CONSUMER, act, [raw])
    assert batch.handle_batch(engine, CONSUMER, mended, [raw]) == [DUPLICATE]
    [held] = quarantine.held(engine)
    quarantine.replay(engine, CONSUMER, Actor(id="operator:test"), quarantine_id=held.id)
    assert batch.sweep_batch(engine, CONSUMER, mended) == 1
    assert batch.sweep_batch(engine, CONSUMER, mended) == 0
    assert _effects(engine) == ["user:a"]
    assert [row.state for row in quarantine.held(engine, state=None)] == ["replayed"]


def test_a_transient_failure_of_a_batch_acks_nothing(engine: Engine) -> None:
    """The whole batch is rolled back and stays with the broker."""

    def blink(connection: Connection, batch_: list[Received]) -> None:
        act(connection, batch_)
        raise OperationalError("blink", {}, Exception("gone"))

    with pytest.raises(StorageDownError):
        batch.handle_batch(engine, CONSUMER, blink, [encode(event_of("a", 1))])
    assert _effects(engine) == []
    assert quarantine.held(engine) == []


def test_an_unreachable_database_acks_nothing(database: Engine) -> None:
    """Neither a batch, nor a message to refuse, nor the sweep goes on without storage."""
    away = engine_for(database.url.set(port=1).render_as_string(hide_password=False))
    for raws in ([encode(event_of("a", 1))], [Raw({}, b"?")]):
        with pytest.raises(StorageDownError):
            batch.handle_batch(away, CONSUMER, act, raws)
    with pytest.raises(StorageDownError):
        batch.sweep_batch(away, CONSUMER, act)
    away.dispose()
