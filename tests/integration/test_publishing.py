"""Agreements as open data: what is wrong stands beside the record, what goes out is kept, and says nothing foreign."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from grants_world import PDF, PROGRAMME, Case, World, counted

from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each

PLACE = f"/programmes/{PROGRAMME}/publications"
FACTS = {
    "publisher": {"ref": "MK-CRM-7654321", "name": "Palladium", "type": "70"},
    "prefix": "360G-bep",
    "donors": [{"ref": "US-GOV-1", "name": "USAID", "type": "10", "role": "funding"}],
    "sectors": [{"code": "25010", "percent": "60"}, {"code": "32130", "percent": "40"}],
    "countries": [{"code": "MK", "percent": "100"}],
    "starts": "2026-01-05",
    "licence": "https://creativecommons.org/licenses/by/4.0/",
    "source": "https://example.org/grants",
    "description_from": "approach",
}


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with a paid grant, a rejected application and a draft."""
    world = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    case = Case(world).concluded()
    case.act(world.finance, "tranches/1/request")
    document = case.attach("other", PDF + b"seen")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen by ana@example.org")
    case.act(world.finance_two, "tranches/1/release")
    case.act(world.finance, "tranches/1/payment", payment_reference="MK07250120000058984", paid_on="2026-03-02")
    world.reference = case.reference  # type: ignore[assignment] # the story's case
    Case(world).draft()
    return world


def draft(world: World, form: str) -> dict[str, Any]:
    """Return the draft as an officer sees it."""
    return dict(world.officer.api("GET", f"{PLACE}/{form}/draft"))


def state(world: World, **changed: Any) -> dict[str, Any]:
    """State the programme's facts as its manager."""
    place = f"/programmes/{PROGRAMME}/publishing-facts"
    version = world.manager.api("GET", place)["version"]
    return dict(world.manager.api("PUT", place, facts=FACTS | changed, version=version))


def test_what_is_wrong_stands_beside_the_record_and_nothing_goes_out(world: World) -> None:
    """Facts that the pack does not state are named with field and rule; publishing is refused, whoever asks."""
    for form, field in (("360giving", "prefix"), ("iati", "sectors")):
        seen = draft(world, form)
        problems = {item["field"]: item for item in seen["records"][-1]["problems"]}
        assert problems[field]["rule"] == "is not stated by the programme"
        assert problems[field]["mend"] == "programme"
        for how in ("refuse", "leave_out"):
            said = world.manager.api("POST", f"{PLACE}/{form}", 422, invalid=how)
            assert "can't be published" in said["detail"]
    assert world.officer.api("GET", f"{PLACE}/iati") == []


def test_a_published_file_is_kept_by_its_hash_and_the_next_one_says_what_changed(world: World) -> None:
    """Stated facts make both formats valid; the same records are not published twice; a change is shown by place."""
    state(world)
    for form, kind in (("360giving", "json"), ("iati", "xml")):
        seen = draft(world, form)
        assert [item["problems"] for item in seen["records"] if item["problems"]] == []
        world.officer.api("POST", f"{PLACE}/{form}", 409, seen="0" * 64)
        made = world.officer.api("POST", f"{PLACE}/{form}", 201, seen=seen["fingerprint"])
        assert made["published_by_name"] == world.officer.identity.name
        answer = world.auditor.request("GET", f"/api/publications/{made['id']}/files/{kind}")
        assert hashlib.sha256(answer.content).hexdigest() == made["files"][0]["sha256"]
        assert "Nothing has changed" in world.officer.api("POST", f"{PLACE}/{form}", 409)["detail"]
        state(world, countries=[{"code": "AL", "percent": "100"}])
        changed = draft(world, form)["since_last"]["changed"]
        assert ["MK", "AL"] in [list(pair) for pair in changed[world.reference].values()]
        state(world)


def test_a_file_says_nothing_but_what_is_public(world: World) -> None:
    """No draft, e-mail, bank account, payment reference, person or unpublished application stands anywhere in it."""
    state(world)
    people = [person.identity.name for person in world.people.values()]
    for form, kinds in (("360giving", ("json", "csv")), ("iati", ("xml",))):
        publication = world.officer.api("GET", f"{PLACE}/{form}")[0]
        assert publication["records"] == [world.reference]
        for kind in kinds:
            text = world.officer.request("GET", f"/api/publications/{publication['id']}/files/{kind}").text
            assert "@" not in text
            assert [name for name in (*people, "MK0725", "Seen by", "Trainers", "420") if name in text] == []


def test_the_grant_is_as_the_standard_wants_it(world: World) -> None:
    """The package and its table carry the award's own figures, days and organisations."""
    made = world.officer.api("GET", f"{PLACE}/360giving")[0]
    package = json.loads(world.officer.request("GET", f"/api/publications/{made['id']}/files/json").content)
    grant = package["grants"][0]
    assert grant["id"] == f"360G-bep-{world.reference}"
    assert (grant["amountAwarded"], grant["amountDisbursed"], grant["currency"]) == (40000, 16000, "EUR")
    assert grant["plannedDates"][0]["endDate"] == "2026-09-01"
    assert package["version"] == "1.4"
    table = world.officer.request("GET", f"/api/publications/{made['id']}/files/csv").content.decode("utf-8-sig")
    row = next(csv.DictReader(io.StringIO(table)))
    assert (row["Identifier"], row["Amount Awarded"]) == (grant["id"], "40000")


def test_who_may_not_know_of_it_gets_nothing(world: World) -> None:
    """Applicants and reviewers are refused; staff of another programme and wrong names get 404; only managers state."""
    made = world.officer.api("GET", f"{PLACE}/iati")[0]["id"]
    world.applicant.api("GET", f"{PLACE}/iati/draft", 403)
    world.reviewer_one.api("GET", f"/publications/{made}/files/xml", 403)
    world.officer.api("GET", "/programmes/other/publications/iati/draft", 404)
    world.officer.api("GET", f"{PLACE}/xls/draft", 422)
    world.auditor.api("POST", f"{PLACE}/iati", 403)
    world.officer.api("PUT", f"/programmes/{PROGRAMME}/publishing-facts", 403, facts=FACTS, version=1)
    place = f"/programmes/{PROGRAMME}/publishing-facts"
    world.manager.api("PUT", place, 409, facts=FACTS, version=1)
    wrong = FACTS | {"sectors": [{"code": "25010", "percent": "60"}]}
    version = world.manager.api("GET", place)["version"]
    assert "100" in str(world.manager.api("PUT", place, 422, facts=wrong, version=version)["errors"])


def test_a_manager_states_in_the_browser_what_is_missing_and_publishes(stand: Stand, tmp_path: Path) -> None:
    """The page links each error to where it is mended; a wrong form comes back as typed; then the file goes out."""
    world = World(stand.database("grants"), tmp_path)
    case = Case(world).concluded()
    place, facts = f"/publishing/{PROGRAMME}/iati", f"/publishing/{PROGRAMME}/facts"
    assert f'href="/grants{facts}"' in world.officer.page(place)
    typed = {"version": 0, "publisher_ref": "MK-CRM-7654321", "publisher_name": "Palladium", "publisher_type": "70"}
    typed |= {"donor_name": "USAID", "sectors": "25010 60, 32130 30", "countries": "mk", "starts": "2026-01-05"}
    typed |= {"description_from": "approach"}
    refused = world.manager.post(facts, 422, **typed).text
    assert 'value="25010 60, 32130 30"' in refused
    assert "100 %" in refused
    world.manager.post(facts, **(typed | {"sectors": "25010 60, 32130 40"}))
    world.officer.post(facts, 403, **typed)
    page = world.manager.page(place)
    seen = page.split('name="seen" value="')[1][:64]
    world.manager.post(place, seen=seen)
    assert case.reference in world.auditor.page(place)
    assert "Nothing has changed" in world.manager.post(place, 409, seen=seen).text
    with counted(world) as one:
        world.officer.page(place)
    Case(world).concluded()
    with counted(world) as two:
        assert "New:" in world.officer.page(place)
    assert len(one) == len(two)
