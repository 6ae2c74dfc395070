"""Due diligence's result: the assessment and its score, its reuse while it is valid, conditions in the agreement."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from grants_world import Case, World

from shared.testing.stand import Stand

STRONG = {"accounts": "audited", "grants": "several", "staff": "own", "purchasing": "written"}
WEAK = STRONG | {"accounts": "none", "staff": "mixed"}
VISIT = "An officer visits before the second payment."
ACCOUNTANT = "An accountant is engaged before the first payment."


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def in_diligence(world: World) -> Case:
    """Bring a case to due diligence."""
    case = Case(world).submitted()
    case.checks("eligibility")
    case.move(world.officer, "pass-screening")
    return case


def assess(case: Case, chosen: dict[str, str], expect: int = 200, **more: Any) -> Any:
    """Finish the assessment as the officer."""
    answers = {name: {"option": option, "note": "Seen"} for name, option in chosen.items()}
    body = {"answers": answers, "finish": True} | more
    return case.world.officer.api("PUT", f"{case.path}/capacity", expect=expect, **body)


@pytest.mark.english
def test_the_assessment_is_scored_and_its_conditions_reach_the_agreement(world: World) -> None:
    """Points are counted by the pack; conditions name their source; leaving one out needs a reason and is recorded."""
    case, officer = in_diligence(world), world.officer
    page = officer.page(f"{case.path}/capacity")
    assert "How are its accounts kept?" in page
    refused = officer.post(f"{case.path}/capacity", 422, version=0, go="finish", **{"option.accounts": "none"})
    assert 'href="#f-answers.staff"' in refused.text
    assert 'value="none" checked' in refused.text
    assert "must be one of: written, none" in str(assess(case, WEAK | {"purchasing": "maybe"}, 422))
    made = assess(case, WEAK)
    assert (made["result"]["points"], made["result"]["most"], made["result"]["percent"]) == (21, 35, "60.0")
    assess(case, WEAK, 409)  # somebody else began it meanwhile
    assert world.applicant.request("GET", f"/api{case.path}/capacity").status_code in {403, 404}

    case.checks("due-diligence", "medium")
    case.ask("reviewer_one", "reviewer_two")
    case.move(officer, "start-review")
    assess(case, STRONG, 409, version=made["version"])  # too late
    for reviewer in ("reviewer_one", "reviewer_two"):
        case.declare(reviewer)
        case.score(reviewer)
    case.move(officer, "finish-review")
    case.move(officer, "recommend", comment="Strong")
    case.move(world.manager, "approve")
    shown = officer.page(f"{case.path}/money")
    assert VISIT in shown
    assert ACCOUNTANT in shown
    assert "Because the risk is rated: medium" in shown
    amount = {"amount": "40000", "currency": "EUR"}
    offer = {"milestones": [{"title": "All", "due": "2026-09-01", "amount": amount}], "conditions": "Report"}
    offer["version"] = case.seen()["version"]
    path = f"{case.path}/award"
    wrong = officer.api("POST", path, expect=422, **offer, dropped={"capacity.accounts": " ", "capacity.x": "y"})
    assert {item["field"] for item in wrong["errors"]} == {"dropped.capacity.accounts", "dropped.capacity.x"}
    agreed = officer.api("POST", path, expect=201, **offer, dropped={"capacity.accounts": "Hired in May"})
    assert agreed["conditions"].startswith(f"Report\n{VISIT} / ")
    assert ACCOUNTANT not in agreed["conditions"]
    assert "Left out of the agreement by" in officer.page(f"{case.path}/capacity")
    assert "grants.capacity.condition_dropped" in world.events(case.reference)


@pytest.mark.english
def test_an_assessment_is_taken_over_while_it_is_valid(world: World) -> None:
    """Another application is offered the earlier one, has nothing until it is taken over, and can't when it is old."""
    first, second, third = (in_diligence(world) for _ in range(3))
    assess(first, STRONG)
    officer = world.officer
    seen = officer.api("GET", f"{second.path}/capacity")
    assert seen["result"] is None
    assert [item["source"] for item in seen["earlier"] if item["source"] == first.reference] == [first.reference]
    page = officer.page(f"{second.path}/capacity")
    assert "Take it over" in page
    officer.post(f"{second.path}/capacity/taking-over", source=first.reference, version=0)
    taken = officer.api("GET", f"{second.path}/capacity")
    assert taken["taken_over_from"]["reference"] == first.reference
    assert taken["result"]["valid_until"] == seen["earlier"][0]["result"]["valid_until"]
    assert len(taken["answers"]) == len(STRONG)

    world.clock.forward(days=800)
    body = {"source": first.reference, "version": 0}
    late = officer.api("POST", f"{third.path}/capacity/taking-over", expect=409, **body)
    valid = date.fromisoformat(taken["result"]["valid_until"])
    assert f"It was valid until {valid:%-d %b %Y}; today is {world.clock():%-d %b %Y}" in late["detail"]
    other = officer.api("POST", f"{third.path}/capacity/taking-over", expect=422, source="BSO-2020-0001", version=0)
    assert other["errors"][0]["field"] == "source"
    world.clock.forward(days=-800)
