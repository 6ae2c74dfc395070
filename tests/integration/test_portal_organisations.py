"""The register of organisations over pages and JSON: who changes what, who confirms, who is told whose number it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.portal import bootstrap
from services.portal.application import create_app
from shared.database import Context, UnitOfWork, system
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

PACK = Path("programmes/business-ecosystem")
CHAMBER = "/api/organisations/chamber-of-crafts"


def _events(engine: Engine) -> list[str]:
    query = text(
        "SELECT type FROM outbox WHERE entity LIKE 'organisation:%' OR type = 'portal.user.changed' ORDER BY row"
    )
    with engine.connect() as connection:
        return [str(row.type).removeprefix("portal.") for row in connection.execute(query)]


def _facts(browser: Browser, **changes: Any) -> dict[str, Any]:
    known = browser.json("GET", CHAMBER).json()
    names = ("name", "kind", "country", "registration_number", "tax_number", "address", "website", "version")
    return {name: known[name] or "" for name in names} | changes


@pytest.mark.english
def test_a_register_that_two_people_keep(stand: Stand) -> None:
    """An applicant's address counts at once and the name when staff confirm; twins, strangers, stale writes refused."""
    engine = stand.database("portal")
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        bootstrap.ensure_pack(uow, PACK)
    with engine.connect() as connection:
        ana = connection.execute(text("SELECT id FROM account WHERE email = 'ana@chamber.example'")).scalar_one()
    app = create_app(web_settings(), engine=engine, key=KEY)
    own = Browser(app, person("applicant", ana, organisation="chamber-of-crafts"))
    other = Browser(app, person("applicant", "u-2", organisation="lead-firm"))
    officer, second = Browser(app, person("officer", "u-3")), Browser(app, person("officer", "u-4"))
    before = _events(engine)
    assert other.json("GET", CHAMBER).status_code == 404
    assert other.json("PUT", CHAMBER, _facts(own)).status_code == 404
    assert own.get("/organisations").status_code == 403
    assert own.get("/organisations/mine").headers["location"] == "/organisations/chamber-of-crafts"
    wrong = own.json("PUT", CHAMBER, _facts(own, tax_number="4030000375890", website="x"))
    assert {item["field"] for item in wrong.json()["errors"]} == {"tax_number", "website"}
    stale = _facts(own)
    done = own.json("PUT", CHAMBER, _facts(own, name="Chamber of Trades", address="Main street 1")).json()
    assert (done["name"], done["address"]) == ("Chamber of Crafts", "Main street 1")
    assert done["proposal"]["facts"] == {"name": "Chamber of Trades"}
    assert own.json("PUT", CHAMBER, stale).status_code == 409
    decision = {"confirm": True, "version": done["version"]}
    assert own.json("POST", f"{CHAMBER}/decision", decision).status_code == 403
    page = officer.get("/organisations/chamber-of-crafts").text
    assert "Chamber of Trades" in page
    assert "only the format is checked" in page
    assert "Chamber of Crafts" in officer.get("/organisations?waiting=true").text
    form = {"confirm": "true", "version": str(done["version"])}
    assert officer.post("/organisations/chamber-of-crafts/decision", form).status_code == 303
    assert own.json("GET", CHAMBER).json()["name"] == "Chamber of Trades"
    assert _events(engine)[len(before) :] == [
        *("organisation.changed", "organisation.change_proposed", "organisation.changed"),
    ]
    # Staff's own entries wait for other staff.
    entered = officer.json("PUT", CHAMBER, _facts(officer, country="RS")).json()
    decision = {"confirm": True, "version": entered["version"]}
    assert officer.json("POST", f"{CHAMBER}/decision", decision).status_code == 403
    refused = second.json("POST", f"{CHAMBER}/decision", decision | {"confirm": False}).json()
    assert [item["field"] for item in refused["errors"]] == ["why"]
    second.json("POST", f"{CHAMBER}/decision", decision | {"confirm": False, "why": "It never moved"})
    assert "It never moved" in own.get("/organisations/chamber-of-crafts").text


@pytest.mark.english
def test_a_new_organisation_of_an_applicant(stand: Stand) -> None:
    """It goes through the same checks, is nobody's until staff confirm it, and then its founder belongs to it."""
    engine = stand.database("portal")
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        bootstrap.ensure_pack(uow, PACK)
        query = "UPDATE account SET organisation = NULL, state = jsonb_set(state, '{organisation}', 'null')"
        uow.connection.execute(text(f"{query} WHERE email = 'vera@msme.example'"))
    with engine.connect() as connection:
        vera = connection.execute(text("SELECT id FROM account WHERE email = 'vera@msme.example'")).scalar_one()
    app = create_app(web_settings(), engine=engine, key=KEY)
    founder = Browser(app, person("applicant", vera, organisation=None, organisation_name=None))
    officer = Browser(app, person("officer", "u-3"))
    assert "Enter your organisation" in founder.get("/organisations/mine").text
    new = {"name": "Туристички сојуз", "kind": "bso", "country": "MK", "registration_number": "4030 995 110024"}
    twin = founder.json("POST", "/api/organisations/mine", new).json()["errors"][0]
    assert twin["field"] == "registration_number"
    assert "Chamber" not in twin["rule"]
    told = officer.json("POST", "/api/organisations", new).json()["errors"][0]["rule"]
    assert "Chamber of Crafts (chamber-of-crafts)" in told
    assert founder.post("/organisations/mine", new | {"registration_number": ""}).status_code == 303
    place = founder.get("/organisations/mine").headers["location"]
    assert founder.json("POST", "/api/organisations/mine", new | {"registration_number": ""}).status_code == 409
    assert officer.get("/people/new").status_code == 403
    seen = officer.json("GET", f"/api{place}").json()
    assert (seen["standing"], seen["may"]["decide"]) == ("waits", True)
    confirmed = officer.json("POST", f"/api{place}/decision", {"confirm": True, "version": seen["version"]}).json()
    assert confirmed["standing"] == "known"
    assert _home_of(engine, vera) == confirmed["id"]
    assert _events(engine)[-3:] == [
        *("organisation.change_proposed", "organisation.registered", "user.changed"),
    ]


def _home_of(engine: Engine, user: str) -> str:
    """Return where somebody belongs now."""
    with engine.connect() as connection:
        return str(
            connection.execute(text("SELECT organisation FROM account WHERE id = :id"), {"id": user}).scalar_one()
        )
