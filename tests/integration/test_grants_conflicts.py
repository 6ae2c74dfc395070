"""Row 7: a conflict of interest, declared or derived, keeps a person from reading scores, scoring and deciding."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from grants_world import PROGRAMME, Case, Person, World

from shared.testing.language import word
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


@pytest.fixture(scope="module")
def scored(world: World) -> Case:
    """Give a case in review with both reviews in."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    for reviewer in ("reviewer_one", "reviewer_two"):
        case.declare(reviewer)
        case.score(reviewer)
    return case


def newcomer(world: World, role: str, email: str, organisation: str | None = "programme-office") -> Person:
    """Return somebody new."""
    key = f"p{uuid4().hex[:8]}"
    item: dict[str, Any] = {"key": key, "name": key, "email": email, "locale": "en", "roles": [role]}
    world._enter(item | {"organisation": organisation}, {}, PROGRAMME)
    return world.people[key]


def interest(person: Person, expect: int = 201, **fields: Any) -> Any:
    """Declare a tie as somebody who has just looked at the page."""
    version = person.api("GET", "/assessor")["version"]
    return person.api("POST", "/assessor/interests", expect=expect, version=version, **fields)


def judged_by(person: Person, case: Case) -> list[int]:
    """Return the status of each act of judging that a person tries on a case in review, moves last."""
    version = case.seen()["version"]
    review = case.world.officer.api("GET", f"{case.path}/reviews")[0]["id"]
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{case.path}/checks", {"checklist": "due-diligence", "item": "bank", "answer": "no", "note": "x"}),
        ("POST", f"{case.path}/reviews", {"reviewers": [case.world.reviewer_one.identity.user]}),
        ("POST", f"{case.path}/officer", {"officer": case.world.officer.identity.user}),
        ("POST", f"{case.path}/moves", {"transition": "finish-review"}),
        ("POST", f"{case.path}/moves", {"transition": "reject", "reason": "No"}),
    ]
    found = [person.request("GET", f"/api/reviews/{review}").status_code]
    for method, path, body in tries:
        found.append(person.request(method, f"/api{path}", json=body | {"version": version}).status_code)
    return found


@pytest.mark.english
def test_row_07_a_declared_conflict_of_staff_blocks_every_act(world: World, scored: Case) -> None:
    """An officer who steps back reads no score, checks, assigns and moves nothing; the page and the record say so."""
    officer = newcomer(world, "officer", "new@programme.example")
    before = world.events(scored.reference).count("grants.recusal.declared")
    body = {"nature": "My sister leads the chamber", "version": scored.seen()["version"]}
    assert officer.api("POST", f"{scored.path}/recusals", **body)["status"] == "standing"
    assert judged_by(officer, scored) == [403, 403, 403, 403, 409, 409]
    assert [item["score"] for item in officer.api("GET", f"{scored.path}/reviews")] == [None, None]
    page = officer.page(f"/applications/{scored.reference}/reviews")
    assert "You are out of this case" in page
    assert "My sister leads the chamber" in page
    assert "80.00" not in page
    move = scored.move(officer, "finish-review", 409)
    assert move["blockers"][0]["code"] == "conflict-declared"
    assert world.events(scored.reference).count("grants.recusal.declared") == before + 1


def test_row_07_and_09_nobody_lifts_their_own_recusal(world: World, scored: Case) -> None:
    """A manager's own stays until another manager lifts it, with a reason; then they decide again."""
    manager = newcomer(world, "programme_manager", "second@programme.example")
    body = {"nature": "I advised them", "version": scored.seen()["version"]}
    recusal = manager.api("POST", f"{scored.path}/recusals", **body)
    path, lifting = f"/recusals/{recusal['id']}/lifting", {"reason": "It was another chamber", "version": 1}
    manager.api("POST", path, expect=403, **lifting)
    assert world.officer.request("POST", f"/api{path}", json=lifting).status_code == 403
    assert manager.api("POST", f"{scored.path}/recusals", expect=409, **body)["detail"] == word(
        "grants", "You have declared already"
    )
    world.manager.api("POST", path, expect=422, reason="", version=1)
    assert world.manager.api("POST", path, **lifting)["lifted_by_name"] == "Irena Nikolova"
    assert manager.api("GET", f"{scored.path}/reviews")[0]["score"] == "80.00"


@pytest.mark.parametrize(
    ("tie", "code"),
    [
        ({"tie": "employment", "organisation": "chamber-of-crafts"}, "conflict-employment"),
        ({"tie": "supplier", "name": "Something else", "number": "4030 995 110024"}, "conflict-supplier"),
        ({"tie": "family", "name": "CHAMBER  of “Crafts” d.o.o."}, "conflict-family"),
        ({"tie": "board", "organisation": "chamber-of-crafts", "until": "2025-01-01"}, "conflict-board"),
    ],
)
def test_row_07_a_declared_interest_bars(world: World, scored: Case, tie: dict[str, str], code: str) -> None:
    """An interest in the applicant, by its id, number, name or what ended a year ago, bars the act."""
    manager = newcomer(world, "programme_manager", "third@programme.example")
    interest(manager, **tie)
    assert scored.move(manager, "reject", 409, reason="No")["blockers"][0]["code"] == code


def test_row_07_old_and_foreign_interests_bar_nobody(world: World, scored: Case) -> None:
    """A tie that ended four years ago, or to another firm, leaves a person free."""
    officer = newcomer(world, "officer", "fourth@programme.example")
    interest(officer, tie="employment", organisation="chamber-of-crafts", until="2020-01-01")
    interest(officer, tie="supplier", name="Chamber of Commerce")
    assert judged_by(officer, scored)[0] == 200
    assert "name" in [e["field"] for e in interest(officer, 422, tie="other")["errors"]]


def test_row_07_a_related_firm_bars_a_reviewer_unasked(world: World) -> None:
    """Who writes from the applicant's mail domain, or owns a firm with its number, is recused when asked."""
    case = Case(world).in_review()
    domain = newcomer(world, "reviewer", "somebody@chamber.example", None)
    tied = newcomer(world, "reviewer", "somebody@gmail.com", None)
    interest(tied, tie="ownership", name="C. o. C.", number="4030995110024")
    free = newcomer(world, "reviewer", "another@gmail.com", None)
    ids = [person.identity.user for person in (domain, tied, free)]
    made = world.officer.api("POST", f"{case.path}/reviews", reviewers=ids, version=case.seen()["version"])
    assert [item["status"] for item in made] == ["recused", "recused", "assigned"]
    assert "chamber.example" in made[0]["nature"]


def test_row_07_an_interest_declared_later_closes_an_open_review(world: World) -> None:
    """A reviewer who opened the case and then declares a tie neither reads on nor scores."""
    case = Case(world).in_review()
    person = newcomer(world, "reviewer", "late@gmail.com", None)
    made = world.officer.api(
        "POST", f"{case.path}/reviews", reviewers=[person.identity.user], version=case.seen()["version"]
    )[0]
    declared = person.api(
        "POST", f"/reviews/{made['id']}/declaration", conflict=False, nature="", version=made["version"]
    )
    interest(person, tie="family", organisation="chamber-of-crafts")
    assert person.request("GET", f"/api/reviews/{made['id']}").status_code == 403
    body = {"scores": {}, "version": declared["version"]}
    assert person.api("PUT", f"/reviews/{made['id']}", expect=403, **body)["type"].endswith("conflict-of-interest")
    left = person.api(
        "POST", f"/reviews/{made['id']}/stepping-back", reason="Family", conflict=True, version=declared["version"]
    )
    assert (left["status"], left["ground"]) == ("recused", "declared")


@pytest.mark.english
def test_interests_are_kept_from_a_page(world: World) -> None:
    """The page keeps expertise and ties, names what is wrong beside its field, and lets nothing be taken out."""
    person = newcomer(world, "reviewer", "page@gmail.com", None)
    person.post("/interests/profile", expertise="training, export", languages="en", limit="3", version="0")
    refused = person.post("/interests", 422, tie="", name="X", version="1").text
    assert "is required" in refused
    person.post("/interests", tie="board", organisation="lead-firm", version="1")
    page = person.page("/interests")
    assert "Vardar Cable Works" in page
    assert 'value="export, training"' in page
    person.post("/interests/1/end", until="2020-05-05", version="2")
    assert person.api("GET", "/assessor")["interests"][0]["until"] == "2020-05-05"
