"""Applications that look alike, colleagues on one draft, and what the applicant reads about where it stands."""

from __future__ import annotations

import pytest
from grants_world import Case, Person, World

from services.grants.domain.likeness import folded
from shared.events.portal import OrganisationRegistered, UserRegistered
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def joined(world: World, key: str, name: str, organisation: str) -> Person:
    """Let somebody apply for an organisation too."""
    who = world.applicant.identity.model_copy(update={"user": key, "name": name, "organisation": organisation})
    event = UserRegistered(
        user_id=key, email=f"{key}@a.example", name=name, locale="en", roles=["applicant"], organisation=organisation
    )
    world.hear(event, f"user:{key}")
    return Person(world, who)


def test_a_name_is_compared_without_script_and_legal_form() -> None:
    """Cyrillic, accents, signs and legal forms make no other organisation."""
    assert folded("ООО «Ремесленная Палата»") == folded("Remeslennaya palata, Ltd.")
    assert folded("Çamber") == "camber"


@pytest.mark.english
def test_what_looks_alike_is_shown_by_its_reason_and_decided(world: World) -> None:
    """The same organisation again, or another one under its number, is shown; a decision needs words and stays."""
    first, second = Case(world).submitted(), Case(world).submitted()
    twin = OrganisationRegistered(
        organisation_id="twin", name="Chamber Of Krafts", kind="bso", registration_number="4030995110024"
    )
    world.hear(twin, "organisation:twin")
    found = world.officer.api("GET", f"{second.path}/alike")
    [item] = [item for item in found if item["reference"] == first.reference]
    assert item["reasons"] == {"same_call": 100, "title": 100, "answers": 100}
    assert "the same organisation applied to this call before" in world.officer.page(f"{second.path}/alike")
    body = {"other": first.reference, "verdict": "dismissed"}
    world.officer.api("POST", f"{second.path}/alike", 422, **body, why="")
    made = world.officer.api("POST", f"{second.path}/alike", **body, why="Another year's course")
    for seen in (0, 7):  # who saw nothing decided yet must not undo what was decided meanwhile
        stale = world.officer_two.api("POST", f"{second.path}/alike", 409, **body, why="I think so too", version=seen)
        assert stale["changed_by"] == "Goran Ristov"
    again = {"other": second.reference, "verdict": "linked", "version": made["version"]}
    world.officer.api("POST", f"{first.path}/alike", **again, why="Same")
    assert made["one"] == first.reference
    world.applicant.page(f"{second.path}/alike", 403)
    world.officer.api("POST", f"{second.path}/alike", 404, other="BSO-1999-0001", verdict="linked", why="No")


@pytest.mark.english
def test_colleagues_write_together(world: World) -> None:
    """A colleague is asked by a letter's event, each sees who else is writing, a stranger can't be asked."""
    boris = joined(world, "boris-too", "Boris Petrov", world.applicant.identity.organisation or "")
    case = Case(world).draft()
    assert "Boris Petrov" in world.applicant.page(f"{case.path}/form")
    world.applicant.post(f"{case.path}/editors", colleague="boris-too")
    assert world.events(case.reference)[-1] == "grants.application.editor_invited"
    assert "Writing now too: Ana Petrova" in boris.page(f"{case.path}/form")
    world.clock.forward(minutes=5)
    assert "Writing now too" not in boris.page(f"{case.path}/form")
    world.applicant.api("POST", f"{case.path}/editors", 422, colleague=world.msme.identity.user)
    world.msme.api("POST", f"{case.path}/editors", 404, colleague="boris-too")


@pytest.mark.english
def test_the_applicant_reads_where_it_stands_in_plain_words(world: World) -> None:
    """Now, next and by when: writing, with us, asked, late, and closed by their own withdrawal."""
    case = Case(world).draft()
    assert "Nothing is sent to us yet." in world.applicant.page(case.path)
    case.move(world.applicant, "submit")
    page = world.applicant.page(case.path)
    assert "It is with us: Under review." in page
    assert "We mean to be done with this step by 9 Mar 2026. Then comes: Before the panel." in page
    case.move(world.officer, "request-information", reason="Which firms?")
    assert "our own clock stands still until you answer" in world.applicant.page(case.path)
    case.move(world.applicant, "answer-information", comment="Four")
    world.clock.forward(days=30)
    assert "and are late; we are sorry" in world.applicant.page(case.path)
    case.move(world.applicant, "withdraw", reason="We found other money")
    assert "It is closed: Withdrawn." in world.applicant.page(case.path)
    assert 'id="status"' not in world.officer.page(case.path)
