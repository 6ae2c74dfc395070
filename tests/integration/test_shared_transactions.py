"""Events that wait together share a transaction: the guarantees are those of events that came alone."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import Engine, text

from shared.database import UnitOfWork, engine_for
from shared.events import Envelope
from shared.messaging import inbox
from shared.messaging.inbox import Outcome
from shared.messaging.wire import Raw, encode
from shared.testing.backbone import CONSUMER, TYPE, effect, event_of
from shared.testing.behaviour import behave


def _on_event(uow: UnitOfWork, envelope: Envelope) -> None:
    effect(uow.connection, envelope)
    behave(envelope)


def _give(engine: Engine, *events: Envelope | Raw) -> list[Outcome]:
    raws = [event if isinstance(event, Raw) else encode(event) for event in events]
    return inbox.receive_all(engine, CONSUMER, {TYPE: _on_event}, raws)


def _effects(engine: Engine) -> list[tuple[str, int]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT entity, sequence FROM effect ORDER BY at")).all()
    return [(row.entity.removeprefix("user:"), row.sequence) for row in rows]


def test_what_waits_together_is_one_transaction_in_the_order_of_arrival(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five events of two entities leave five effects, in their order, all written by one transaction."""
    monkeypatch.setattr(inbox, "_SHARE", 60.0)
    events = [event_of("a", 1), event_of("b", 1), event_of("a", 2), event_of("a", 3), event_of("b", 2)]
    assert _give(engine, *events) == [Outcome.APPLIED] * 5
    assert _effects(engine) == [("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2)]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(DISTINCT xmin::text) FROM inbox")).scalar_one() == 1


def test_a_transaction_takes_up_no_more_when_its_time_is_over(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time to share, six events that are asked about in twos are three transactions; all have their effect."""
    monkeypatch.setattr(inbox, "_SHARE", 0.0)
    monkeypatch.setattr(inbox, "_AT_ONCE", 2)
    assert _give(engine, *(event_of("a", number) for number in range(1, 7))) == [Outcome.APPLIED] * 6
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(DISTINCT xmin::text) FROM inbox")).scalar_one() == 3


def test_one_that_fails_takes_no_other_with_it(engine: Engine) -> None:
    """The failing event is put off and its follower waits; those before, between and after have one effect each."""
    events = [event_of("a", 1), event_of("b", 1, "poison"), event_of("c", 1), event_of("b", 2), event_of("c", 2)]
    parked, applied = Outcome.PARKED, Outcome.APPLIED
    assert _give(engine, *events) == [applied, parked, applied, parked, applied]
    assert _effects(engine) == [("a", 1), ("c", 1), ("c", 2)]


def test_what_came_too_early_and_its_predecessor_arrive_together(engine: Engine) -> None:
    """The second event before the first, in one delivery: both are handled at once, in their order."""
    assert _give(engine, event_of("a", 2), event_of("b", 1), event_of("a", 1)) == [
        Outcome.PARKED,
        Outcome.APPLIED,
        Outcome.APPLIED,
    ]
    assert _effects(engine) == [("b", 1), ("a", 1), ("a", 2)]


def test_known_and_new_events_of_several_entities_arrive_together(engine: Engine) -> None:
    """Beside each other: one handled before, the next of its entity, one too early, a whole entity, one late again."""
    known, late = event_of("a", 1), event_of("d", 1)
    assert _give(engine, known, late) == [Outcome.APPLIED] * 2
    events = [known, event_of("a", 2), event_of("b", 2), event_of("c", 1), event_of("c", 2), event_of("d", 2), late]
    assert _give(engine, *events) == [
        Outcome.DUPLICATE,
        Outcome.APPLIED,
        Outcome.PARKED,
        Outcome.APPLIED,
        Outcome.APPLIED,
        Outcome.APPLIED,
        Outcome.DUPLICATE,
    ]
    assert _effects(engine) == [("a", 1), ("d", 1), ("a", 2), ("c", 1), ("c", 2), ("d", 2)]
    assert _give(engine, event_of("b", 1), event_of("c", 3)) == [Outcome.APPLIED] * 2
    assert _effects(engine)[6:] == [("b", 1), ("c", 3), ("b", 2)]


def test_a_hole_among_events_that_arrive_together_parks_what_is_behind_it(engine: Engine) -> None:
    """The first two of five with the third missing: two effects, two wait, and the third brings them all in order."""
    assert _give(engine, *(event_of("a", number) for number in (1, 2, 4, 5))) == [
        Outcome.APPLIED,
        Outcome.APPLIED,
        Outcome.PARKED,
        Outcome.PARKED,
    ]
    assert _give(engine, event_of("a", 3), event_of("b", 1)) == [Outcome.APPLIED] * 2
    assert sorted(_effects(engine)) == [*(("a", number) for number in range(1, 6)), ("b", 1)]


def test_twice_in_one_delivery_and_rubbish_between(engine: Engine) -> None:
    """A duplicate has no second effect, an unreadable message is held, and each outcome stands in its place."""
    one = event_of("a", 1)
    given = _give(engine, one, Raw(headers={}, body=b"{not json"), one, event_of("b", 1))
    assert given == [Outcome.APPLIED, Outcome.QUARANTINED, Outcome.DUPLICATE, Outcome.APPLIED]
    assert _effects(engine) == [("a", 1), ("b", 1)]


def test_a_connection_that_the_server_has_closed_is_replaced(engine: Engine) -> None:
    """Work goes on after the server ended an idle connection, without anybody seeing an error."""
    ours = engine_for(engine.url.render_as_string(hide_password=False), application_name=f"closed {os.getpid()}")
    with ours.connect() as connection:
        first = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    with ours.connect() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != first
    ours.dispose()
