"""How a case is decided: coded reasons, recommended amounts, and the signatures that an amount needs."""

from __future__ import annotations

import pytest
from grants_world import BUDGET, Case, Person, World

from shared.money import Money
from shared.testing.language import word
from shared.testing.stand import Stand

LARGE = [
    *BUDGET,
    {"line": "equipment", "grant": {"amount": "8000", "currency": "EUR"}, "own": {"amount": "0", "currency": "EUR"}},
]


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def at_panel(world: World, budget: list[dict[str, object]] = BUDGET) -> Case:
    """Bring a case with two good reviews to the panel."""
    case = Case(world).draft()
    case.save(budget=budget)
    case.move(world.applicant, "submit")
    case.checks("eligibility")
    case.move(world.officer, "pass-screening")
    case.checks("due-diligence", "low")
    case.ask("reviewer_one", "reviewer_two")
    case.move(world.officer, "start-review")
    for reviewer in ("reviewer_one", "reviewer_two"):
        case.declare(reviewer)
        case.score(reviewer)
    case.move(world.officer, "finish-review")
    return case


def sign(case: Case, person: Person, expect: int = 200) -> dict[str, object]:
    """Give the next signature as somebody who has just looked at the page."""
    version = case.seen(person)["version"]
    return dict(person.api("POST", f"{case.path}/decision/approvals", expect, version=version))


@pytest.mark.english
def test_an_amount_needs_its_signatures_of_different_people(world: World) -> None:
    """48,000 EUR needs three people in their order, none of whom recommended; who is next is named each time."""
    case = at_panel(world, LARGE)
    case.move(world.officer, "recommend", comment="Strong design")
    refused = case.move(world.manager, "approve", 409)
    [blocker] = refused["blockers"]
    assert (blocker["code"], blocker["figures"]["next"]) == ("approvals-missing", "first")
    assert blocker["message"] == "0 of 3 approvals are in for 48,000.00 EUR; next: First approval"
    assert "You recommended this case" in str(sign(case, world.officer, 403)["detail"])
    sign(case, world.officer_two)
    assert "You approved this case already" in str(sign(case, world.officer_two, 403)["detail"])
    assert "This signature is for: finance_officer" in str(sign(case, world.manager, 403)["detail"])
    sign(case, world.finance)
    sign(case, world.finance_two, 409)
    seen = world.auditor.api("GET", f"{case.path}/decision")
    assert [bool(level["signed"]) for level in seen["levels"]] == [True, True, False]
    assert seen["next"] == "final"
    assert "Financial approval: Jovan Trajkov" in " ".join(
        world.manager.page(f"/applications/{case.reference}").split()
    )
    case.move(world.manager, "approve")
    world.applicant.api("GET", f"{case.path}/decision", 403)


def test_a_changed_recommendation_voids_what_was_signed(world: World) -> None:
    """Signatures of a case that went back count no more, and a lower amount needs only what it needs."""
    case = at_panel(world, LARGE)
    case.move(world.officer, "recommend", comment="Strong design")
    sign(case, world.officer_two)
    case.move(world.manager, "return-to-panel", reason="Too much money")
    less = {"amount": "39000", "currency": "EUR"}
    too_much = {"amount": "48000.01", "currency": "EUR"}
    wrong = case.move(world.officer, "recommend", 422, comment="Less", amount=too_much)
    assert wrong["errors"] == [
        {
            "field": "amount",
            "rule": word("grants", "is above the %(asked)s that was asked for", asked=Money.of(48000, "EUR")),
        }
    ]
    case.move(world.officer, "recommend", comment="Less travel", amount=less)
    seen = world.manager.api("GET", f"{case.path}/decision")
    assert (seen["recommendation"]["outcome"], [item["by_name"] for item in seen["void"]]) == (
        "fund_less",
        ["Dana Kuzmina"],
    )
    case.move(world.officer, "approve", 409)
    case.move(world.manager, "approve")
    assert world.events(case.reference).count("grants.application.approvals_voided") == 1
    assert case.offer(amounts=("13000", "13000", "13000"))["amount"]["amount"] == "39000.00"


@pytest.mark.english
def test_a_coded_reason_stands_in_the_event_in_every_language(world: World) -> None:
    """A code needs no words of one's own unless it says so; one that the move does not have is refused by name."""
    case = Case(world).submitted()
    wrong = case.move(world.officer, "reject", 422, reason_code="best-value")
    assert wrong["errors"][0]["field"] == "reason_code"
    assert "not-eligible, incomplete, below-threshold, due-diligence" in wrong["errors"][0]["rule"]
    assert case.move(world.officer, "reject", 422, reason_code="incomplete")["errors"][0]["field"] == "reason"
    case.move(world.officer, "reject", reason_code="not-eligible")
    done = case.seen()["history"][-1]
    assert (done["reason_code"], done["reason"]) == ("not-eligible", None)
    said = world.applicant.page(f"/applications/{case.reference}/timeline")
    assert "does not meet the rules on who may apply" in said
