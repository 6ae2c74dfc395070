"""The panel: its ranking and cut, who leaves for which case, the frozen record, and what is carried out of it."""

from __future__ import annotations

from typing import Any

import pytest
from grants_world import PROGRAMME, Case, World
from sqlalchemy import text

from services.grants.handlers.bulk import Runner
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each

CALL = "bso-grants-2026"


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give three cases before the panel: scores 80, 70 and 40, of which the last is below the threshold."""
    world = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    world.cases = [scored(world, *points) for points in ((4, 4), (5, 2), (2, 2))]  # type: ignore[attr-defined]
    return world


def scored(world: World, first: int, second: int) -> str:
    """Bring a case to the panel with these points; returns its reference."""
    case = Case(world).in_review("reviewer_one", "reviewer_two", "reviewer_three")
    for reviewer, points in (("reviewer_one", first), ("reviewer_two", second)):
        case.declare(reviewer)
        case.score(reviewer, points)
    if first != second:
        world.officer.api("POST", f"{case.path}/moderation", outcome="discussed", note="Both keep their scores")
    case.move(world.officer, "finish-review")
    return case.reference


def proposals(world: World, **changed: Any) -> dict[str, Any]:
    """Return what a panel recommends for the three: fund, fund less, reject."""
    best, middle, last = world.cases  # type: ignore[attr-defined]
    less = {"outcome": "fund_less", "amount": {"amount": "30000", "currency": "EUR"}}
    return {
        best: {"outcome": "fund"},
        middle: less,
        last: {"outcome": "reject", "reason_code": "below-threshold"},
    } | changed


def test_the_ranking_names_cut_threshold_spread_and_conflicts(world: World) -> None:
    """Each application has its rank, what it and those above take, and what the panel must look at."""
    best, middle, last = world.cases  # type: ignore[attr-defined]
    with world.engine.begin() as connection:  # a call with less money than is asked for
        poor = """UPDATE pack SET sha256 = 'poor', content = jsonb_set(content, :path, '"75000"')"""
        connection.execute(text(poor), {"path": ["calls", CALL, "budget", "amount"]})
    found = world.officer.api("GET", f"/panels/ranking?programme={PROGRAMME}&call={CALL}")
    lines = {line["candidate"]["reference"]: line for line in found["lines"]}
    assert [line["rank"] for line in lines.values()] == [1, 2, 3]
    assert (lines[best]["mean"], lines[best]["fits"], lines[best]["cumulative"]["amount"]) == (
        "80.00",
        True,
        "40000.00",
    )
    assert (lines[middle]["wide"], lines[middle]["spread"], lines[middle]["fits"]) == (True, "60.00", False)
    assert (found["cut"], lines[last]["reaches"]) == (2, False)
    page = world.officer.page(f"/panels?call={CALL}")
    assert "the money ends here" in page
    assert "scores 60.00 apart" in page
    every = world.officer.page("/panels")  # where the menu leads: each call with what waits for its panel
    assert f"/grants/panels?programme={PROGRAMME}&amp;call={CALL}" in every
    assert "3 applications wait for the panel" in every
    world.finance.page("/panels", 403)
    world.finance.page(f"/panels?call={CALL}", 403)
    world.reviewer_one.page(f"/panels?call={CALL}", 403)


def test_a_record_is_frozen_followed_and_carried_out(world: World) -> None:
    """What does not add up is refused with the figures; the frozen record replays; its moves are one act on many."""
    best, middle, last = world.cases  # type: ignore[attr-defined]
    panel = world.manager.api("POST", "/panels", programme=PROGRAMME, call=CALL)
    world.officer.api("POST", "/panels", 409, programme=PROGRAMME, call=CALL)
    who = {name: world.people[name].identity.user for name in ("officer", "reviewer_one", "reviewer_three")}
    there = [{"user": user} for user in who.values()]
    both = proposals(world) | {middle: {"outcome": "fund"}, best: {"outcome": "reserve"}}
    body = {"members": there, "minutes": "Discussed.", "proposals": both}
    panel = world.manager.api("PUT", f"/panels/{panel['id']}", version=panel["version"], **body)
    out = next(member for member in panel["members"] if member["user"] == who["reviewer_three"])
    assert out["left"] == dict.fromkeys((best, middle, last), "derived")
    wrong = world.manager.api("POST", f"/panels/{panel['id']}/freeze", 422, version=panel["version"])
    rules = {item["field"]: item["rule"] for item in wrong["errors"]}
    assert rules[f"proposals.{middle}"] == f"is funded before {best} with a higher score: say why"
    body["proposals"] = proposals(world) | {middle: {"outcome": "fund"}}
    panel = world.manager.api("PUT", f"/panels/{panel['id']}", version=panel["version"], **body)
    wrong = world.manager.api("POST", f"/panels/{panel['id']}/freeze", 422, version=panel["version"])
    assert "80,000.00\xa0EUR, available 75,000.00\xa0EUR: 5,000.00\xa0EUR too much" in wrong["errors"][0]["rule"]
    form = {"version": panel["version"], "member": list(who.values()), "minutes": "Discussed.", "go": "freeze"}
    form |= {f"outcome.{best}": "fund", f"outcome.{middle}": "fund_less", f"outcome.{last}": "reject"}
    refused = world.manager.post(f"/panels/{panel['id']}", 422, **form).text
    assert "needs an amount below the 40,000.00" in refused
    form |= {f"amount.{middle}": "30000", f"reason_code.{last}": "below-threshold"}
    world.manager.post(f"/panels/{panel['id']}", **form)
    record = world.auditor.api("GET", f"/panels/{panel['id']}/record")
    assert (record["hash_holds"], record["ranking_follows"]) == (True, True)
    assert "the ranking follows from the scores" in world.auditor.page(f"/panels/{panel['id']}")
    version = world.manager.api("GET", f"/panels/{panel['id']}")["version"]
    world.manager.api("PUT", f"/panels/{panel['id']}", 409, version=version, **body)
    plan = world.manager.api("POST", f"/panels/{panel['id']}/carrying-out", version=version)
    assert (plan["total"], plan["expected"]) == (3, 3)
    world.manager.api("POST", f"/bulk/{plan['id']}/start", 202, version=plan["version"])
    Runner(world.engine, clock=world.clock).run()
    again = world.manager.api("POST", f"/panels/{panel['id']}/carrying-out", 409, version=version)
    assert "was carried out already" in again["detail"]
    done = world.manager.page(f"/panels/{panel['id']}")
    assert "Try out what is recommended" not in done
    assert "3 of 3 cases followed" in done
    made = world.manager.api("GET", f"/applications/{middle}/decision")["recommendation"]
    assert (made["amount"]["amount"], made["outcome"], made["panel"]) == ("30000.00", "fund_less", panel["id"])
    assert world.manager.api("GET", f"/applications/{last}")["stage"] == "rejected"
    sat = world.officer.api("GET", f"/applications/{best}")
    blocked = next(move for move in sat["moves"] if move["id"] == "approve")["blockers"]
    assert "approvals-recommender" in {item["code"] for item in blocked}
    # A record that somebody changed in the database has no longer the hash that was published when it was frozen.
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE panel SET state = jsonb_set(state, '{selection,minutes}', '\"Other\"')"))
        panel = connection.execute(text("SELECT id FROM panel")).scalar_one()
    assert world.auditor.api("GET", f"/panels/{panel}/record")["hash_holds"] is False
    assert "NOT AS RECORDED" in world.auditor.page(f"/panels/{panel}")
