"""Promises about a whole grant: ids alone decide, whoever leaves stays on the record, no amount is too large."""

from __future__ import annotations

import re
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import grants_world
import pytest
from grants_world import PDF, PROGRAMME, Case, Person, World

from shared.events.portal import UserDeactivated
from shared.testing.language import in_words
from shared.testing.stand import Stand

LABEL = {"en": "\u2014", "ru": "\u2014"}
HUGE = Decimal("100000000000000.00")
FACTS = {
    "publisher": {"ref": "MK-CRM-7654321", "name": "Palladium", "type": "70"},
    "prefix": "360G-bep",
    "donors": [{"ref": "US-GOV-1", "name": "USAID", "type": "10", "role": "funding"}],
    "sectors": [{"code": "25010"}],
    "countries": [{"code": "MK"}],
    "starts": "2026-01-05",
    "licence": "https://creativecommons.org/licenses/by/4.0/",
    "source": "https://example.org/grants",
    "description_from": "approach",
}
PARTS = ("40000000000000.00", "40000000000000.00", "20000000000000.00")


def paid(case: Case) -> None:
    """Pay the first tranche: evidence, verification, request, certificate where the amount needs one, release."""
    world, document = case.world, case.attach("other", PDF + case.reference.encode())
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Проверено на месте")
    case.act(world.finance, "tranches/1/request")
    if Decimal(case.award()["tranches"][0]["amount"]["amount"]) >= Decimal(20000):
        period = {"period_from": "2026-01-01", "period_to": "2026-03-31", "purpose": "Courses"}
        case.act(world.manager, "tranches/1/certificate", **period)
    case.act(world.finance_two, "tranches/1/release")
    case.act(world.finance, "tranches/1/payment", payment_reference=f"TR-{case.reference}", paid_on="2026-03-02")


def unlabelled(value: Any) -> Any:
    """Return a pack in which everything that is read by people says the same."""
    if isinstance(value, dict):
        words = value.keys() <= {"en", "ru"} and "en" in value
        return LABEL if words else {name: unlabelled(item) for name, item in value.items()}
    return [unlabelled(item) for item in value] if isinstance(value, list) else value


def speak(world: World, language: str) -> None:
    """Let everybody read in one language."""
    for person in world.people.values():
        person.identity = person.identity.model_copy(update={"locale": language})


def world_with(pack: dict[str, Any], stand: Stand, home: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a grants service that learned this pack."""
    with monkeypatch.context() as patch:
        patch.setattr(grants_world, "read_pack", lambda: deepcopy(pack))
        return World(stand.database("grants"), home)


def test_row_05_a_grant_in_russian_goes_by_ids_alone(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For Russian readers in a Russian process, with labels that say nothing, the whole story runs as it did."""
    for name in ("LC_ALL", "LANG", "LANGUAGE"):
        monkeypatch.setenv(name, "ru_RU.UTF-8")
    world = world_with(unlabelled(grants_world.read_pack()), stand, tmp_path, monkeypatch)
    speak(world, "ru")
    case = Case(world).concluded()
    early = case.act(world.finance_two, "tranches/1/release", 409)
    assert "Транш" in early["detail"]
    assert early["type"] == "urn:tamga:problem:conflict"
    paid(case)
    page = world.applicant.page(f"/applications/{case.reference}/money")
    assert 'lang="ru"' in page
    assert "Платежи" in page
    assert "Payments" not in page
    russian = [item.removeprefix("grants.") for item in world.events(case.reference)]
    speak(world, "en")
    other = Case(world).concluded()
    other.act(world.finance_two, "tranches/1/release", 409)
    paid(other)
    english = [item.removeprefix("grants.") for item in world.events(other.reference)]
    assert [item for item in russian if "viewed" not in item] == [item for item in english if "viewed" not in item]


def leave(world: World, person: Person) -> None:
    """Let the service hear that somebody left."""
    gone = UserDeactivated(user_id=person.identity.user, reason="left the programme")
    world.hear(gone, f"user:{person.identity.user}")


def test_row_11_who_leaves_stays_on_the_record(stand: Stand, tmp_path: Path) -> None:
    """After a person was deactivated their name and acts stand on the case, its timeline, reviews and payments."""
    world = World(stand.database("grants"), tmp_path)
    case = Case(world).concluded()
    paid(case)
    pages = ("", "/money", "/timeline", "/reviews")
    leaving = [world.people[key] for key in ("officer", "reviewer_one", "finance", "finance_two")]
    before = {path: world.manager.page(f"/applications/{case.reference}{path}") for path in pages}
    timeline = world.manager.api("GET", f"{case.path}/timeline")
    for person in leaving:
        leave(world, person)
    for path in pages:
        page = world.manager.page(f"/applications/{case.reference}{path}")
        for person in leaving:
            name = person.identity.name
            assert (name in page) == (name in before[path]), (path, name)
    after = world.manager.api("GET", f"{case.path}/timeline")
    assert [str(item) for item in after][-len(timeline) :] == [str(item) for item in timeline]
    told = str(after) + str(world.auditor.api("GET", f"{case.path}/reviews")) + str(case.award())
    assert [person.identity.name for person in leaving if person.identity.name not in told] == []


def generous() -> dict[str, Any]:
    """Return the pack with limits above the amount."""
    pack, limit = grants_world.read_pack(), {"amount": str(HUGE * 2), "currency": "EUR"}
    call = pack["calls"]["bso-grants-2026"]
    call["budget"] = call["ceiling"] = limit
    for line in pack["programme"]["delegated_authority"]:
        line["up_to"] = limit
    pack["decisions"]["approvals"]["levels"] = pack["decisions"]["approvals"]["levels"][:1]
    return pack


def test_row_13_a_hundred_trillion_goes_through(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000,000,000,000.00 stands to the cent in application, award, ledger and both exports."""
    world = world_with(generous(), stand, tmp_path, monkeypatch)
    huge = {"amount": str(HUGE), "currency": "EUR"}
    line = {"line": "experts", "note": "Trainers", "grant": huge, "own": {"amount": "0.01", "currency": "EUR"}}
    monkeypatch.setattr(grants_world, "BUDGET", [line])
    case = Case(world).approved()
    assert case.seen()["amount"] == huge
    case.offer(amounts=PARTS)
    for person in (world.manager, world.applicant):
        person.api("POST", f"{case.path}/award/acceptance", agreement_version=1)
    assert case.award()["amount"] == huge
    paid(case)
    figures = world.finance.api("GET", f"{case.path}/ledger")["figures"]
    assert [figures[name]["amount"] for name in ("committed", "left", "paid")] == [
        str(HUGE),
        "60000000000000.00",
        PARTS[0],
    ]
    assert in_words(HUGE) in world.officer.page(f"/applications/{case.reference}/money")
    place = f"/programmes/{PROGRAMME}"
    world.manager.api("PUT", f"{place}/publishing-facts", facts=FACTS, version=0)
    for form, kind in (("360giving", "json"), ("iati", "xml")):
        made = world.officer.api("POST", f"{place}/publications/{form}", 201)
        text = world.officer.request("GET", f"/api/publications/{made['id']}/files/{kind}").text
        for amount in ("100000000000000", "40000000000000"):
            assert re.search(rf"\b{amount}(\.0+)?\b", text), (form, amount)
    assert PARTS[0] in world.finance.request("GET", f"{case.path}/ledger.csv").text
