"""A BSO grant from the first word of the draft to the confirmed payment, through the JSON API."""

from __future__ import annotations

from pathlib import Path

import pytest
from grants_world import PDF, Case, World

from shared.testing.stand import Stand


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path)


def test_a_grant_from_draft_to_payment(world: World) -> None:
    """Every act of the story works in order, each is an event of the case, and the money ends where it should."""
    case = Case(world).submitted()
    assert case.seen()["stage"] == "screening"
    asked = case.move(world.officer, "request-information", reason="Which firms take part?")
    assert (asked["paused"], asked["holder"]) == (True, "applicant")
    case.move(world.applicant, "answer-information", comment="Four: see the letter")
    case.checks("eligibility")
    case.move(world.officer, "pass-screening")
    case.checks("due-diligence", "low")
    made = case.ask("reviewer_one", "reviewer_two", "reviewer_three")
    assert [review["status"] for review in made] == ["assigned", "assigned", "recused"]
    case.move(world.officer, "start-review")
    for reviewer, points in (("reviewer_one", 4), ("reviewer_two", 3)):
        case.declare(reviewer)
        case.score(reviewer, points)
    case.move(world.officer, "finish-review")
    case.move(world.officer, "recommend", comment="Strong design")
    case.move(world.manager, "approve")
    case.offer()
    world.manager.api("POST", f"{case.path}/award/acceptance", agreement_version=1)
    concluded = world.applicant.api("POST", f"{case.path}/award/acceptance", agreement_version=1)
    assert concluded["concluded_at"] is not None
    assert case.seen()["stage"] == "implementation"
    document = case.attach("other", PDF + b"evidence")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen on site")
    case.act(world.finance, "tranches/1/request")
    case.act(world.finance_two, "tranches/1/release")
    paid = case.act(world.finance, "tranches/1/payment", payment_reference="TR-1", paid_on="2026-03-02")
    assert paid["paid"] == {"amount": "16000.00", "currency": "EUR"}
    events = [name for name in world.events(case.reference) if not name.endswith(".viewed")]
    assert events[0] == "grants.application.started"
    assert "grants.application.awarded" in events
    assert events[-1] == "grants.award.payment_confirmed"
