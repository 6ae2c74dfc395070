"""Banks publish products, a firm sees which fit, and its referral keeps the version that it chose."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from loans_world import PROGRAMME, World, call, drafted, refer
from sqlalchemy import event

from shared.testing.stand import Stand

TERMS: dict[str, Any] = {
    "name": {"en": "Equipment loan", "ru": "Кредит на оборудование"},
    "purposes": ["equipment"],
    "currency": "EUR",
    "amount_min": "5000",
    "amount_max": "30000",
    "term_min": 6,
    "term_max": 48,
    "rate_min_percent": "12",
    "rate_max_percent": "14",
    "fee_percent": "2",
    "valid_from": "2026-01-01",
    "rules": [{"rule": "dscr", "at_least": "1.25"}, {"rule": "history", "at_least": "3"}],
}


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


@pytest.mark.english
def test_from_the_catalogue_to_the_referral(world: World) -> None:
    """Two banks publish; the firm sees which product fits and why the other does not; its bank sees its own rules."""
    small = call(world.bank_one, "POST", "/products", 201, terms=TERMS)
    large = TERMS | {"name": {"en": "Growth loan"}, "amount_max": "60000"}
    body = {"programme": PROGRAMME, "bank": "bank-two", "terms": large}
    grown = call(world.manager, "POST", "/products", 201, **body)
    assert (grown["bank"], grown["number"]) == ("bank-two", 1)
    assert float(grown["effective_high"]) > 0.14
    call(world.bank_one, "GET", f"/products/{grown['reference']}", 404)
    call(world.bank_one, "POST", f"/products/{grown['reference']}/withdrawal", 404, why="Not mine.")
    call(world.bank_one, "POST", "/products", 404, bank="bank-two", terms=TERMS)
    call(world.msme, "POST", "/products", 403, terms=TERMS)
    refused = call(world.bank_one, "POST", "/products", 422, terms=TERMS | {"amount_max": "1"})
    assert "amount_max" in str(refused)
    assert [item["bank"] for item in call(world.bank_one, "GET", "/products")["items"]] == ["bank-one"]

    reference = drafted(world)
    fits = call(world.msme, "GET", f"/proposals/{reference}/matches")
    assert [(fit["name"], fit["match"]["fits"]) for fit in fits] == [("Growth loan", True), ("Equipment loan", False)]
    failed = [item for item in fits[1]["match"]["findings"] if item["met"] is False]
    assert [(item["rule"], item["said"]) for item in failed] == [("amount", "asks 40000.00, at most 30000.00")]
    banks = call(world.msme, "GET", f"/proposals/{reference}/banks")
    assert [(bank["bank"], bank["match"]["fits"]) for bank in banks] == [
        *(("mfi-one", True), ("bank-two", True), ("bank-one", False))
    ]
    page = world.msme.get(f"/loans/proposals/{reference}/matches").text
    assert "at most 30,000.00" in page
    assert "Ready for each bank" in world.msme.get(f"/loans/proposals/{reference}/edit/request").text

    call(world.msme, "POST", f"/proposals/{reference}/submission")
    version = {"terms": large | {"rate_max_percent": "13"}, "version": grown["version"]}
    call(world.manager, "POST", f"/products/{grown['reference']}/versions", 201, **version)
    call(world.manager, "POST", f"/products/{grown['reference']}/versions", 409, **version)
    pin = {"product": grown["reference"], "product_number": 1, "fields": ["applicant", "request"]}
    assert "product" in str(refer(world, reference, "bank-two", 422, **pin))
    assert "product" in str(refer(world, reference, "bank-two", 422, **(pin | {"product": small["reference"]})))
    made = refer(world, reference, "bank-two", **(pin | {"product_number": 2}))
    assert (made["product"], made["product_number"]) == (grown["reference"], 2)
    seen = world.bank_two.get(f"/loans/referrals/{made['reference']}").text
    assert "Growth loan" in seen
    assert "not shared" in seen
    told = call(world.bank_two, "GET", f"/referrals/{made['reference']}/match")
    assert (told["failed"], told["untold"], told["of"]) == (0, 2, 7)
    call(world.bank_one, "GET", f"/referrals/{made['reference']}/match", 404)
    call(world.manager, "POST", f"/products/{grown['reference']}/withdrawal", why="Funds are used up.")
    assert (
        call(world.bank_two, "GET", f"/products/{grown['reference']}?number=1")["terms"]["rate_max_percent"] == "14.00"
    )
    assert [fit["name"] for fit in call(world.msme, "GET", f"/proposals/{reference}/matches")] == ["Equipment loan"]


def test_products_that_were_not_compared_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more products than are compared the page says how many it left out; of fewer it says nothing."""
    call(world.bank_one, "POST", "/products", 201, terms=TERMS)
    call(world.bank_one, "POST", "/products", 201, terms=TERMS | {"name": {"en": "Second loan"}})
    reference = drafted(world)
    address = f"/loans/proposals/{reference}/matches"
    assert 'class="note warn"' not in world.msme.get(address).text
    monkeypatch.setattr(import_module("services.loans.storage.products"), "MOST_OPEN", 1)
    page = world.msme.get(address).text
    assert page.count('class="note warn"><b>1</b>') == 1
    assert len(call(world.msme, "GET", f"/proposals/{reference}/matches")) == 1


def test_a_product_is_published_by_form(world: World) -> None:
    """The form comes back with the field that breaks a rule named, and publishes when it is mended."""
    assert len(call(world.manager, "POST", "/products/pack", 201)) == 4
    assert world.manager.post("/loans/products/pack", {}).status_code == 303
    assert len(call(world.manager, "GET", "/products")["items"]) == 4
    call(world.bank_one, "POST", "/products/pack", 403)
    form = {name: str(value) for name, value in TERMS.items() if name not in {"name", "rules", "purposes"}}
    form |= {"name-en": "Press loan", "rule-dscr": "1.25", "rule-sector": "10, 11", "purposes": "equipment"}
    wrong = world.bank_one.post("/loans/products/new", form | {"rule-dscr": "99"})
    assert wrong.status_code == 422
    assert 'id="e-rule-dscr"' in wrong.text
    made = world.bank_one.post("/loans/products/new", form)
    assert made.status_code == 303
    page = world.bank_one.get(made.headers["location"])
    assert "Press loan" in page.text
    edited = world.bank_one.get(f"{made.headers['location']}/edit").text
    assert 'value="10, 11"' in edited
    assert world.bank_two.get(made.headers["location"]).status_code == 404
    stale = world.bank_one.post(f"{made.headers['location']}/edit", form | {"version": "9"})
    assert stale.status_code == 409
    assert "Press loan" in world.msme.get("/loans/products?amount=20000&months=24").text
    assert "Press loan" not in world.msme.get("/loans/products?amount=45000").text
    assert world.officer.get("/loans/products?amount=much").status_code == 200


def test_the_catalogue_asks_the_database_as_often_for_many(world: World) -> None:
    """A page of the catalogue needs as many statements for three products as for one."""
    said: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    counts = []
    for names in (["A"], ["B", "C"]):
        for name in names:
            call(world.bank_one, "POST", "/products", 201, terms=TERMS | {"name": {"en": name}})
        said.clear()
        world.msme.get("/loans/products")
        counts.append(len(said))
    assert counts[1] == counts[0] > 0
