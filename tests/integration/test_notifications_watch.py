"""The letter to auditors about what the watch over the log found."""

from __future__ import annotations

import pytest
from notifications_world import World

from shared.events.audit import HitFound
from shared.testing.stand import Stand


@pytest.fixture
def world(stand: Stand) -> World:
    """Give a notifications service that knows two auditors and an officer."""
    world = World(stand.database("notifications"))
    for key, role, locale in (("vera", "auditor", "en"), ("nina", "auditor", "ru"), ("goran", "officer", "en")):
        facts = {"name": key.title(), "email": f"{key}@example.org", "roles": [role], "locale": locale}
        world.person(key, **facts)
    return world


def found(world: World, number: int) -> None:
    """Let the watch find something about Goran."""
    facts = {"rule": "refusals_in_a_burst", "of": None, "person": "user:goran", "about": "BSO-2026-0007"}
    hit = HitFound(
        hit_id=f"{number:032x}", **facts, facts={"count": "11"}, evidence=[], leaf=number, happened_at=world.clock()
    )
    world.arrive(hit, f"hit:{number:032x}")


def test_auditors_are_told_once_a_day_and_nothing_of_whom(world: World) -> None:
    """Many hits of a day are one letter to each auditor in their language, by both ways, that names nobody."""
    for number in range(1, 6):
        found(world, number)
    letters = world.deliveries()
    assert {(item.recipient, item.channel, item.locale) for item in letters} == {
        ("vera", "inbox", "en"),
        ("vera", "email", "en"),
        ("nina", "inbox", "ru"),
        ("nina", "email", "ru"),
    }
    assert len(letters) == 4
    assert all("goran" not in item.text.casefold() and "BSO" not in item.text for item in letters)
    assert all(item.link.endswith("/audit/watch") and item.link in item.text for item in letters)
    assert next(item for item in letters if item.locale == "ru").subject == "Наблюдение за журналом аудита сработало"
    world.clock.forward(days=1)
    found(world, 9)
    assert len(world.deliveries()) == 8
