"""Reviews of applications: who may see and score what, and who may act on the outcome."""

from __future__ import annotations

from typing import Any

import pytest
from grants_world import Case, Person, World

from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


@pytest.fixture(scope="module")
def reviewed(world: World) -> Case:
    """Give a case in review with one review handed in, one open, one recused."""
    case = Case(world).in_review("reviewer_one", "reviewer_two", "reviewer_three")
    case.declare("reviewer_one")
    case.score("reviewer_one", 4)
    case.declare("reviewer_two")
    return case


def test_nothing_is_shown_before_the_declaration(world: World) -> None:
    """A reviewer sees neither answers nor documents before declaring, and can't score either."""
    case = Case(world).in_review("reviewer_one")
    review = case.review_of("reviewer_one")
    seen = world.reviewer_one.api("GET", f"/reviews/{review['id']}")
    assert seen["application"] is None
    document = case.seen()["documents"][0]["id"]
    assert world.reviewer_one.request("GET", f"/api{case.path}/documents/{document}").status_code == 404
    case.score("reviewer_one", expect=403)
    assert case.move(world.officer, "finish-review", 409)["blocked_by"][1] == "Conflicts of interest not settled: 1"


def test_a_declared_conflict_blocks_reading_and_scoring(world: World) -> None:
    """Declaring a conflict recuses; the reviewer reads nothing, scores nothing, and the recusal is on record."""
    case = Case(world).in_review("reviewer_one")
    answer = case.declare("reviewer_one", conflict=True, nature="My brother works there")
    assert (answer["status"], answer["ground"]) == ("recused", "declared")
    case.score("reviewer_one", expect=403)
    assert world.reviewer_one.api("GET", f"/reviews/{answer['id']}")["application"] is None
    assert "grants.review.recused" in world.events(case.reference)


def test_the_applicants_own_person_is_recused_unasked(reviewed: Case, world: World) -> None:
    """A reviewer of the applicant's organisation is out at once, whatever they would declare."""
    review = reviewed.review_of("reviewer_three")
    assert (review["status"], review["ground"]) == ("recused", "derived")
    body = {"conflict": False, "nature": "", "version": review["version"]}
    assert (
        world.reviewer_three.request("POST", f"/api/reviews/{review['id']}/declaration", json=body).status_code == 409
    )
    reviewed.score("reviewer_three", expect=403)


def test_reviewers_are_blind_until_their_own_is_in(reviewed: Case, world: World) -> None:
    """Another's review is unknown to a reviewer before the own one is handed in; staff see it all along."""
    first = reviewed.review_of("reviewer_one")["id"]
    assert world.reviewer_two.request("GET", f"/api/reviews/{first}").status_code == 404
    own = reviewed.review_of("reviewer_two")["id"]
    assert world.reviewer_two.api("GET", f"/reviews/{own}")["others"] == []
    staff = world.officer.api("GET", f"{reviewed.path}/reviews")
    assert [review["score"] for review in staff] == ["80.00", None, None]
    reviewed.score("reviewer_two", 3)
    others = world.reviewer_two.api("GET", f"/reviews/{own}")["others"]
    assert [review["score"] for review in others] == ["80.00"]


def test_staff_who_review_are_blind_too(world: World) -> None:
    """An officer who was asked for a review sees no scores of others before handing in the own one."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    case.declare("reviewer_one")
    case.score("reviewer_one")
    both = world.officer.identity.model_copy(
        update={"user": world.reviewer_two.identity.user, "roles": ("officer", "reviewer")}
    )
    scores = [review["score"] for review in Person(world, both).api("GET", f"{case.path}/reviews")]
    assert scores == [None, None]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"scores": {"relevance": {"points": 6, "comment": "x"}}}, "scores.relevance"),
        ({"scores": {"charm": {"points": 1, "comment": "x"}}}, "scores.charm"),
        ({"scores": {"relevance": {"points": 1, "comment": ""}}}, "scores.relevance.comment"),
        ({"recommendation": None}, "recommendation"),
        ({"recommendation": "maybe"}, "recommendation"),
        ({"scores": {"relevance": {"points": "lots"}}}, "scores.relevance.points"),
    ],
)
def test_a_wrong_review_is_refused_whole(world: World, more: dict[str, Any], field: str) -> None:
    """Points off the scale, unknown criteria, silence, no recommendation: named, and nothing is kept."""
    case = Case(world).in_review("reviewer_one")
    before = case.declare("reviewer_one")
    refused = case.score("reviewer_one", expect=422, **more)
    assert field in [error["field"] for error in refused["errors"]]
    assert case.review_of("reviewer_one")["version"] == before["version"]


def in_russian(person: Person, case: Case) -> str:
    """Return the page of a case as this person reads it in Russian."""
    reader = Person(person.world, person.identity.model_copy(update={"locale": "ru"}))
    return reader.page(f"/applications/{case.reference}")


def test_a_weak_score_is_not_recommended(world: World) -> None:
    """The workflow's guard holds the panel to the threshold of the scoring sheet."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    for reviewer in ("reviewer_one", "reviewer_two"):
        case.declare(reviewer)
        case.score(reviewer, 2)
    case.move(world.officer, "finish-review")
    assert "below the threshold" in case.move(world.officer, "recommend", 409, comment="Please")["blocked_by"][0]
    assert "Оценка ниже порога" in in_russian(world.officer, case)


def test_the_one_who_recommends_does_not_approve(world: World) -> None:
    """Approval is another person's, within their authority; an officer's ends at 10,000, and whose goes on is said."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    for reviewer in ("reviewer_one", "reviewer_two"):
        case.declare(reviewer)
        case.score(reviewer)
    case.move(world.officer, "finish-review")
    case.move(world.manager, "recommend", comment="Strong")
    assert "another person" in case.move(world.manager, "approve", 409)["blocked_by"][0]
    refused = case.move(world.officer, "approve", 409)
    said = "above your delegated authority of 10,000.00 EUR; up to 60,000.00 EUR decides: programme_manager"
    assert said in refused["blocked_by"][0]
    assert refused["blockers"][0]["code"] == "authority-exceeded"
    assert refused["blockers"][0]["figures"]["limit"] == {"amount": "10000.00", "currency": "EUR"}
    seen = {move["id"]: move for move in world.officer.api("GET", f"/applications/{case.reference}")["moves"]}
    assert seen["approve"]["blockers"] == refused["blockers"]
    assert "решает: Руководитель программы" in in_russian(world.officer, case)
    assert case.seen()["stage"] == "recommended"
