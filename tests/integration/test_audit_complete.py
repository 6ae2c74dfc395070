"""Whether anything is missing from the record: every way in which an act can fail to reach it is found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from completeness_world import House
from sqlalchemy import Connection, text

from services.audit import handlers
from services.audit.handlers import manifests as judging
from shared.database import Context, UnitOfWork, system
from shared.messaging import backfill, manifests
from shared.messaging.inbox import StorageDownError
from shared.messaging.wire import Received, decode
from shared.testing.stand import Stand

LATER = 3600  # seconds: beyond all patience


@pytest.fixture
def house(stand: Stand) -> House:
    """Give grants and an empty record."""
    return House(stand)


def test_what_arrived_whole_is_found_sound(house: House) -> None:
    """A manifest of what the log holds is sound at once, and nobody hears of it."""
    house.act(count=3)
    house.carry()
    house.manifest()
    house.carry()
    house.compare()
    assert house.verdicts() == ["sound"]
    assert house.recorded("manifest.disputed") == []


def test_t10_the_last_message_that_is_lost_is_found_and_its_return_ends_the_alarm(house: House) -> None:
    """T10: nothing follows the lost message but the manifest; the alarm names the positions, and ends when it comes."""
    house.act(count=2)
    house.carry()
    [last] = house.act("attempt:last")
    house.carry(lambda row: row["id"] == last)
    house.manifest()
    house.carry()
    house.compare()
    assert house.verdicts() == ["waiting"]
    house.compare(later=LATER)
    [alarm] = house.recorded("manifest.disputed")
    assert (alarm["of"], alarm["verdict"], alarm["told"], alarm["found"]) == ("grants", "missing", 3, 2)
    assert (alarm["first"], alarm["last"]) == (1, 3)
    house.compare(later=2 * LATER)
    assert len(house.recorded("manifest.disputed")) == 1
    house.destroy("UPDATE outbox SET published_at = NULL WHERE id = :id", id=last)
    house.carry()
    house.compare(later=LATER)
    assert house.verdicts() == ["sound"]
    assert [item["last"] for item in house.recorded("manifest.settled")] == [3]


def test_t11_the_first_message_of_an_entity_nobody_knows_is_found(house: House) -> None:
    """T11: an entity of which the record never heard is missed by its position, asked for, and in the manifest."""
    house.act()
    house.carry()
    [first] = house.act("attempt:unheard-of")
    house.carry(lambda row: row["id"] == first)
    house.manifest()
    house.carry()
    house.watch(later=LATER)
    house.compare(later=LATER)
    [gap] = house.recorded("gap.alarmed")
    assert (gap["of"], gap["counted"], gap["first"], gap["last"]) == ("grants", "position", 2, 2)
    assert house.verdicts() == ["missing"]


@pytest.mark.parametrize("known", [False, True])
def test_t12_a_row_deleted_before_it_was_sent_is_found(house: House, known: bool) -> None:
    """T12: no position is missing, yet the counters of the entities know of one event more than ever went out."""
    if known:
        house.act("attempt:victim")
    house.act("attempt:other")
    house.carry()
    house.manifest()
    [victim] = house.act("attempt:victim")
    house.act("attempt:other")
    house.destroy("DELETE FROM outbox WHERE id = :id", id=victim)
    house.carry()
    house.manifest()
    house.carry()
    house.compare(later=LATER)
    assert house.verdicts() == ["sound", "deleted"]
    [alarm] = house.recorded("manifest.disputed")
    assert (alarm["verdict"], alarm["deleted"]) == ("deleted", 1)
    house.manifest()
    house.carry()
    house.compare(later=LATER)
    assert house.verdicts() == ["sound", "deleted", "sound"]


def test_a_row_deleted_after_its_number_was_given_is_found(house: House) -> None:
    """What was sent, lost on the way and deleted at its source can't be sent again: its position stays disputed."""
    [victim] = house.act()
    house.act("attempt:2")
    house.carry(lambda row: row["id"] == victim)
    house.destroy("DELETE FROM outbox WHERE id = :id", id=victim)
    house.manifest()
    house.carry()
    house.compare(later=LATER)
    assert house.verdicts() == ["deleted"]


def test_another_event_under_a_known_position_is_found(house: House) -> None:
    """Both sides count alike and still differ: the digest has every id."""
    [swapped] = house.act()
    house.carry()
    house.destroy("UPDATE outbox SET id = gen_random_uuid() WHERE id = :id", id=swapped)
    house.manifest()
    house.carry()
    house.compare(later=LATER)
    assert house.verdicts() == ["different"]


def test_a_silent_source_tells_that_nothing_happened_and_a_busy_one_more_often(house: House) -> None:
    """Without news a manifest comes once an hour; with news once a minute; two at once are told once."""
    house.act()
    house.carry()
    house.manifest()
    house.carry()

    def due(seconds: float) -> bool:
        with UnitOfWork(house.source, "grants", Context(actor=system("grants"))) as uow:
            said = manifests.publish(uow, now=datetime.now(UTC) + timedelta(seconds=seconds))
            uow.abandon()
        return said

    assert (due(manifests.SECONDS + 1), due(manifests.IDLE_SECONDS + 1)) == (False, True)
    house.act()
    house.carry()
    assert (due(1), due(manifests.SECONDS + 1)) == (False, True)


def test_events_on_their_way_are_in_no_manifest(house: House) -> None:
    """What waits for its position is counted as waiting, not as deleted, and the span ends before it."""
    house.act()
    house.carry()
    house.act(count=2)
    house.manifest()
    house.carry()
    with house.audit.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM manifest")).scalar_one() == 0
    house.compare()
    with house.audit.connect() as connection:
        row = connection.execute(text("SELECT last, events, deleted FROM manifest")).one()
    assert (row.last, row.events, row.deleted) == (1, 1, 0)


def types_of(house: House) -> list[str]:
    """Return the types of the events in the log, in its order."""
    with house.audit.connect() as connection:
        return list(connection.execute(text("SELECT type FROM event ORDER BY leaf_index")).scalars())


def holes(house: House) -> int:
    """Return how many gaps in positions are known."""
    with house.audit.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM inbox_gap WHERE closed_at IS NULL")).scalar_one())


def test_t7_a_crash_between_the_copy_and_the_commit_leaves_one_leaf_each(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T7: the rows were copied, the connection dies before the commit, all comes again twice: one leaf an event."""
    house.act(count=5)
    messages = house.relay()
    append = handlers.append
    copied = []

    def crash(connection: Connection, received: Sequence[Received]) -> None:
        append(connection, received)
        copied.append(connection.execute(text("SELECT count(*) FROM event")).scalar_one())
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with house.audit_root.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "append", crash)
        with pytest.raises(StorageDownError):
            house.deliver(messages)
    assert (copied, house.leaves()) == ([5], 0)
    house.deliver([*messages, *messages])
    house.deliver(messages)
    assert house.leaves() == 5
    house.manifest()
    house.carry()
    house.compare()
    assert house.verdicts() == ["sound"]


def test_t8_out_of_order_a_gap_opens_and_closes_without_an_alarm(house: House) -> None:
    """T8: an entity's events arrive backwards; each is a leaf, the hole is known until it is filled, nobody is told."""
    house.act(count=4)
    messages = house.relay()
    open_then = []
    for message in reversed(messages):
        house.deliver([message])
        house.watch()
        open_then.append(holes(house))
    assert open_then == [1, 1, 1, 0]
    assert house.recorded("gap.alarmed") == []
    house.manifest()
    house.carry()
    house.compare()
    assert house.verdicts() == ["sound"]


def test_t9_what_was_lost_in_the_middle_is_alarmed_asked_for_and_comes(house: House) -> None:
    """T9: after the grace the gap is an event in the log, the source sends again by itself, and the gap closes."""
    house.act(count=2)
    lost = house.act("attempt:middle", count=2)
    house.act(count=2)
    house.carry(lambda row: row["id"] in lost)
    house.watch()
    assert house.recorded("gap.alarmed") == []
    house.watch(later=LATER)
    [alarm] = house.recorded("gap.alarmed")
    assert (alarm["first"], alarm["last"], alarm["waiting"]) == (3, 4, 0)
    own = house.relay(source="audit")
    house.deliver(own)
    for message in own:
        backfill.answer(house.source, "grants", decode(message))
    house.carry()
    house.watch(later=LATER)
    house.deliver(house.relay(source="audit"))
    assert holes(house) == 0
    told = [kind for kind in types_of(house) if kind.startswith(("audit.gap.", "grants.backfill."))]
    assert told == ["audit.gap.alarmed", "grants.backfill.answered", "audit.gap.closed"]
    house.manifest()
    house.carry()
    house.compare()
    assert house.verdicts() == ["sound"]


def test_t21_a_clock_that_jumps_back_an_hour_changes_no_order_and_is_flagged(house: House) -> None:
    """T21: leaves stand in the order of positions whatever their times say, and the source's clock is told of."""
    house.act()
    house.act(off=-3600)
    house.act()
    house.carry()
    house.manifest()
    house.carry()
    house.compare()
    with house.audit.connect() as connection:
        order = connection.execute(text("SELECT position FROM event ORDER BY leaf_index")).scalars().all()
        [grants] = [item for item in judging.standings(connection, datetime.now(UTC)) if item.source == "grants"]
    assert order == sorted(order)
    assert house.verdicts() == ["sound"]
    assert (grants.skewed, grants.state, grants.skew_ms // 60_000) == (True, "look", 60)
