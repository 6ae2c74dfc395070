"""Bank details over JSON and on the pages: who enters, who confirms, who sees the number, and what is paid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from grants_world import PDF, Case, Person, World
from payable import IBAN
from sqlalchemy import text

from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each

ORG = "/organisations/chamber-of-crafts/bank"
NAME = "Chamber of Crafts"
LETTER = PDF + b"% the account of the chamber"


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    """Give a grants service in which no account is known yet, and one case that was handed in."""
    world = World(stand.database("grants"), tmp_path, pays=False)
    Case(world).submitted()
    return world


def enter(person: Person, expect: int = 201, path: str = ORG, **fields: str) -> Any:
    """Enter an account with the bank's letter."""
    data = {"iban": IBAN, "holder": NAME, "version": str(version(person) if expect == 201 else 0)} | fields
    files = {"file": ("letter.pdf", LETTER, "application/pdf")}
    answer = person.request("POST", f"/api{path}", data=data, files=files)
    assert answer.status_code == expect, answer.text
    return answer.json()


def version(person: Person) -> int:
    """Return the payee's version."""
    return int(person.api("GET", ORG)["version"])


def act(person: Person, number: int, what: str, expect: int = 200, **body: Any) -> Any:
    """Decide about details as somebody who has just looked at them."""
    body.setdefault("version", version(person) if expect != 404 else 1)
    return person.api("POST", f"{ORG}/{number}/{what}", expect, **body)


def known(world: World) -> None:
    """Have an account entered and confirmed."""
    enter(world.officer)
    act(world.finance, 1, "confirmation")


def test_an_account_is_entered_confirmed_and_paid_after_a_while(world: World) -> None:
    """No release without it or within the cooling-off; a manager ends that with the password given again."""
    case = Case(world).concluded()
    document = case.attach("other", PDF + b"seen")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.officer, "tranches/1/request")
    refused = case.act(world.finance, "tranches/1/release", 409)
    assert f"{NAME} has no confirmed bank account" in refused["detail"]
    wrong = enter(world.applicant, 422, iban="MK07250120000058985", bic="DEUTDEFF1")
    assert {item["field"] for item in wrong["errors"]} == {"iban", "bic"}
    enter(world.officer)
    act(world.officer, 1, "confirmation", 403)
    act(world.applicant, 1, "confirmation", 403)
    enter(world.applicant, 409, version=str(version(world.applicant)))
    enter(world.applicant, 409, version="0")
    act(world.finance, 1, "confirmation", version=version(world.finance))
    held = case.act(world.finance, "tranches/1/release", 409)
    assert "within 48 hours of that nothing is paid to it" in held["detail"]
    assert "cooling-off" in world.finance.page(f"{case.path}/money")
    world.manager.confirmed_at = 1
    asked = act(world.manager, 1, "lift", 403, why="Known for years")
    assert asked["type"].endswith("step-up-required")
    world.manager.confirmed_at = 0
    act(world.manager, 1, "lift", why="Known for years")
    case.act(world.finance, "tranches/1/release")


def test_only_finance_and_the_owner_see_the_number(world: World) -> None:
    """Everybody else reads four characters; a stranger knows of nothing; no event and no entity carries the number."""
    known(world)
    shown = IBAN[:4] + " " + IBAN[4:8]
    for person, whole in ((world.applicant, True), (world.finance, True), (world.officer, False)):
        page = person.page(ORG)
        assert "•••• 8984" in page or whole
        assert (shown in page) is whole
        assert (person.api("GET", ORG)["details"][0]["value"] == IBAN) is whole
        assert person.request("GET", f"{ORG}/1/letter").status_code == (200 if whole else 403)
    assert "•••• 8984" in world.auditor.page(ORG)
    assert world.finance.request("GET", f"{ORG}/1/letter").content == LETTER
    kept = [file.read_bytes() for file in world.settings.documents_folder.rglob("*") if file.is_file()]
    assert kept
    assert not any(LETTER in content for content in kept), "the letter is sealed"
    for stranger in (world.msme, world.reviewer_one):
        assert stranger.request("GET", ORG).status_code in {403, 404}
    world.msme.page(ORG, 404)
    world.officer.page("/organisations/msme/bank", 404)
    world.finance.page("/organisations/nobody/bank", 404)
    with world.engine.connect() as connection:
        for table in ("outbox", "payee"):
            found = connection.execute(text(f"SELECT count(*) FROM {table} t WHERE t::text ~ '250120000058984'"))  # noqa: S608 - our own names
            assert found.scalar_one() == 0, table
        viewed = "SELECT count(*) FROM outbox WHERE type = 'grants.record.viewed' AND body::text ~ 'bank details'"
        assert connection.execute(text(viewed)).scalar_one() >= 1


def test_a_change_is_made_by_the_form_and_told_to_everybody(world: World) -> None:
    """A refused form comes back as typed; another name needs a word of who confirms; the organisation is told."""
    known(world)
    applicant = world.applicant
    at = str(version(applicant))
    typed = {"iban": "MK07300000000042426", "holder": "Somebody Else", "version": at}
    page = applicant.post(ORG, 422, **typed).text
    assert "check digits" in page
    assert "Somebody Else" in page
    typed["iban"] = "MK07300000000042425"
    assert "is required" in applicant.post(ORG, 422, **typed).text
    files = {"file": ("letter.pdf", PDF, "application/pdf")}
    applicant.post(ORG, files=files, **typed)
    applicant.post(ORG, 409, files=files, **typed)
    assert "•••• 2425" in world.finance.page("/bank-details")
    note = act(world.finance, 2, "confirmation", 422)["errors"][0]
    assert "on the name “Somebody Else”" in note["rule"]
    page = world.finance.post(f"{ORG}/2/confirmation", 422, version=str(version(world.finance)), note="").text
    assert "Make sure of this" in page
    act(applicant, 2, "refusal", why="Typed the wrong name")
    with world.engine.connect() as connection:
        query = "SELECT body->'parties', body->'data' FROM outbox WHERE type = 'grants.payee.entered' ORDER BY row"
        parties, data = connection.execute(text(query)).all()[-1]
    assert parties["applicant"] == ["org:chamber-of-crafts"]
    assert (data["changes_former"], data["masked"]) == (True, "•••• 2425")


def test_a_stand_in_is_no_second_person(world: World) -> None:
    """Who acts for the one who entered an account can't confirm it, in whatever role the delegation is."""
    enter(world.finance, iban="MK07300000000042425")
    today = world.clock().date()
    span = {"first_day": today.isoformat(), "last_day": (today + timedelta(days=2)).isoformat()}
    body = {"role": "finance_officer", "delegate": world.finance_two.identity.user} | span
    world.finance.api("POST", "/delegations", 201, **body)
    refused = act(world.finance_two, 1, "confirmation", 403)
    assert "another person must decide" in refused["detail"]
    act(world.finance, 1, "refusal", why="Not needed")


def test_two_who_decide_at_once(world: World) -> None:
    """Of two finance officers who confirm at the same moment one does; the other is told that it changed."""
    known(world)
    enter(world.officer, iban="MK07300000000042425")
    at, ready = version(world.finance), Barrier(2)
    number = len(world.finance.api("GET", ORG)["details"])

    def confirm(person: Person) -> int:
        ready.wait()
        path = f"/api{ORG}/{number}/confirmation"
        return int(person.request("POST", path, json={"version": at, "note": "Called"}).status_code)

    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(confirm, [world.finance, Person(world, world.finance.identity)]))
    assert sorted(codes) == [200, 409]
    states = [item["status"] for item in world.auditor.api("GET", ORG)["details"]]
    assert (states.count("confirmed"), states[0]) == (1, "replaced")
