"""Reviewers chosen by a rule that explains itself; scores that are far apart are moderated before the panel."""

from __future__ import annotations

from typing import Any

import pytest
from grants_world import Case, Person, World

from services.grants.handlers.choosing import remind
from shared.database import Context, UnitOfWork, system
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def profile(person: Person, **fields: Any) -> None:
    """Keep a reviewer's profile."""
    person.api("PUT", "/assessor", version=person.api("GET", "/assessor")["version"], **fields)


def far_apart(world: World) -> Case:
    """Return a case in review whose two reviews are 40 points apart."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    for reviewer, points in (("reviewer_one", 5), ("reviewer_two", 3)):
        case.declare(reviewer)
        case.score(reviewer, points)
    return case


@pytest.mark.english
def test_the_rule_chooses_by_expertise_then_load_and_says_why(world: World) -> None:
    """Who knows the field comes first, who is away, full or in conflict is not asked, and each has a reason."""
    profile(world.reviewer_one, expertise=["finance"], limit=9)
    profile(world.reviewer_two, expertise=["Training"], languages=["ru"], limit=9)
    case = Case(world).in_review()
    seen = world.officer.api("GET", f"{case.path}/reviewers")
    assert [(item["name"], (item["hindrance"] or {}).get("code")) for item in seen] == [
        ("Filip Jovanov", None),
        ("Elena Markova", None),
        ("Hana Dimova", "conflict-own-organisation"),
    ]
    body = {"version": case.seen()["version"]}
    made = world.officer.api("POST", f"{case.path}/reviews/by-rule", expect=201, **body)
    assert [item["reviewer_name"] for item in made] == ["Filip Jovanov", "Elena Markova"]
    assert made[0]["because"] == "Knows training; 0 of 9 open reviews"
    body["version"] = case.seen()["version"]
    enough = world.officer.api("POST", f"{case.path}/reviews/by-rule", expect=409, **body)
    assert "as many as the call needs" in enough["detail"]
    page = world.officer.page(f"/applications/{case.reference}/reviews")
    assert "Chosen because:" in page


@pytest.mark.english
def test_the_rule_refuses_with_its_count(world: World) -> None:
    """Somebody away and somebody full leave nobody: the refusal says how many are needed and how many are free."""
    profile(world.reviewer_one, limit=9, away_since="2026-03-01", away_until="2026-03-30")
    profile(world.reviewer_two, limit=0)
    case = Case(world).in_review()
    body = {"version": case.seen()["version"]}
    refused = world.officer.api("POST", f"{case.path}/reviews/by-rule", expect=409, **body)
    assert refused["detail"] == "2 reviewers are needed and 0 are free of conflicts, there and not full"
    codes = {item["name"]: item["hindrance"]["code"] for item in world.officer.api("GET", f"{case.path}/reviewers")}
    assert codes == {"Elena Markova": "away", "Filip Jovanov": "full", "Hana Dimova": "conflict-own-organisation"}
    assert "Away until 30 Mar 2026" in world.officer.page(f"/applications/{case.reference}/reviews")
    profile(world.reviewer_one, limit=9)
    profile(world.reviewer_two, limit=9)


@pytest.mark.english
def test_scores_far_apart_wait_for_moderation(world: World) -> None:
    """Forty points of difference hold the panel until somebody records what came of talking it over."""
    case = far_apart(world)
    held = case.move(world.officer, "finish-review", 409)["blockers"][0]
    assert (held["code"], held["figures"]) == ("scores-apart", {"spread": "40.00", "most": "25"})
    path = f"{case.path}/moderation"
    third = world.officer.api("POST", path, expect=409, outcome="third_review", note="Asked")
    assert third["detail"] == "2 of 3 reviews are in: the third is still missing"
    world.officer.api("POST", path, expect=422, outcome="discussed", note=" ")
    page = world.officer.page(f"/applications/{case.reference}/reviews")
    assert "Scores are 40.00 apart, more than 25" in page
    world.officer.post(f"{case.path}/moderation", outcome="discussed", note="Both read the quotes again", version="0")
    assert "Both read the quotes again" in world.officer.page(f"/applications/{case.reference}/reviews")
    case.move(world.officer, "finish-review")
    assert "grants.moderation.recorded" in world.events(case.reference)


@pytest.mark.english
def test_row_09_who_reviews_does_not_moderate(world: World) -> None:
    """An officer who scored the case is one of those who differ: another person records what came of it."""
    case = far_apart(world)
    both = world.officer.identity.model_copy(
        update={"user": world.reviewer_two.identity.user, "roles": ("officer", "reviewer")}
    )
    body = {"outcome": "discussed", "note": "I was right"}
    refused = Person(world, both).api("POST", f"{case.path}/moderation", expect=403, **body)
    assert "another person must moderate" in refused["detail"]
    case.move(world.officer, "finish-review", 409)


def test_only_the_author_changes_a_score_and_the_old_one_stays(world: World) -> None:
    """While scores are apart each author may change the own review with a reason; the first score stays readable."""
    case = far_apart(world)
    assert case.score("reviewer_two", 5, 422)["errors"][0]["field"] == "why"
    changed = case.score("reviewer_two", 5, why="The quotes convinced me")
    assert changed["score"] == "100.00"
    review = case.review_of("reviewer_two")
    body = {"scores": {}, "version": review["version"], "submit": True, "why": "I say so"}
    assert world.officer.request("PUT", f"/api/reviews/{review['id']}", json=body).status_code == 403
    assert "60.00 → 100.00" in world.officer.page(f"/applications/{case.reference}/reviews")
    case.score("reviewer_one", 1, 409, why="Now they agree, and nothing is open any more")
    case.move(world.officer, "finish-review")


def test_reviewers_are_reminded_once(world: World) -> None:
    """A review due within two days brings one reminder for that day, and none again."""
    case = Case(world).in_review()
    ids = [world.reviewer_one.identity.user]
    body = {"reviewers": ids, "due": "2026-03-04", "version": case.seen()["version"]}
    world.officer.api("POST", f"{case.path}/reviews", expect=201, **body)
    body = {"reviewers": ids, "due": "2026-03-01", "version": case.seen()["version"]}
    assert world.officer.api("POST", f"{case.path}/reviews", expect=422, **body)["errors"][0]["field"] == "due"
    for _ in range(2):
        with UnitOfWork(world.engine, "grants", Context(actor=system("grants")), clock=world.clock) as uow:
            remind(uow)
    assert world.events(case.reference).count("grants.review.reminded") == 1
