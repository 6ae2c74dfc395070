"""A firm's profile by pages and by the API: who sees it, what is refused, and a proposal filled in from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from loans_world import World, call, drafted
from sqlalchemy import event

from shared.testing.stand import Stand
from shared.testing.web import Browser

STAFF = {"groups": [{"sex": "female", "age": "adult", "contract": "permanent", "fte": "8"}]}
OWNERS = {"people": [{"name": "Vera Stojanova", "share_percent": "60", "sex": "female", "birth_year": "1979"}]}
ACCOUNTS: dict[str, Any] = {
    "year": "2025",
    "sales": "110000",
    "cost_of_sales": "60000",
    "operating_costs": "15000",
    "net_profit": "35000",
    "fixed_assets": "50000",
    "current_assets": "30000",
    "total_assets": "80000",
    "equity": "40000",
    "current_liabilities": "40000",
    "total_claims": "80000",
}


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def state(browser: Browser, topic: str, content: dict[str, Any], expect: int = 201, **more: Any) -> Any:
    """Enter a fact of the firm through the API."""
    body = {"topic": topic, "as_of": "2026-01-31", "source": "audited", "content": content} | more
    return call(browser, "POST", "/firms/msme/facts", expect, **body)


def test_a_profile_is_entered_from_three_sides(world: World) -> None:
    """The firm, its adviser and the office enter facts; before the firm has chosen it, an adviser knows of nothing."""
    call(world.applicant, "GET", "/firms/msme", 404)
    state(world.msme, "owners", OWNERS)
    drafted(world)
    state(world.applicant, "staff", STAFF, as_of="2025-12-31")
    found = state(world.officer, "accounts", ACCOUNTS)
    assert [entry["side"] for entry in found["entries"]] == ["firm", "adviser", "office"]
    assert found["size"]["code"] == "micro"
    year = found["size"]["years"][0]
    assert (year["employees"], year["turnover"], year["held"]) == (
        "8.00",
        "110000.00",
        {"employees": True, "turnover": True, "balance_total": True},
    )
    assert world.events("msme").count("loans.firm.recorded") == 3
    assert [item["organisation"] for item in call(world.officer, "GET", "/firms")["items"]] == ["msme"]
    assert call(world.msme, "GET", "/firms")["items"] == []


def test_banks_and_strangers_see_nothing_of_it(world: World) -> None:
    """A bank is refused everywhere, and a lead firm is not told that the profile exists."""
    state(world.msme, "owners", OWNERS)
    for browser, expect in ((world.bank_one, 403), (world.lead_firm, 404)):
        call(browser, "GET", "/firms/msme", expect)
        state(browser, "owners", OWNERS, expect)
    call(world.bank_one, "GET", "/firms", 403)
    call(world.officer, "GET", "/firms/bank-one", 404)
    with world.engine.connect() as connection:
        told = str(connection.exec_driver_sql("SELECT body FROM outbox").all())
    assert "Stojanova" not in told


def test_what_does_not_add_up_comes_back(world: World) -> None:
    """Every refusal names the field and the rule; a correction asks why; a stale version is a conflict."""
    wrong = state(world.msme, "accounts", ACCOUNTS | {"equity": "39000"}, 422)
    assert [item["field"] for item in wrong["errors"]] == ["total_claims"]
    assert state(world.msme, "accounts", ACCOUNTS | {"sales": "much"}, 422)["errors"][0]["field"] == "sales"
    state(world.msme, "accounts", ACCOUNTS, 422, as_of="2027-01-01")
    made = state(world.msme, "accounts", ACCOUNTS, version=0)
    state(world.msme, "accounts", ACCOUNTS, 409, version=made["version"] + 5)
    state(world.msme, "accounts", ACCOUNTS, 422, corrects=1)
    mended = ACCOUNTS | {"sales": "111000", "net_profit": "36000"}
    found = state(world.msme, "accounts", mended, corrects=1, why="An invoice was missing")
    assert [(entry["number"], entry["corrects"]) for entry in found["entries"]] == [(1, None), (2, 1)]


def test_a_proposal_is_filled_in_and_pinned(world: World) -> None:
    """A new proposal begins with what the profile knows; newer entries are taken over when the firm asks."""
    state(world.msme, "owners", OWNERS)
    reference = call(world.msme, "POST", "/proposals", 201, supporter="chamber-of-crafts")["reference"]
    read = call(world.msme, "GET", f"/proposals/{reference}")
    assert read["plan"]["owners"]["people"][0]["name"] == "Vera Stojanova"
    assert read["plan"]["applicant"]["women_owned_percent"] == "60.00"
    state(world.msme, "accounts", ACCOUNTS)
    page = world.msme.get(f"/loans/proposals/{reference}").text
    form = re.search(rf'action="/loans/proposals/{reference}/profile".*?name="version" value="(\d+)"', page, re.DOTALL)
    assert form
    assert world.msme.post(f"/loans/proposals/{reference}/profile", {"version": form[1]}).status_code == 303
    assert world.msme.post(f"/loans/proposals/{reference}/profile", {"version": form[1]}).status_code == 409
    read = call(world.msme, "GET", f"/proposals/{reference}")
    assert [year["sales"] for year in read["plan"]["history"]["years"]] == ["110000.00"]
    assert f"/loans/proposals/{reference}/profile" not in world.msme.get(f"/loans/proposals/{reference}").text
    call(world.officer, "POST", f"/proposals/{reference}/profile", 403)


@pytest.mark.english
def test_facts_by_forms(world: World) -> None:
    """Each topic has its form; a refused one comes back as typed with the rule at the field."""
    forms: dict[str, dict[str, str]] = {
        "register": {"legal_name": "Pelagonia Preserves", "sector": "1030", "region": "Bitola"},
        "owners": {"people-0-name": "Vera", "people-0-share_percent": "60", "people-0-sex": "female"},
        "staff": {"fte-female-adult-permanent": "8", "fte-male-youth-temporary": "2.5"},
        "accounts": {name: str(value) for name, value in ACCOUNTS.items()},
    }
    for version, (topic, fields) in enumerate(forms.items()):
        address = f"/loans/firms/msme/enter/{topic}"
        assert world.msme.get(address).status_code == 200
        form = fields | {"version": str(version), "as_of": "2026-01-31", "source": "tax_return"}
        assert world.msme.post(address, form).status_code == 303, topic
    page = world.msme.get("/loans/firms/msme").text
    for text in ("Turnover, EUR", "Owned by women", "2003/361", "110,000", "1030", "10.5"):
        assert text in page, text
    address = "/loans/firms/msme/enter/accounts"
    refused = world.msme.post(
        address, forms["accounts"] | {"version": "4", "as_of": "2026-01-31", "source": "audited", "equity": "41000"}
    )
    assert refused.status_code == 422
    assert 'value="41000"' in refused.text
    assert "1,000" in refused.text or "1000.00" in refused.text
    assert world.msme.get(f"{address}?corrects=4").status_code == 200
    assert world.msme.get(f"{address}?corrects=1").status_code == 404
    stale = world.msme.post(address, forms["accounts"] | {"version": "1", "as_of": "2026-01-31", "source": "audited"})
    assert stale.status_code == 409
    assert world.msme.get("/loans/firms/msme/enter/secrets").status_code == 404
    assert world.msme.post("/loans/firms/msme/enter/secrets", {"version": "4"}).status_code == 404
    assert "Pelagonia" in world.officer.get("/loans/firms?q=pela").text
    assert world.msme.get("/loans/firms").headers["location"] == "/loans/firms/msme"


def test_the_profile_asks_the_database_as_often_for_many_entries(world: World) -> None:
    """The page of a profile needs as many statements for five years as for one."""
    said: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    counts = []
    for years in (("2020",), ("2021", "2022", "2023", "2024")):
        for year in years:
            state(world.msme, "accounts", ACCOUNTS | {"year": year})
        said.clear()
        assert world.msme.get("/loans/firms/msme").status_code == 200
        counts.append(len(said))
    assert counts[0] == counts[1]
