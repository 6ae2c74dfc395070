"""What people meet in a day: proofs of a checklist, reviews given on, open appeals, searches, home cards."""

from __future__ import annotations

import pytest
from grants_world import Case, World, read_pack

from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


@pytest.mark.english
def test_capacity_is_assessed_before_the_checklist_says_so(world: World) -> None:
    """The point that stands on the assessment takes a yes when that is finished, and a no at any time."""
    case = Case(world).submitted()
    case.checks("eligibility")
    case.move(world.officer, "pass-screening")
    refused = case.check("due-diligence", "capacity", "yes", 422)
    assert "it is not" in refused["errors"][0]["rule"]
    form = {"checklist": "due-diligence", "item": "capacity", "answer": "yes", "note": "I saw it all"}
    again = world.officer.post(f"{case.path}/checks", 422, **form, version=case.seen()["version"]).text
    assert "can be yes when" in again
    assert 'value="I saw it all"' in again
    case.check("due-diligence", "capacity", "no")
    case.checks("due-diligence", "low")
    assert "Change the answer" in world.officer.page(case.path)


@pytest.mark.english
def test_a_review_is_given_to_another_person(world: World) -> None:
    """One act lets go who has it and asks the other; nobody is asked twice, and delegations do not reach reviews."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    officer, mine = world.officer, case.review_of("reviewer_one")
    path = f"/reviews/{mine['id']}/reassignment"
    again = {"reviewer": world.reviewer_two.identity.user, "reason": "Ill", "version": mine["version"]}
    assert officer.api("POST", path, 422, **again)["errors"][0]["field"] == "reviewer"
    page = officer.page(f"{case.path}/reviews")
    assert "Reassign" in page
    other = next(
        item for key, item in world.people.items() if key.startswith("reviewer") and key[-3:] not in {"one", "two"}
    )
    officer.post(path, reviewer=other.identity.user, reason="Ill", version=mine["version"])
    every = officer.api("GET", f"{case.path}/reviews")
    states = {item["reviewer_name"]: item["status"] for item in every}
    assert states[world.reviewer_one.identity.name] == "excused"
    assert states[other.identity.name] in {"assigned", "recused"}
    days = {"first_day": "2026-03-03", "last_day": "2026-03-04"}
    lent = {"role": "reviewer", "delegate": officer.identity.user, **days}
    answer = world.manager.api("POST", "/delegations", 422, **lent)
    assert "personal" in answer["errors"][0]["rule"]


def test_what_was_ticked_survives_the_letter_and_a_stale_page(world: World) -> None:
    """Parts to be opened again stay ticked on the page of the letters, and when somebody was faster."""
    case = Case(world).submitted()
    version = case.seen()["version"]
    asked = {"transition": "request-information", "reason": "Which firms?", "sections": ["budget", "documents"]}
    for path, status, at in (("letter", 200, version), ("moves", 409, version - 1)):
        page = world.officer.post(f"{case.path}/{path}", status, **asked, version=at).text
        assert page.count('" checked> <span>') == 2
        assert 'value="budget" checked' in page


@pytest.mark.english
def test_a_call_for_others_says_so_before_anybody_starts(world: World) -> None:
    """Who belongs to an organisation of another kind reads why they can't apply, and finds no button that refuses."""
    assert "Start an application" in world.applicant.page("/calls/bso-grants-2026")
    page = world.msme.page("/calls/bso-grants-2026")
    assert "for other kinds of organisation" in page
    assert "Start an application" not in page


@pytest.mark.english
def test_an_open_appeal_holds_the_move_that_would_pass_by_it(world: World) -> None:
    """Taking the case up directly is refused while the appeal waits, which the manager's home counts."""
    case = Case(world).submitted()
    case.move(world.officer, "reject", reason="The registration is missing")
    world.applicant.api("POST", f"{case.path}/appeal", 201, grounds="It was attached")
    refused = case.move(world.manager, "reconsider", 409, reason="Let us look")
    assert "decide the appeal" in str(refused)
    assert "Appeals to decide about" in world.manager.page("/fragments/home")
    assert case.reference in world.manager.page("/?q=has:appeal+state:all")
    decision = {"outcome": "granted", "code": "facts-overlooked", "words": "It was there", "version": 1}
    world.manager.api("POST", f"{case.path}/appeal/decision", **decision)
    assert case.seen()["stage"] == "screening"
    assert "Appeals to decide about" not in world.manager.page("/fragments/home")


@pytest.mark.english
def test_the_search_of_the_top_finds_one_s_own(world: World) -> None:
    """Applicants and reviewers find by words what is theirs, and are told when nothing is."""
    case = Case(world).submitted()
    assert case.reference in world.applicant.page(f"/mine?q={case.reference.lower()}")
    nothing = world.applicant.page("/mine?q=100%25_sure")
    assert "Nothing of yours has" in nothing
    assert case.reference not in nothing
    assert "No review of yours" in world.reviewer_one.page("/reviews?q=nowhere")


def test_the_auditor_s_ageing_has_every_programme(world: World) -> None:
    """Who sees all programmes sees their tabs; reviewers of another programme are none of this one's choices."""
    other = {name: part for name, part in _second().items() if name != "people"}
    stranger = {
        "key": "stranger",
        "name": "Someone Else",
        "email": "s@example.org",
        "locale": "en",
        "roles": ["reviewer"],
    }
    world.learn("second", other | {"people": {"organisations": [], "people": [stranger]}})
    case = Case(world).submitted()
    assert "Someone Else" not in str(world.officer.api("GET", f"{case.path}/reviewers"))
    page = world.auditor.page("/ageing")
    assert 'href="/grants/ageing?programme=second"' in page
    assert 'aria-current="page">business-ecosystem' in page


def _second() -> dict[str, object]:
    pack = read_pack()
    pack["programme"] |= {"programme": "second"}
    return pack
