"""Whether anything is missing from the record: every way in which an act can fail to reach it is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from completeness_world import House
from sqlalchemy import text

from shared.database import Context, UnitOfWork, system
from shared.messaging import manifests
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
