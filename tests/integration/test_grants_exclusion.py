"""Exclusion and sanctions lists: imported by version, looked at when it matters, each hit decided by a person."""

from __future__ import annotations

from typing import Any

import pytest
from grants_world import ANSWERS, Case, Person, World

from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each

HEAD = "Entity,Number,Also known as,Why\n"
OTHERS = "Neva Trade OOO,7700000001,,\nPetrov Ivan Sergeevich,,Иван Петров;I. Petrov,\n"


@pytest.fixture
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack, and no list yet."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def sent(person: Person, rows: str, expect: int = 201, **more: str) -> Any:
    """Import a list by the API."""
    data = {
        "list": "un-test",
        "name": "Test list",
        "source": "lists.example",
        "dated": "2026-02-01",
        "column_name": "Entity",
        "column_number": "Number",
        "column_aliases": "Also known as",
        "column_note": "Why",
    } | more
    files = {"file": ("list.csv", (HEAD + rows).encode(), "text/csv")}
    answer = person.request("POST", "/api/exclusion-lists", data=data, files=files)
    assert answer.status_code == expect, answer.text
    return answer.json()


def decided(case: Case, person: Person, hit: int, expect: int = 200, **more: Any) -> Any:
    """Decide a hit as somebody who has just looked."""
    version = person.api("GET", f"{case.path}/screening")["version"]
    body = {"same": False, "reason": "Another address and another number", "version": version} | more
    return person.api("POST", f"{case.path}/screening/hits/{hit}", expect=expect, **body)


def test_a_hit_at_submission_holds_the_case_until_a_person_decides(world: World) -> None:
    """The applicant's namesake in another alphabet is found by name with its score, and the case waits for a reason."""
    made = sent(world.officer, OTHERS + "Чамбер оф Крафтс ДООЕЛ,,Chamber of Crafts d.o.o.,Fraud 2019\n,1,,\n")
    version = made["list"]["versions"][0]
    assert (version["taken"], version["rows"], version["added"]) == (3, 4, 3)
    assert version["refused"] == [{"row": 5, "rule": "has no name"}]
    case = Case(world).submitted()
    seen = world.officer.api("GET", f"{case.path}/screening")
    hit = seen["hits"][0]
    assert (hit["kind"], hit["score"], hit["matched"], hit["entry"]) == (
        "applicant",
        100,
        "name",
        "Chamber of Crafts d.o.o.",
    )
    case.checks("eligibility")
    case.move(world.officer, "pass-screening")
    case.checks("due-diligence", "low")
    held = case.move(world.officer, "start-review", 409)["blockers"][0]
    assert (held["code"], held["figures"]) == ("exclusion-hits", {"open": 1, "same": 0})
    assert "lists" not in world.applicant.page(f"/applications/{case.reference}").lower()
    decided(case, world.officer, 1, 422, reason=" ")
    decided(case, world.officer, 1)
    assert "another person" in decided(case, world.officer, 1, 403, same=True)["detail"]
    assert decided(case, world.manager, 1, same=True)["hits"][0]["status"] == "same"
    assert case.move(world.officer, "start-review", 409)["blockers"][0]["figures"] == {"open": 0, "same": 1}
    decided(case, world.officer, 1)
    case.move(world.officer, "start-review")
    assert world.events(case.reference).count("grants.screening.hit_decided") == 3
    assert world.applicant.request("GET", f"/api{case.path}/screening").status_code == 403


def test_numbers_partners_and_named_people_are_looked_for(world: World) -> None:
    """A number is found whatever the name; so is a partner of the form, and whom an officer names, once."""
    sent(world.officer, OTHERS + "Unrelated name,4030995110024,,\nPartner Firm Ltd,,,\n")
    case = Case(world).draft()
    case.save(answers=ANSWERS | {"partner_shares.0.name": "ПАРТНЕР ФИРМ", "partner_shares.0.amount": "10"})
    case.move(world.applicant, "submit")
    found = world.officer.api("GET", f"{case.path}/screening")
    assert [(hit["kind"], hit["matched"]) for hit in found["hits"]] == [("applicant", "number"), ("partner", "name")]
    body = {"kind": "person", "name": "Петров Иван", "version": found["version"]}
    named = world.officer.api("POST", f"{case.path}/screening/subjects", **body)
    assert named["hits"][-1]["entry"] == "Иван Петров"
    stale = world.officer.api("POST", f"{case.path}/screening/subjects", expect=409, **body)
    assert stale["changed_by"] == "Goran Ristov"
    body["version"] = named["version"]
    again = world.officer.api("POST", f"{case.path}/screening/subjects", expect=409, **body)
    assert again["detail"] == "That name is on the case already"
    assert world.manager.api("GET", "/exclusion-lists/hits")[0]["id"] == case.reference


def test_a_new_version_screens_live_cases_again(world: World) -> None:
    """A later import names the live cases that are newly hit; what was decided stays decided."""
    sent(world.officer, OTHERS + "Chamber of Crafts,,,\n")
    case = Case(world).submitted()
    decided(case, world.officer, 1)
    assert sent(world.officer, OTHERS + "Chamber of Crafts,,,\n", 409)["detail"].startswith("This file is version 1")
    older = sent(world.officer, OTHERS, 422, dated="2026-01-01")
    assert older["errors"][0]["field"] == "dated"
    made = sent(world.officer, OTHERS + "Chamber of Crafts,,,\nAna Petrova,,,\n", dated="2026-03-01")
    assert made["new_hits"] == {case.reference: 1}
    assert (made["list"]["versions"][1]["added"], made["list"]["versions"][1]["dropped"]) == (1, 0)
    hits = world.officer.api("GET", f"{case.path}/screening")["hits"]
    assert [(hit["subject"], hit["status"]) for hit in hits] == [
        ("Chamber of Crafts", "different"),
        ("Ana Petrova", "open"),
    ]


def test_agreement_and_release_look_again(world: World) -> None:
    """A hit that came after approval holds the agreement, and one that came after it holds the payment."""
    case = Case(world).approved()
    sent(world.officer, OTHERS + "Chamber of Crafts,,,\n")
    refused = case.offer(409)
    assert "1 to be decided" in refused["detail"]
    decided(case, world.officer, 1)
    case.offer()
    for person in (world.manager, world.applicant):
        person.api("POST", f"{case.path}/award/acceptance", agreement_version=1)
    document = case.attach("other")["id"]
    case.act(world.applicant, "milestones/1/evidence", document=document)
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.officer, "tranches/1/request")
    sent(world.officer, OTHERS + "Chamber of Crafts,,,\nPetrova Ana,,,\n", dated="2026-03-01")
    assert "1 to be decided" in case.act(world.finance, "tranches/1/release", 409)["detail"]
    decided(case, world.officer, 2)
    case.act(world.finance, "tranches/1/release")


def test_the_pages_import_and_decide(world: World) -> None:
    """A person imports a list with its rows' results, finds the case, decides; the auditor reads, others may not."""
    case = Case(world).submitted()
    form = {"list": "own", "name": "Own list", "source": "Board", "dated": "2026-02-01", "column_name": "Entity"}
    files = {"file": ("own.csv", (HEAD + "Chamber of Crafts,,,\n,,,\n").encode(), "text/csv")}
    page = world.officer.post("/exclusion-lists", 200, files=files, **form).text
    assert f"/grants/applications/{case.reference}/screening" in page
    assert "Row 3" in page
    refused = world.officer.post("/exclusion-lists", 422, files=files, **(form | {"column_name": "X"})).text
    assert "is not a column of the file" in refused
    assert 'value="Own list"' in refused
    screening = world.officer.page(f"/applications/{case.reference}/screening")
    assert "100 of 100" in screening
    form = {"same": "false", "reason": "", "version": "1"}
    assert "say what you compared" in world.officer.post(f"{case.path}/screening/hits/1", 422, **form).text
    world.officer.post(f"{case.path}/screening/hits/1", **(form | {"reason": "Another town"}))
    assert "Not the same" in world.auditor.page(f"/applications/{case.reference}/screening")
    assert world.applicant.request("GET", "/exclusion-lists").status_code == 403
