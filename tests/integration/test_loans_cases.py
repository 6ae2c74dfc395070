"""An adviser's firms at a glance: what is next, by when, and how ready; contacts that the firm does not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from loans_world import PROGRAMME, World, call, drafted, submitted
from sqlalchemy import event

from shared.events.portal import OrganisationRegistered
from shared.testing.stand import Stand
from shared.testing.web import Browser, person

CONTACT: dict[str, Any] = {"on": "2026-02-27", "how": "visit", "note": "The cash plan is missing."}
STEP = {"text": "Bring the cash plan", "side": "firm", "due": "2026-03-10"}


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def another(world: World, name: str) -> Browser:
    """Let another MSME come, and begin a proposal with the same adviser."""
    slug = name.lower()
    known = OrganisationRegistered(organisation_id=slug, name=name, kind="msme", country="MK")
    world.hear(known, f"organisation:{slug}")
    who = person("applicant", str(uuid4()), name=f"Owner of {name}", organisation=slug, organisation_name=name)
    browser = Browser(world.app, who)
    call(browser, "POST", "/proposals", 201, supporter="chamber-of-crafts", title=f"Loan of {name}")
    return browser


def names(world: World, query: str = "") -> list[str]:
    return [item["organisation"] for item in call(world.applicant, "GET", f"/cases{query}")["items"]]


def test_an_adviser_sees_each_firm_once_with_what_is_next(world: World) -> None:
    """The newest proposal counts, with the rules it meets, the agreed step, its fee, and how the banks stand."""
    assert names(world) == []
    reference = submitted(world)
    call(world.officer, "POST", f"/proposals/{reference}/adviser", 201, adviser="chamber-of-crafts")
    another(world, "Ajvar")
    made = call(world.applicant, "POST", "/cases/msme/contacts", 201, **CONTACT, step=STEP, version=0)
    assert (made["version"], made["contacts"][0]["note"]) == (1, "The cash plan is missing.")
    found = {item["organisation"]: item for item in call(world.applicant, "GET", "/cases")["items"]}
    assert list(found) == ["msme", "ajvar"]
    mine = found["msme"]
    assert (mine["proposal"], mine["stage"], mine["last_contact"]) == (reference, "locked", "2026-02-27")
    assert (mine["met"], mine["of"]) == (16, 17)
    assert (mine["step"], mine["fee_stage"]) == (STEP, "assigned")
    assert found["ajvar"]["met"] < 16
    assert found["ajvar"]["last_contact"] is None
    again = call(world.msme, "POST", "/proposals", 201, supporter="chamber-of-crafts", title="A second one")
    assert call(world.applicant, "GET", "/cases")["items"][0]["proposal"] == again["reference"]


def test_cases_are_sorted_filtered_and_paged(world: World) -> None:
    """Each order goes on where the page before ended, and each filter leaves out what does not fit."""
    submitted(world)
    for name in ("Ajvar", "Brusnica", "Cresha"):
        another(world, name)
    call(world.applicant, "POST", "/cases/brusnica/contacts", 201, **CONTACT, step=STEP | {"due": "2026-03-03"})
    call(world.applicant, "POST", "/cases/msme/contacts", 201, **(CONTACT | {"on": "2026-01-10"}), step=STEP)
    orders = {
        "due": ["brusnica", "msme", "ajvar", "cresha"],
        "contact": ["ajvar", "cresha", "msme", "brusnica"],
        "name": ["ajvar", "brusnica", "cresha", "msme"],
    }
    for sort, order in orders.items():
        assert names(world, f"?sort={sort}") == order, sort
        seen: list[str] = []
        cursor = ""
        while True:
            page = call(world.applicant, "GET", f"/cases?sort={sort}&limit=1&cursor={cursor}")
            seen += [item["organisation"] for item in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
        assert seen == order, sort
    assert set(names(world, "?sort=changed")) == {"ajvar", "brusnica", "cresha", "msme"}
    first = call(world.applicant, "GET", "/cases?sort=changed&limit=3")
    assert len(call(world.applicant, "GET", f"/cases?sort=changed&cursor={first['next']}")["items"]) == 1
    assert names(world, "?stage=locked") == ["msme"]
    assert names(world, "?q=brus") == ["brusnica"]
    assert names(world, "?late=true") == []
    world.clock.now = world.clock().replace(day=5)
    assert names(world, "?late=true") == ["brusnica"]
    call(world.applicant, "GET", "/cases?sort=luck", 422)


def test_who_reads_and_keeps_a_case(world: World) -> None:
    """Neither the firm nor a bank nor an organisation that it has not chosen; the office reads and does not write."""
    call(world.applicant, "GET", "/cases/msme", 404)
    call(world.applicant, "POST", "/cases/msme/contacts", 404, **CONTACT)
    drafted(world)
    call(world.applicant, "POST", "/cases/msme/contacts", 201, **CONTACT, step=STEP)
    call(world.msme, "GET", "/cases/msme", 404)
    call(world.msme, "POST", "/cases/msme/contacts", 404, **CONTACT)
    call(world.lead_firm, "GET", "/cases/msme", 404)
    call(world.bank_one, "GET", "/cases/msme", 403)
    call(world.bank_one, "GET", "/cases", 403)
    assert call(world.officer, "GET", "/cases/msme")["contacts"][0]["how"] == "visit"
    call(world.officer, "POST", "/cases/msme/contacts", 403, **CONTACT)
    assert [item["organisation"] for item in call(world.officer, "GET", "/cases")["items"]] == ["msme"]
    assert "Bring the cash plan" in world.msme.get("/loans/firms/msme").text
    assert "The cash plan is missing" not in world.msme.get("/loans/firms/msme").text
    with world.engine.connect() as connection:
        told = str(connection.exec_driver_sql("SELECT body FROM outbox").all())
    assert "cash plan" not in told


def test_what_is_wrong_with_a_contact_is_named(world: World) -> None:
    """A day to come, no note, a step in the past or without a day; a stale version is a conflict."""
    drafted(world)
    for changed, field in (
        ({"on": "2026-03-03"}, "on"),
        ({"note": " "}, "note"),
        ({"how": "dream"}, "how"),
        ({"step": STEP | {"due": "2026-03-01"}}, "due"),
    ):
        refused = call(world.applicant, "POST", "/cases/msme/contacts", 422, **(CONTACT | changed))
        assert refused["errors"][0]["field"].split(".")[-1] == field
    call(world.applicant, "POST", "/cases/msme/step/done", 409)
    call(world.applicant, "POST", "/cases/msme/contacts", 201, **CONTACT, step=STEP, version=0)
    call(world.applicant, "POST", "/cases/msme/contacts", 409, **CONTACT, version=0)
    call(world.applicant, "POST", "/cases/msme/contacts", 409, **CONTACT, version=7)
    assert call(world.applicant, "POST", "/cases/msme/step/done", version=1)["step"] is None
    call(world.applicant, "POST", "/cases/msme/step/done", 409)


@pytest.mark.english
def test_a_case_by_forms(world: World) -> None:
    """The adviser's menu leads to the cases; a refused note comes back as typed, a good one stands there."""
    drafted(world)
    assert world.applicant.get("/loans/firms").headers["location"] == "/loans/cases"
    page = world.applicant.get("/loans/cases").text
    assert "Pelagonia Preserves" in page
    assert "16 of 17" in page
    address = "/loans/cases/msme"
    form = {"on": "2026-02-27", "how": "call", "note": "Cash plan", "step": "Bring it", "side": "firm", "version": "0"}
    half = world.applicant.post(f"{address}/contacts", form)
    assert half.status_code == 422
    assert 'value="Bring it"' in half.text
    assert 'id="e-due"' in half.text
    assert world.applicant.post(f"{address}/contacts", form | {"due": "2026-03-10"}).status_code == 303
    assert world.applicant.post(f"{address}/contacts", form | {"due": "2026-03-10"}).status_code == 409
    page = world.applicant.get(address).text
    assert "Bring it (The firm)" in page
    assert world.applicant.post(f"{address}/step/done", {"version": "1"}).status_code == 303
    assert world.officer.get(f"/loans/cases?adviser=chamber-of-crafts&programme={PROGRAMME}").status_code == 200
    assert world.officer.get(f"{address}?adviser=chamber-of-crafts").status_code == 200


def test_cases_ask_the_database_as_often_for_many(world: World) -> None:
    """The page of an adviser's firms needs as many statements for three firms as for one."""
    said: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    counts = []
    for more in (("Ajvar",), ("Brusnica", "Cresha")):
        for name in more:
            another(world, name)
            call(world.applicant, "POST", f"/cases/{name.lower()}/contacts", 201, **CONTACT, step=STEP)
        said.clear()
        assert world.applicant.get("/loans/cases").status_code == 200
        counts.append(len(said))
    assert counts[0] == counts[1]
