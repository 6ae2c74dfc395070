"""Standing in: it begins and ends by itself, says for whom, and never makes two persons out of one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from grants_world import Case, Person, World
from sqlalchemy import text

from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def lend(world: World, by: Person, role: str, to: Person, expect: int = 201, **more: Any) -> Any:
    """Let somebody stand in from today on."""
    today, days = world.clock().date(), more.pop("days", 5)
    span = {"first_day": today.isoformat(), "last_day": (today + timedelta(days=days - 1)).isoformat()}
    return by.api("POST", "/delegations", expect, **(span | {"role": role, "delegate": to.identity.user} | more))


def recommended(world: World) -> Case:
    """Bring a case to where the approval is next; the manager recommended it."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    for reviewer in ("reviewer_one", "reviewer_two"):
        case.declare(reviewer)
        case.score(reviewer)
    case.move(world.officer, "finish-review")
    case.move(world.manager, "recommend", comment="Strong")
    return case


def test_row_09_a_delegation_does_not_get_round_two_persons(world: World) -> None:
    """Who stands in for the recommender can't approve, nor can the recommender come back to approve what was done."""
    case = recommended(world)
    lend(world, world.manager, "programme_manager", world.officer_two)
    body = {"transition": "approve", "version": case.seen(world.officer_two)["version"]}
    refused = world.officer_two.api("POST", f"{case.path}/moves", 409, **body)
    assert "a third person must do this one" in str(refused)
    case.move(world.officer_two, "return-to-panel", reason="Look again")
    case.move(world.officer_two, "recommend", comment="In her place")
    world.clock.forward(days=10)
    case.move(world.officer_two, "approve", expect=409)
    body = {"transition": "approve", "version": case.seen(world.manager)["version"]}
    after = world.manager.api("POST", f"{case.path}/moves", 409, **body)
    assert "a third person must do this one" in str(after), "it was done for her, and she is back"
    done = case.seen()["history"][-2]
    assert (done["role"], done["by_name"]) == ("programme_manager", "Dana Kuzmina (for Irena Nikolova)")


@pytest.mark.english
def test_row_09_the_stand_in_decides_for_who_is_away(world: World) -> None:
    """The stand-in sees the turns of who is away, each act says for whom, and the end takes it all back."""
    case = Case(world).submitted()
    version = case.seen()["version"]
    world.manager.api("POST", f"{case.path}/officer", officer=world.officer.identity.user, version=version)
    assert case.reference not in world.officer_two.page("/?q=holder:me")
    made = lend(world, world.officer, "officer", world.officer_two)
    page = world.officer_two.page("/?q=holder:me")
    assert "You, for Goran Ristov" in page
    assert case.reference in page
    assert "Dana Kuzmina acts for you." in world.officer.page("/day")
    case.move(world.officer_two, "request-information", reason="Which firms?")
    assert "Dana Kuzmina (for Goran Ristov)" in world.officer.page(f"{case.path}/timeline")
    with world.engine.connect() as connection:
        query = text("SELECT body->'actor'->>'on_behalf_of' FROM outbox ORDER BY row DESC LIMIT 1")
        assert connection.execute(query).scalar_one() == f"user:{world.officer.identity.user}"
    world.officer.post(f"/delegations/{made['id']}/end", version=made["version"])
    assert case.reference not in world.officer_two.page("/?q=officer:me")
    assert "ended by Goran Ristov" in world.officer_two.page("/delegations")


@pytest.mark.english
def test_who_may_let_whom_stand_in(world: World) -> None:
    """Another's absence is the manager's to say; nobody stands in for themselves, at second hand, or too long."""
    two, goran = world.officer_two, world.officer.identity.user
    lend(world, two, "officer", world.manager, 403, delegator=goran)
    lend(world, world.officer, "programme_manager", two, 422)
    lend(world, world.officer, "officer", world.officer, 422)
    lend(world, world.officer, "officer", world.applicant, 422)
    lend(world, world.officer, "officer", two, 422, days=93)
    lend(world, world.officer, "officer", two, 422, last_day="2026-01-01")
    lend(world, world.manager, "officer", two, delegator=goran)
    again = lend(world, two, "officer", world.manager, 409)
    assert "nobody stands in at second hand" in again["detail"]
    fields = {"role": "officer", "delegate": two.identity.user, **_days(world)}
    shown = world.officer.post("/delegations", 409, **fields).text
    first, last = world.clock(), world.clock() + timedelta(days=4)
    assert f"Dana Kuzmina acts for Goran Ristov from {first:%-d %b %Y} to {last:%-d %b %Y} already" in shown
    world.applicant.page("/delegations", 403)


def _days(world: World) -> dict[str, str]:
    return {"first_day": world.clock().date().isoformat(), "last_day": world.clock().date().isoformat()}
