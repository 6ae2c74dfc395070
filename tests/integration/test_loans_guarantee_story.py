"""Guarantees over HTTP and a real database: who may do what, what is refused, and that a ceiling holds under load."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Thread

import pytest
from guarantee_world import AGREED, FUND, TERMS, asked, attach, fund, held, lent, opened, pay_dues, permitted, tape
from loans_world import World, call
from sqlalchemy import text

from services.loans.handlers.claims import keep_up
from shared.testing.stand import Stand
from shared.testing.web import Browser, person

pytestmark = pytest.mark.english  # refusals are read in words


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def test_a_facility_is_opened_and_changed_by_two(world: World) -> None:
    """One person proposes, another approves after giving the password; banks learn of it when it is approved."""
    rade, sonja = fund(world, "rade"), fund(world, "sonja")
    call(world.bank_one, "POST", "/facilities", 403, terms=TERMS)
    wrong = call(rade, "POST", "/facilities", 422, terms=TERMS | {"single_max": "300000", "banks": ["bank-x"]})
    assert {item["field"] for item in wrong["errors"]} == {"single_max", "banks"}
    (made,) = call(rade, "POST", "/facilities/pack", 201)
    assert call(rade, "POST", "/facilities/pack", 201) == []
    item = made["reference"]
    call(world.bank_one, "GET", f"/facilities/{item}", 404)
    assert call(world.bank_one, "GET", "/facilities")["items"] == []
    call(rade, "POST", f"/facilities/{item}/approval", 403)
    call(fund(world, "sonja", confirmed=False), "POST", f"/facilities/{item}/approval", 403)
    call(sonja, "POST", f"/facilities/{item}/approval", version=made["version"])
    again = call(sonja, "POST", f"/facilities/{item}/approval", 409)
    assert again["legal"] == ["change", "close"]
    call(sonja, "POST", f"/facilities/{item}/approval", 409, version=made["version"])
    call(rade, "POST", f"/facilities/{item}/changes", 201, terms=TERMS | {"ceiling": "300000"}, why="It has grown.")
    assert call(world.bank_one, "GET", f"/facilities/{item}")["change"] is None
    call(rade, "POST", f"/facilities/{item}/changes", 409, terms=TERMS)
    call(sonja, "POST", f"/facilities/{item}/refusal", why="Not this year.")
    assert call(world.bank_one, "GET", f"/facilities/{item}")["terms"]["ceiling"] == "250000.00"
    for browser in (world.msme, Browser(world.app, person("guarantor", "x", organisation="other-fund"))):
        assert browser.json("GET", f"/loans/api/facilities/{item}").status_code in {403, 404}
    call(sonja, "POST", f"/facilities/{item}/closure", why="The programme ends.")
    assert call(sonja, "POST", f"/facilities/{item}/changes", 409, terms=TERMS)["legal"] == []


def test_nothing_is_asked_for_without_the_firms_consent(world: World) -> None:
    """The consent names guarantor, fields and end; without it, after it, or taken back, there is no request."""
    facility, loan = opened(world), lent(world)
    assert "has not agreed" in asked(world, facility, loan, expect=409)["detail"]
    call(world.bank_one, "POST", f"/loans/{loan}/permissions", 403, **AGREED)
    wrong = {"guarantor": "bank-two", "until": "2027-06-01", "fields": ["history"], "purpose": "sale"}
    for name, value in wrong.items():
        refused = call(world.msme, "POST", f"/loans/{loan}/permissions", 422, **(AGREED | {name: value}))
        assert [item["field"] for item in refused["errors"]] == [name]
    consent = permitted(world, loan, fields=["applicant", "request"])
    call(world.msme, "POST", f"/loans/{loan}/permissions", 409, **AGREED)
    call(world.bank_two, "POST", f"/loans/{loan}/guarantees", 404, facility=facility, coverage_percent="50")
    guarantee = asked(world, facility, loan)["reference"]
    rade = fund(world, "rade")
    seen = call(rade, "GET", f"/guarantees/{guarantee}")
    assert set(seen["fields"]) == {"applicant", "request"}
    assert call(world.bank_one, "GET", f"/guarantees/{guarantee}")["fields"] == {}
    proposal = call(world.msme, "GET", f"/loans/{loan}")["proposal"]
    assert "loans.record.viewed" in world.events(proposal)
    call(world.msme, "POST", f"/permissions/{consent}/revocation")
    call(world.msme, "POST", f"/permissions/{consent}/revocation", 409)
    call(rade, "GET", f"/guarantees/{guarantee}", 404)
    assert call(world.msme, "GET", f"/guarantees/{guarantee}")["stage"] == "void"
    permitted(world, loan)
    second = asked(world, facility, loan)["reference"]
    world.clock.forward(days=92)
    assert call(fund(world, "rade"), "GET", f"/guarantees/{second}")["fields"] == {}
    assert "consent is over" in call(fund(world, "rade"), "POST", f"/guarantees/{second}/issue", 409)["detail"]
    permitted(world, loan, until="2026-09-01")


def test_no_field_of_the_firm_stands_in_an_event_or_on_the_banks_side(world: World) -> None:
    """What the firm gave the guarantor by consent is in no event, no recorded change, and not in the bank's view."""
    facility, loan = opened(world), lent(world, paid="40000")
    permitted(world, loan)
    item = asked(world, facility, loan)["reference"]
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/issue")
    secrets = ("MK4030991234567", "Ivan Milutinovikj", "14 employees", "1979", "Glass jars")
    with world.engine.connect() as connection:
        query = text('SELECT body::text FROM outbox WHERE "case" = :case OR entity LIKE :kind')
        bodies = " ".join(connection.execute(query, {"case": item, "kind": "permission:%"}).scalars())
    assert "guarantee-fund" in bodies
    seen = world.bank_one.json("GET", f"/loans/api/guarantees/{item}").text
    page = world.bank_one.get(f"/loans/guarantees/{item}").text
    assert [secret for secret in secrets if secret in bodies + seen + page] == []
    assert "14 employees" in fund(world, "rade").json("GET", f"/loans/api/guarantees/{item}").text


def test_each_rule_of_the_facility_refuses_in_its_place(world: World) -> None:
    """Coverage, the largest single sum and the bank are refused when asked for, the firm's rules when issued."""
    facility, loan = opened(world, single_max="22000", rules=[{"rule": "size", "any_of": ["micro"]}]), lent(world)
    permitted(world, loan)
    for coverage in ("61", "0", "56"):
        refused = asked(world, facility, loan, coverage, 422)
        assert [item["field"] for item in refused["errors"]] == ["coverage_percent"]
    other = opened(world, name={"en": "For the second bank"}, banks=["bank-two"])
    assert asked(world, other, loan, expect=422)["errors"][0]["field"] == "facility"
    assert asked(world, "GFC-2026-9999", loan, expect=422)["errors"][0]["field"] == "facility"
    guarantee = asked(world, facility, loan)["reference"]
    asked(world, facility, loan, expect=409)
    checks = {item["rule"]: item for item in call(fund(world, "rade"), "GET", f"/guarantees/{guarantee}")["checks"]}
    assert [name for name, item in checks.items() if not item["met"]] == ["size"]
    assert "14 employees" in checks["size"]["said"]
    assert "size" not in {item["rule"] for item in call(world.bank_one, "GET", f"/guarantees/{guarantee}")["checks"]}
    refused = call(fund(world, "rade"), "POST", f"/guarantees/{guarantee}/issue", 409)
    assert "not met: size" in refused["detail"]
    call(fund(world, "rade"), "POST", f"/guarantees/{guarantee}/refusal", 422, why="")
    call(fund(world, "rade"), "POST", f"/guarantees/{guarantee}/refusal", why="Micro firms alone.")
    assert call(fund(world, "rade"), "POST", f"/guarantees/{guarantee}/issue", 409)["legal"] == []


def test_a_large_guarantee_is_issued_by_two_who_gave_their_passwords(world: World) -> None:
    """Above 20,000 the first agrees and another issues; a stale page, a bank and another fund are refused."""
    facility, loan = opened(world), lent(world)
    permitted(world, loan)
    guarantee = asked(world, facility, loan, "60")
    item = guarantee["reference"]
    assert guarantee["sum"]["amount"] == "24000.00"
    call(world.bank_one, "POST", f"/guarantees/{item}/issue", 403)
    call(fund(world, "rade", confirmed=False), "POST", f"/guarantees/{item}/issue", 403)
    strange = Browser(world.app, person("guarantor", "x", organisation="other-fund"))
    call(strange, "GET", f"/guarantees/{item}", 404)
    assert call(fund(world, "rade"), "POST", f"/guarantees/{item}/issue")["stage"] == "approved"
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/issue", 403)
    call(fund(world, "sonja"), "POST", f"/guarantees/{item}/issue", 409, version=guarantee["version"])
    issued = call(fund(world, "sonja"), "POST", f"/guarantees/{item}/issue")
    assert (issued["stage"], issued["until"]) == ("issued", "2029-08-29")
    assert [due["amount"]["amount"] for due in issued["dues"]] == ["240.00", "192.00"]
    used = call(world.bank_one, "GET", f"/facilities/{facility}/utilisation")
    assert (used["committed"]["amount"], used["free"]["amount"]) == ("24000.00", "226000.00")
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/dues/1", 422, on="2026-03-03", payment="")
    assert pay_dues(world, item, "2026-03-02", "F")["stage"] == "active"
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/dues/1", 409, on="2026-03-02", payment="F-9")
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/dues/9", 404, on="2026-03-02", payment="F-9")


def test_two_who_issue_at_once_do_not_pass_the_ceiling(world: World) -> None:
    """Two guarantees of 20,000 under 39,999: at one moment one is issued and the other refused."""
    facility = opened(world, ceiling="39999", single_max="39999")
    items = []
    for _ in range(2):
        loan = lent(world)
        permitted(world, loan)
        items.append(asked(world, facility, loan)["reference"])
    start, found = Barrier(2), []

    def issue(item: str) -> None:
        browser = fund(world, "rade")
        start.wait(timeout=20)
        found.append(browser.json("POST", f"/loans/api/guarantees/{item}/issue", {}).status_code)

    threads = [Thread(target=issue, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(found) == [200, 409]
    used = call(fund(world, "rade"), "GET", f"/facilities/{facility}/utilisation")
    assert used["committed"]["amount"] == "20000.00"


def test_a_claim_from_the_tape_to_the_last_recovery(world: World) -> None:
    """The house counts the days itself; two people pay; recoveries are shared; what is lost stays used up."""
    facility, loan, item = held(world)
    call(world.bank_one, "POST", f"/guarantees/{item}/claims", 409, amount="1000", note="Late.")
    world.clock.forward(days=100)
    tape(world, loan, "2026-06-10")
    attach(world, item)
    early = call(world.bank_one, "POST", f"/guarantees/{item}/claims", 409, amount="1000", note="Late.")
    assert "69 days late: a claim begins at 90" in early["detail"]
    world.clock.forward(days=40)
    tape(world, loan, "2026-07-20")
    seen = call(world.bank_one, "POST", f"/guarantees/{item}/claims", 422, amount="15000.01", note="")
    assert {one["field"] for one in seen["errors"]} == {"amount", "note"}
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/claims", 403, amount="15000", note="Late.")
    claimed = call(world.bank_one, "POST", f"/guarantees/{item}/claims", 201, amount="15000", note="No answer.")
    assert (claimed["stage"], claimed["claims"][0]["position"]["days"]) == ("claimed", 109)
    assert call(world.msme, "GET", f"/guarantees/{item}")["claims"] == []
    paid = {"on": "2026-07-20", "payment": "C-1"}
    assert (
        "approve_claim" in call(fund(world, "rade"), "POST", f"/guarantees/{item}/claim/payment", 409, **paid)["legal"]
    )
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/claim/approval")
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/claim/payment", 403, **paid)
    call(fund(world, "sonja", confirmed=False), "POST", f"/guarantees/{item}/claim/payment", 403, **paid)
    assert (
        call(fund(world, "sonja"), "POST", f"/guarantees/{item}/claim/payment", **paid)["net"]["amount"] == "15000.00"
    )
    back = {"amount": "1000.01", "on": "2026-07-20", "reference": "R-1"}
    shared = call(world.bank_one, "POST", f"/guarantees/{item}/recoveries", 201, **back)["recoveries"][0]
    assert (shared["guarantor"]["amount"], shared["bank"]["amount"]) == ("500.00", "500.01")
    call(world.bank_one, "POST", f"/guarantees/{item}/recoveries", 422, **back)
    assert "still late by 109" in call(fund(world, "rade"), "POST", f"/guarantees/{item}/claw-back", 409)["detail"]
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/closure", why="The firm is gone.")
    used = call(fund(world, "rade"), "GET", f"/facilities/{facility}/utilisation")
    assert (used["committed"]["amount"], used["spent"]["amount"]) == ("0.00", "14500.00")
    before = call(fund(world, "rade"), "GET", f"/facilities/{facility}/utilisation?as_of=2026-03-31")
    assert (before["committed"]["amount"], before["outstanding"]["amount"]) == ("20000.00", "40000.00")
    names = [name.removeprefix("loans.guarantee.") for name in world.events(item) if "attempt" not in name]
    assert names[-7:] == ["document_added", "claimed", "claim_approved", "claim_paid", "recovered", "due", "closed"]


def test_the_cap_on_claims_holds(world: World) -> None:
    """With a cap of 5 % of 250,000 a claim of 15,000 is not paid."""
    facility, loan, item = held(world)
    change = {"terms": TERMS | {"cap_percent": "5"}}
    call(fund(world, "rade"), "POST", f"/facilities/{facility}/changes", 201, **change)
    call(fund(world, "sonja"), "POST", f"/facilities/{facility}/approval")
    world.clock.forward(days=140)
    tape(world, loan, "2026-07-20")
    attach(world, item)
    call(world.bank_one, "POST", f"/guarantees/{item}/claims", 201, amount="15000", note="No answer.")
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/claim/approval")
    paid = {"on": "2026-07-20", "payment": "C-1"}
    refused = call(fund(world, "sonja"), "POST", f"/guarantees/{item}/claim/payment", 409, **paid)
    assert "12,500.00" in refused["detail"]
    call(fund(world, "sonja"), "POST", f"/guarantees/{item}/claim/refusal", why="Above the cap.")
    assert call(world.bank_one, "GET", f"/guarantees/{item}")["stage"] == "refused"


def test_a_loan_that_cures_gives_the_claim_back_and_one_that_is_repaid_ends_it(world: World) -> None:
    """When nothing is late the claim is due back; when it is back the guarantee holds, and repaid releases it."""
    facility, loan, item = held(world)
    world.clock.forward(days=140)
    tape(world, loan, "2026-07-20")
    attach(world, item)
    call(world.bank_one, "POST", f"/guarantees/{item}/claims", 201, amount="9000", note="No answer.")
    call(fund(world, "rade"), "POST", f"/guarantees/{item}/claim/approval")
    call(fund(world, "sonja"), "POST", f"/guarantees/{item}/claim/payment", on="2026-07-20", payment="C-1")
    world.clock.forward(days=20)
    tape(world, loan, "2026-08-09", "9000", "3000")
    assert call(fund(world, "rade"), "POST", f"/guarantees/{item}/claw-back")["stage"] == "clawed_back"
    used = call(fund(world, "rade"), "GET", f"/facilities/{facility}/utilisation")
    assert (used["outstanding"]["amount"], used["guaranteed"]["amount"]) == ("31000.00", "15500.00")
    (line,) = call(world.officer, "GET", "/portfolio?as_of=2026-08-09")["guaranteed"]
    assert (line["outstanding"], line["guaranteed"], line["net"]) == ("31000.0000", "15500.00", "15500.0000")
    rows = world.bank_one.get("/loans/portfolio.csv?as_of=2026-08-09").text.splitlines()
    assert rows[1].endswith("15500.00,15500.0000"), rows[1]
    assert world.officer.get("/loans/portfolio?as_of=2026-08-09").status_code == 200
    before = call(world.officer, "GET", "/portfolio?as_of=2026-07-31")["guaranteed"][0]
    assert before["guaranteed"] == "11000.00"
    assert pay_dues(world, item, "2026-08-09", "B")["stage"] == "active"
    world.clock.forward(days=30)
    tape(world, loan, "2026-09-08", "40000", "4000")
    found = call(world.bank_one, "GET", f"/guarantees/{item}")
    assert (found["stage"], found["ended_why"]) == ("released", "repaid")


def test_years_are_charged_and_an_unpaid_fee_ends_the_guarantee(world: World) -> None:
    """A year later the fee is of what is guaranteed then; missed runs are made up for; unpaid for 30 days it lapses."""
    _, loan, item = held(world)
    world.clock.forward(days=364)
    tape(world, loan, "2027-02-28", "20000", "4000")
    with world.uow() as uow:
        assert keep_up(uow) == 0
    world.clock.forward(days=3)
    with world.uow() as uow:
        assert keep_up(uow) == 1
    due = call(fund(world, "rade"), "GET", f"/guarantees/{item}")["dues"][-1]
    assert (due["base"]["amount"], due["amount"]["amount"], due["due"]) == ("10000.00", "80.00", "2027-04-01")
    world.clock.forward(days=40)
    with world.uow() as uow:
        assert keep_up(uow) == 1
    with world.uow() as uow:
        assert keep_up(uow) == 0
    found = call(fund(world, "rade"), "GET", f"/guarantees/{item}")
    assert (found["stage"], found["ended_why"], found["ended_on"]) == ("lapsed", "fee_unpaid", "2027-04-02")
    assert FUND not in str(call(world.msme, "GET", f"/guarantees/{item}")["fields"])
