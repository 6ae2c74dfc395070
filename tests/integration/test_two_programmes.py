"""Two programmes in one house: workflows, currencies, calendars and rules of each hold for its own cases alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from grants_world import PDF, Case, World

from services.portal.packs import read_pack
from shared.testing.stand import Stand

FOLDER = Path(__file__).parents[2] / "programmes" / "bai-alai"
ANSWERS = {
    "led_by": "woman",
    "sector": "handicraft",
    "region": "alai",
    "idea": "Felt slippers from local wool.",
    "market": "Guest houses, and a shop in Osh.",
}


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service that knows both programmes."""
    world = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    programme, pack, _ = read_pack(FOLDER)
    people = yaml.safe_load((FOLDER / "people.yaml").read_text())
    world.learn(programme, pack | {"people": people})
    return world


class StartUp(Case):
    """The story of a start-up's application in the second programme."""

    def submitted(self) -> StartUp:
        """Start, fill and hand in; nine months of felt slippers."""
        path = "/applications"
        self.reference = self.world.start_up.api("POST", path, call="start-ups-2026")["reference"]
        body = {"title": "Felt slippers", "answers": ANSWERS, "budget": [som("equipment", "180000", "20000")]}
        self.world.start_up.api("PUT", f"{self.path}/answers", version=self.version(), **body)
        files = {"file": ("patent.pdf", PDF, "application/pdf")}
        answer = self.world.start_up.request(
            "POST", f"/api{self.path}/documents", data={"kind": "registration"}, files=files
        )
        assert answer.status_code == 201, answer.text
        self.move(self.world.start_up, "submit")
        return self

    def version(self) -> int:
        """Return the version that the applicant sees."""
        return int(self.seen(self.world.start_up)["version"])

    def seen(self, person: Any = None) -> dict[str, Any]:
        """Return the application as somebody sees it; the field officer unless named."""
        return super().seen(person or self.world.field_officer)

    def granted(self) -> StartUp:
        """Bring it through desk check, mentor and decision."""
        self.submitted()
        for item in ("identity", "visit"):
            body = {"checklist": "start-up-check", "item": item, "answer": "yes", "note": "Seen"}
            self.world.field_officer.api("POST", f"{self.path}/checks", version=self.seen()["version"], **body)
        mentor = self.world.mentor.identity.user
        self.world.field_officer.api("POST", f"{self.path}/reviews", reviewers=[mentor], version=self.seen()["version"])
        self.move(self.world.field_officer, "pass-on")
        self.declare("mentor")
        scores = {name: {"points": 7, "comment": "Because."} for name in ("idea", "person", "place")}
        self.score("mentor", scores=scores)
        self.move(self.world.field_officer, "put-to-decision")
        self.move(self.world.coordinator, "approve")
        return self


def som(line: str, grant: str, own: str) -> dict[str, Any]:
    """Return a budget line in som."""
    amounts = {name: {"amount": amount, "currency": "KGS"} for name, amount in (("grant", grant), ("own", own))}
    return {"line": line, "note": line} | amounts


def test_row_06_a_new_programme_is_data_alone(world: World) -> None:
    """A programme with other stages, roles, scoring, currency and calendar runs to its agreement without new code."""
    case = StartUp(world).granted()
    seen = case.seen()
    assert (seen["stage"], seen["amount"]) == ("granted", {"amount": "180000.00", "currency": "KGS"})
    plan = [
        {"title": title, "due": "2026-09-01", "amount": {"amount": amount, "currency": "KGS"}}
        for title, amount in (("Equipment bought", "126000"), ("First sales", "54000"))
    ]
    body = {"milestones": plan, "conditions": "", "version": seen["version"]}
    world.field_officer.api("POST", f"{case.path}/award", expect=201, **body)
    for person in (world.coordinator, world.start_up):
        award = person.api("POST", f"{case.path}/award/acceptance", agreement_version=1)
    assert award["amount"] == {"amount": "180000.00", "currency": "KGS"}
    assert case.seen()["stage"] == "running"


def test_each_programme_keeps_its_own_rules(world: World) -> None:
    """A ceiling, a currency and a move of the one programme mean nothing in the other, also when asked for there."""
    theirs, ours = StartUp(world).submitted(), Case(world).submitted()
    illegal = theirs.move(world.field_officer, "pass-screening", 409)
    assert illegal["legal"] == ["ask"]
    legal = ours.move(world.officer, "pass-on", 409)
    assert "request-information" in legal["legal"]
    draft = world.start_up.api("POST", "/applications", call="start-ups-2026")
    euro = [som("equipment", "100", "0") | {"grant": {"amount": "100", "currency": "EUR"}}]
    body = {"title": "Euro", "answers": ANSWERS, "budget": euro, "version": draft["version"]}
    refused = world.start_up.api("PUT", f"/applications/{draft['reference']}/answers", 422, **body)
    assert "KGS" in str(refused["errors"])


def test_people_of_one_programme_know_nothing_of_the_other(world: World) -> None:
    """Officers, managers and finance see no case, queue row or page of the programme that they do not work in."""
    theirs, ours = StartUp(world).submitted(), Case(world).submitted()
    world.officer.api("GET", theirs.path, 404)
    world.field_officer.api("GET", ours.path, 404)
    world.coordinator.page(f"/applications/{ours.reference}", 404)
    rows = world.field_officer.api("GET", "/applications?programme=bai-alai")["items"]
    assert theirs.reference in {row["reference"] for row in rows}
    assert {row["reference"][:3] for row in rows} == {"BAI"}
    world.start_up.api("POST", "/applications", 403, call="bso-grants-2026")


def test_row_12_amounts_of_two_currencies_are_never_summed(world: World) -> None:
    """A total over both programmes is one figure for each currency, and a comparison without one is refused."""
    StartUp(world).submitted()
    page = world.field_officer.page("/?programme=bai-alai")
    assert "KGS" in page
    assert "EUR" not in page
    refused = world.field_officer.api("GET", "/applications?programme=bai-alai&q=amount:>50000EUR", 422)
    assert "KGS" in str(refused)
