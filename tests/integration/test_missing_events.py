"""Gaps on a real database, without any broker: when they are alarmed, asked for again, and closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from shared.database import Context, UnitOfWork, system
from shared.events import Envelope
from shared.events.portal import UserDeactivated
from shared.messaging import backfill, gaps, inbox, positions
from shared.messaging.wire import encode
from shared.testing.backbone import CONSUMER, SOURCE, TYPE, event_of
from shared.testing.messages import alarm_of


def _nothing(_uow: UnitOfWork, _envelope: Envelope) -> None:
    return


def _give(engine: Engine, *events: Envelope) -> None:
    for event in events:
        inbox.handle(engine, CONSUMER, {TYPE: _nothing}, event, encode(event))


def _watch(engine: Engine, seconds: float) -> list[tuple[str, int, int, int]]:
    """Look so many seconds from now; return what was said: (act, first, last, asked)."""
    later = datetime.now(UTC) + timedelta(seconds=seconds)
    with engine.begin() as connection:
        before = connection.execute(text("SELECT coalesce(max(row), 0) FROM outbox")).scalar_one()
    with UnitOfWork(engine, CONSUMER, Context(actor=system(CONSUMER)), clock=lambda: later) as uow:
        gaps.watch(uow)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT type, body->'data' AS data FROM outbox WHERE row > :row ORDER BY row"), {"row": before}
        )
        return [(row.type.split(".")[2], *(row.data[name] for name in ("first", "last", "asked"))) for row in rows]


def test_a_gap_is_alarmed_after_its_grace_and_asked_for_less_and_less_often(engine: Engine) -> None:
    """Nothing before 45 seconds; then at once, after 30 s more, 2 min more, and not in between."""
    _give(engine, event_of("a", 1), event_of("a", 4))
    assert _watch(engine, 40) == []
    assert _watch(engine, 50) == [("alarmed", 2, 3, 1)]
    assert _watch(engine, 70) == []
    assert _watch(engine, 81) == [("alarmed", 2, 3, 2)]
    assert _watch(engine, 150) == []
    assert _watch(engine, 202) == [("alarmed", 2, 3, 3)]


def test_a_gap_that_is_being_filled_stays_one_alarm(engine: Engine) -> None:
    """When its first event comes it shrinks in silence; when the last one comes it is closed, and said to be."""
    two, three = event_of("a", 2), event_of("a", 3)
    _give(engine, event_of("a", 1), event_of("a", 4))
    assert _watch(engine, 50) == [("alarmed", 2, 3, 1)]
    _give(engine, two)
    assert _watch(engine, 55) == []
    _give(engine, three)
    assert _watch(engine, 60) == [("closed", 3, 3, 1)]
    assert _watch(engine, 99) == []


def test_who_waits_behind_a_held_or_a_retried_event_is_no_gap(engine: Engine) -> None:
    """Followers of an event that is in quarantine, or that will be tried again, miss nothing."""

    def fail(_uow: UnitOfWork, _envelope: Envelope) -> None:
        raise TimeoutError("not now")

    held = event_of("a", 1).model_copy(update={"version": 99})
    _give(engine, held, event_of("a", 2))
    retried = event_of("b", 1)
    inbox.handle(engine, CONSUMER, {TYPE: fail}, retried, encode(retried))
    _give(engine, event_of("b", 2))
    assert _watch(engine, 3600) == []


def test_a_number_beyond_all_reason_costs_no_more_than_another(engine: Engine) -> None:
    """A stranger's sequence of 2**52 is one gap; nobody counts up to it."""
    _give(engine, event_of("a", 2**52))
    assert _watch(engine, 50) == [("alarmed", 1, 2**52 - 1, 1)]


def test_a_source_sends_again_what_it_has_and_says_what_it_has_not(engine: Engine) -> None:
    """Only the published rows of that entity and those numbers go out again, under their positions."""
    rows = [("user:a", number) for number in (1, 2, 3)] + [("user:b", 1)]
    with UnitOfWork(engine, SOURCE, Context(actor=system(SOURCE))) as uow:
        for entity, _ in rows:
            uow.record(UserDeactivated(user_id="a", reason="ok"), entity=entity)
    with engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET published_at = now(), position = row"))
        alarm = alarm_of("a", 2, 5)
        assert backfill.send_again(connection, alarm) == (2, 2)
        again = connection.execute(text("SELECT entity, sequence FROM outbox WHERE published_at IS NULL ORDER BY row"))
        assert [tuple(row) for row in again] == [("user:a", 2), ("user:a", 3)]
        assert (
            backfill.send_again(connection, alarm.model_copy(update={"counted": "position", "about": SOURCE}))[0] == 3
        )


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sets(st.integers(1, 40), min_size=1, max_size=12), max_size=5))
def test_what_is_lacking_is_what_was_not_seen(database: Engine, batches: list[set[int]]) -> None:
    """In whatever order and batches positions come, the gaps are the numbers below the last that never came."""
    with database.begin() as connection:
        connection.execute(text("DELETE FROM inbox_gap"))
        connection.execute(text("DELETE FROM inbox_source"))
    seen: set[int] = set()
    for batch in batches:
        fresh = batch - seen
        seen |= batch
        with database.begin() as connection:
            positions.note(connection, CONSUMER, [(SOURCE, position) for position in fresh])
    with database.connect() as connection:
        rows = connection.execute(text("SELECT first, last FROM inbox_gap WHERE closed_at IS NULL")).all()
    lacking = [number for row in rows for number in range(row.first, row.last + 1)]
    assert sorted(lacking) == [number for number in range(1, max(seen, default=0)) if number not in seen]
