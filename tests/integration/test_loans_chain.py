"""Value-chain finance over HTTP and a real database: an agreement of three, deliveries, deductions, transfers."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from loans_world import World, call, offered, submitted
from sqlalchemy import event, text

from services.loans.handlers.tripartite import end_agreements
from shared.events.portal import OrganisationRegistered
from shared.testing.stand import Stand
from shared.testing.web import Browser, person

TERMS: dict[str, Any] = {
    "season_from": "2026-03-01",
    "season_to": "2026-10-31",
    "goods": [
        {"code": "pepper", "name": "Red pepper", "unit": "kg", "quantity": "52000", "price_rule": "minimum"}
        | {"price": "0.45", "by": "2026-09-30"},
    ],
    "kind": "share",
    "figure": "30",
    "ahead_days": 31,
}


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def lent(world: World, *, pay_out: bool = False) -> tuple[str, str]:
    """Return a referral and its loan of 40,000 over 36 months whose condition is an agreement of three."""
    referral = offered(world, submitted(world), "bank-one", world.bank_one, tripartite=True)
    loan = call(world.msme, "POST", f"/referrals/{referral}/acceptance", 201)["reference"]
    if pay_out:
        call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="40000", on="2026-03-02")
    return referral, loan


def drawn(world: World, referral: str, **changed: Any) -> dict[str, Any]:
    """Return an agreement as the supplier has drafted it."""
    terms = {"buyer": "lead-firm", "referrals": [referral], **TERMS} | changed
    found: dict[str, Any] = call(world.msme, "POST", f"/referrals/{referral}/tripartite", 201, **terms)
    return found


def sides(world: World) -> tuple[Browser, Browser, Browser]:
    return world.msme, world.lead_firm, world.bank_one


def in_force(world: World, referral: str, **changed: Any) -> str:
    """Return an agreement that all three have signed."""
    found = drawn(world, referral, **changed)
    reference: str = found["reference"]
    call(world.msme, "POST", f"/tripartite/{reference}/proposal", text_version="1")
    for browser in sides(world):
        found = call(browser, "POST", f"/tripartite/{reference}/signature", sha256=found["sha256"])
    assert found["stage"] == "in_force"
    return reference


def row(reference: str, number: str, **changed: str) -> dict[str, str]:
    """Return a delivery of 1,000 kg at 0.50 for the market of today."""
    line = {"agreement": reference, "number": number, "good": "pepper", "quantity": "1000", "price": "0.50"}
    return line | {"currency": "EUR", "delivered_on": "2026-03-02", "paid_on": "2026-03-02"} | changed


def reported(world: World, *rows: dict[str, str], expect: int = 201, **more: Any) -> Any:
    return call(world.lead_firm, "POST", "/deliveries", expect, rows=list(rows), **more)


@pytest.mark.english
def test_nothing_is_paid_out_before_three_have_signed_the_same_text(world: World) -> None:
    """A loan whose offer asks for it waits for the agreement; a revised text makes every signature void."""
    referral, loan = lent(world)
    paid = {"amount": "40000", "on": "2026-03-02"}
    none = call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 409, **paid)
    assert "none is proposed yet" in none["detail"]
    draft = drawn(world, referral)
    reference, first = draft["reference"], draft["sha256"]
    for stranger in (world.lead_firm, world.bank_one, world.bank_two):
        call(stranger, "GET", f"/tripartite/{reference}", 404)
    assert call(world.lead_firm, "GET", "/tripartite")["items"] == []
    refused = call(world.msme, "POST", f"/tripartite/{reference}/signature", 409, sha256=first)
    assert refused["legal"] == ["propose", "revise", "withdraw"]
    call(world.msme, "POST", f"/tripartite/{reference}/proposal", 422, text_version="0")
    call(world.msme, "POST", f"/tripartite/{reference}/proposal", text_version="1")
    waits = call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 409, **paid)
    assert "3 of 3 signatures" in waits["detail"]
    for browser in (world.lead_firm, world.bank_one):
        seen = call(browser, "POST", f"/tripartite/{reference}/signature", sha256=first)
    assert seen["missing"] == ["supplier"]
    call(world.bank_one, "POST", f"/tripartite/{reference}/signature", 409, sha256=first)
    terms = {**TERMS, "figure": "25", "referrals": [referral]}
    call(world.lead_firm, "POST", f"/tripartite/{reference}/revision", 422, **terms)
    call(
        world.lead_firm, "POST", f"/tripartite/{reference}/revision", 422, why="Less", **(terms | {"referrals": ["X"]})
    )
    second = call(world.lead_firm, "POST", f"/tripartite/{reference}/revision", why="Less", **terms)
    assert (second["number"], len(second["missing"])) == (2, 3)
    call(world.msme, "POST", f"/tripartite/{reference}/signature", 409, sha256=first)
    call(world.bank_one, "POST", f"/tripartite/{reference}/signature", 409, sha256=second["sha256"], version=1)
    for browser in sides(world):
        last = call(browser, "POST", f"/tripartite/{reference}/signature", sha256=second["sha256"])
    assert last["stage"] == "in_force"
    pdf = world.bank_one.get(f"/loans/api/tripartite/{reference}/versions/2/document")
    assert pdf.content.startswith(b"%PDF")
    assert pdf.headers["content-type"] == "application/pdf"
    call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, **paid)
    assert "loans.tripartite.in_force" in world.events(reference)


@pytest.mark.english
def test_from_the_delivery_to_the_banks_tape(world: World) -> None:
    """A deduction is computed, confirmed, transferred and received; the tape then lacks it, and that is shown."""
    referral, loan = lent(world)
    reference = in_force(world, referral)
    call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="40000", on="2026-03-02")
    lines = [row(reference, "1"), row(reference, "2", quantity="8000")]
    dry = reported(world, *lines, expect=200, dry_run=True)
    sums = [[line[name]["amount"] for name in ("value", "by_rule", "deduction", "net")] for line in dry["lines"]]
    # 30 % of 500 and of 4,000; of the first instalment of 1,328.57 the second finds 1,178.57 left.
    assert sums == [["500.00", "150.00", "150.00", "350.00"], ["4000.00", "1200.00", "1178.57", "2821.43"]]
    assert call(world.msme, "GET", f"/tripartite/{reference}")["deliveries"] == []
    made = reported(world, *lines, result=dry["result"])
    assert (made["new"], made["known"]) == (2, 0)
    again = reported(world, *lines, expect=200)
    assert (again["new"], again["known"]) == (0, 2)
    reported(world, row(reference, "3"), expect=409, result=dry["result"])
    found = call(world.msme, "GET", f"/tripartite/{reference}")
    ids = {item["number"]: item["delivery"] for item in found["deliveries"]}
    base = f"/tripartite/{reference}"
    paid = {"deliveries": list(ids.values()), "on": "2026-03-02", "payment": "P-1"}
    call(world.lead_firm, "POST", f"{base}/transfers", 409, **paid)
    call(world.msme, "POST", f"{base}/deliveries/{ids['1']}/confirmation")
    call(world.msme, "POST", f"{base}/deliveries/{ids['2']}/dispute", 422, why=" ")
    call(world.msme, "POST", f"{base}/deliveries/{ids['2']}/dispute", why="It was 9,000 kg")
    waits = call(world.lead_firm, "POST", f"{base}/transfers", 409, **paid)
    assert "disputed" in waits["detail"]
    first = call(world.lead_firm, "POST", f"{base}/transfers", 201, **(paid | {"deliveries": [ids["1"]]}))
    assert first["amount"] == "150.00"
    call(world.lead_firm, "POST", f"{base}/transfers", 422, **(paid | {"deliveries": [ids["2"]]}))
    call(world.msme, "POST", f"{base}/transfers/{first['reference']}/receipt", 403, on="2026-03-02")
    call(world.bank_one, "POST", f"{base}/transfers/{first['reference']}/receipt", 422, on="2026-03-01")
    call(world.bank_one, "POST", f"{base}/transfers/{first['reference']}/receipt", on="2026-03-02")
    call(world.bank_one, "POST", f"{base}/transfers/{first['reference']}/refusal", 409, why="No")
    call(world.lead_firm, "POST", f"{base}/deliveries/{ids['2']}/removal")
    stale = call(world.lead_firm, "POST", f"{base}/deliveries/{ids['1']}/removal", 409)
    assert stale["legal"] == []
    reported(world, row(reference, "2", quantity="9000"))
    world.clock.forward(days=31)
    line = {"loan": loan, "principal_paid": "0", "interest_paid": "100", "outstanding": "40000"}
    tape = call(world.bank_one, "POST", "/tapes", 201, as_of="2026-03-31", rows=[line])
    call(world.bank_one, "POST", f"/tapes/{tape['reference']}/application", version=tape["version"])
    for browser in (world.msme, world.bank_one):
        books = call(browser, "GET", base)["books"][0]["lines"][0]
        sums = [books[name].rstrip("0").rstrip(".") for name in ("on_tape", "received", "not_on_tape", "not_deducted")]
        assert sums == ["100", "150", "50", ""]
    # Five days of silence are over: the corrected line may be transferred without a word of the supplier.
    other = next(item for item in call(world.lead_firm, "GET", base)["deliveries"] if item["stage"] == "reported")
    late = {"deliveries": [other["delivery"]], "on": "2026-04-02", "payment": "P-2"}
    second = call(world.lead_firm, "POST", f"{base}/transfers", 201, **late)
    call(world.bank_one, "POST", f"{base}/transfers/{second['reference']}/refusal", why="Nothing came")
    call(world.lead_firm, "POST", f"{base}/transfers", 201, **late)


@pytest.mark.english
def test_wrong_lines_are_named_and_nothing_is_half_imported(world: World) -> None:
    """One wrong line keeps the right ones out; each is named by field and rule, a foreign currency among them."""
    referral, _ = lent(world)
    reference = in_force(world, referral)
    lines = [
        row(reference, "1"),
        row(reference, "1"),
        row(reference, "2", currency="MKD"),
        row(reference, "3", price="0.40"),
        row(reference, "4", good="ajvar", quantity="0"),
        row(reference, "5", delivered_on="2026-02-01", paid_on="soon"),
        row("TRI-2026-9999", "6"),
        row(reference, "=1+1"),
        row(reference, ""),
    ]
    refused = reported(world, *lines, expect=422)
    wrong = {item["field"]: item["rule"] for item in refused["errors"]}
    assert wrong["2.number"] == "stands on line 1 already"
    assert "MKD" in wrong["3.currency"]
    assert "0.45" in wrong["4.price"]
    assert {"5.good", "5.quantity", "6.delivered_on", "6.paid_on", "7.agreement", "8.number", "9.number"} <= set(wrong)
    assert call(world.msme, "GET", f"/tripartite/{reference}")["deliveries"] == []
    reported(world, row(reference, "1"))
    changed = reported(world, row(reference, "1", quantity="1001"), expect=422)
    assert "take that line back" in changed["errors"][0]["rule"]
    call(world.msme, "POST", "/deliveries", 403, rows=lines[:1])
    call(world.bank_one, "POST", "/deliveries", 403, rows=lines[:1])
    # Nothing is paid out yet, so nothing is due and nothing is kept back.
    seen = call(world.msme, "GET", f"/tripartite/{reference}")["deliveries"][0]
    assert (seen["deduction"], seen["net"]) == ("0.0000", "500.0000")


def test_the_lead_firm_learns_what_is_due_and_nothing_of_the_loan(world: World) -> None:
    """Neither page nor API nor event tells the lead firm a fact of the loan beyond the sum to be deducted."""
    referral, loan = lent(world)
    reference = in_force(world, referral)
    call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="40000", on="2026-03-02")
    reported(world, row(reference, "1"))
    api = call(world.lead_firm, "GET", f"/tripartite/{reference}")
    assert (api["dues"], api["books"], api["due"]["amount"]) == ([], [], "1178.57")
    said = world.lead_firm.get(f"/loans/api/tripartite/{reference}").text
    page = world.lead_firm.get(f"/loans/tripartite/{reference}").text
    with world.engine.connect() as connection:
        query = text("SELECT string_agg(body->>'data', ' ') FROM outbox WHERE \"case\" = :case")
        events = connection.execute(query, {"case": reference}).scalar_one()
    for told in (said, page, events):
        for fact in (loan, "40,000", "40000.00", "40 000", "1328.57", "1,328.57", "36 months", "12.00"):
            assert fact not in told.replace("\u00a0", " "), fact
    for path in (f"/referrals/{referral}", f"/loans/{loan}"):
        call(world.lead_firm, "GET", path, 404)
    call(world.bank_two, "GET", f"/tripartite/{reference}", 404)
    assert world.bank_two.get(f"/loans/tripartite/{reference}").status_code == 404
    call(world.msme, "POST", f"/tripartite/{reference}/withdrawal", 409)


@pytest.mark.english
def test_notice_breach_repayment_and_goods_that_did_not_come(world: World) -> None:
    """Notice runs its days; too little delivered by its day is said once; a bank keeps sums alone after the end."""
    referral, loan = lent(world)
    reference = in_force(world, referral)
    call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="40000", on="2026-03-02")
    reported(world, row(reference, "1"))
    assert call(world.bank_one, "GET", f"/tripartite/{reference}")["deliveries"][0]["value"] == "500.0000"
    call(world.lead_firm, "POST", f"/tripartite/{reference}/notice", 422, why="")
    found = call(world.lead_firm, "POST", f"/tripartite/{reference}/notice", why="We buy elsewhere")
    assert (found["stage"], found["ending"]["on"]) == ("under_notice", "2026-04-01")
    twice = call(world.msme, "POST", f"/tripartite/{reference}/notice", 409, why="So do we")
    assert twice["legal"] == ["declare_breach", "report_deliveries", "end"]
    world.clock.forward(days=31)
    with world.uow() as uow:
        assert end_agreements(uow) == 1
    after = call(world.bank_one, "GET", f"/tripartite/{reference}")
    shown = after["deliveries"][0]
    assert (after["stage"], shown["value"], shown["good"], shown["deduction"]) == ("ended", None, None, "150.0000")
    assert after["delivered"] == {}
    second = in_force(world, referral, season_from="2026-04-01", goods=[TERMS["goods"][0] | {"by": "2026-04-05"}])
    world.clock.forward(days=7)
    with world.uow() as uow:
        assert end_agreements(uow) == 1
    with world.uow() as uow:
        assert end_agreements(uow) == 0
    assert call(world.bank_one, "GET", f"/tripartite/{second}")["behind"] == ["pepper"]
    ended = call(world.bank_one, "POST", f"/tripartite/{second}/breach", why="Sold to another")
    assert (ended["stage"], ended["ending"]["ground"]) == ("ended", "breach")
    officer = Browser(world.app, person("officer", "u-7", organisation="programme-office"))
    assert len(call(officer, "GET", "/tripartite")["items"]) == 2
    third = in_force(world, referral, season_from="2026-04-01")
    line = {"loan": loan, "principal_paid": "40000", "interest_paid": "7829", "outstanding": "0"}
    tape = call(world.bank_one, "POST", "/tapes", 201, as_of="2026-04-09", rows=[line])
    call(world.bank_one, "POST", f"/tapes/{tape['reference']}/application", version=tape["version"])
    with world.uow() as uow:
        end_agreements(uow)
    assert call(world.msme, "GET", f"/tripartite/{third}")["ending"]["ground"] == "repaid"


def form_of(reference: str = "", **changed: str) -> dict[str, str]:
    """Return what the form of the terms posts; the second row of goods is left empty."""
    good = {name: str(value) for name, value in TERMS["goods"][0].items()}
    rows = {f"goods-0-{name}": value for name, value in good.items()} | {f"goods-1-{name}": "" for name in good}
    plain = {name: str(TERMS[name]) for name in ("season_from", "season_to", "kind", "figure", "ahead_days")}
    rest = {"notice_days": "30", "objection_days": "5", "conditions": "", "place-1": reference}
    return plain | rows | rest | changed


@pytest.mark.english
def test_the_pages_from_the_draft_to_the_receipt(world: World) -> None:
    """Each side does its part on pages without script; a refused form comes back with the rule at its field."""
    referral, loan = lent(world)
    start = f"/loans/referrals/{referral}/tripartite"
    assert "Vardar Cable Works" in world.msme.get(start).text
    refused = world.msme.post(start, form_of(referral, buyer="lead-firm", **{"goods-0-by": "2027-01-01"}))
    assert refused.status_code == 422
    assert 'id="e-goods-0-by"' in refused.text
    assert 'value="Red pepper"' in refused.text
    assert world.lead_firm.get(start).status_code == 404
    made = world.msme.post(start, form_of(referral, buyer="lead-firm"))
    page = made.headers["location"]
    reference = page.rsplit("/", 1)[-1]
    assert world.msme.post(start, form_of(referral, buyer="lead-firm")).status_code == 409
    assert "Propose it" in world.msme.get(page).text
    assert world.msme.post(f"{page}/propose", {"version": "1", "text_version": "1"}).status_code == 422
    world.msme.post(f"{page}/propose", {"version": "1", "text_version": "1", "agreed": "true"})
    text_page = world.lead_firm.get(f"{page}/text").text
    assert "place-1" not in text_page
    changed = form_of(figure="25", why="Less", version="2") | {"place-1": ""}
    assert world.lead_firm.post(f"{page}/text", changed | {"why": ""}).status_code == 422
    assert world.lead_firm.post(f"{page}/text", changed).status_code == 303
    stale = world.bank_one.post(f"{page}/text", form_of(referral, figure="20", why="Even less", version="2"))
    assert stale.status_code == 409
    assert 'value="20"' in stale.text
    for version, browser in enumerate(sides(world), 3):
        sha256 = call(browser, "GET", f"/tripartite/{reference}")["sha256"]
        assert browser.post(f"{page}/sign", {"version": str(version), "sha256": sha256}).status_code == 303
    assert reference in world.bank_one.get(f"/loans/agreements/{loan}").text
    call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="40000", on="2026-03-02")
    _reported_on_pages(world, page, reference)


def _reported_on_pages(world: World, page: str, reference: str) -> None:
    assert reference in world.lead_firm.get("/loans/deliveries").text
    assert reference in world.lead_firm.get("/loans/deliveries/form.csv").text
    assert "No agreement is in force" in world.msme.get("/loans/deliveries").text
    bad = world.lead_firm.post("/loans/deliveries/check", row(reference, "L-1", price="0.10"))
    assert bad.status_code == 422
    assert "at least 0.45 is agreed" in bad.text
    csv = "\n".join(",".join(cells.values()) for cells in (row(reference, "L-1"), row(reference, "L-2", price="0.1")))
    files = {"file": ("d.csv", ("agreement,number,good,quantity,price,currency,delivered_on,paid_on\n" + csv).encode())}
    wrong = world.lead_firm.post("/loans/deliveries/check", {}, files={"file": (*files["file"], "text/csv")})
    assert "1 of 2 lines are wrong" in wrong.text
    shown = world.lead_firm.post("/loans/deliveries/check", row(reference, "L-1")).text
    hidden = dict(re.findall(r'name="(rows|result)" value="([^"]*)"', shown))
    given = {name: html.unescape(value) for name, value in hidden.items()}
    assert world.lead_firm.post("/loans/deliveries", given | {"rows": "[1]"}).status_code == 422
    assert world.lead_firm.post("/loans/deliveries", given).headers["location"] == page
    assert world.lead_firm.post("/loans/deliveries", given).status_code == 409
    delivery = call(world.msme, "GET", f"/tripartite/{reference}")["deliveries"][0]["delivery"]
    disputed = f"{page}/deliveries/{delivery}/dispute"
    assert world.msme.post(disputed, {"why": ""}).status_code == 422
    assert world.lead_firm.post(disputed, {"why": "No"}).status_code == 403
    assert world.msme.post(disputed, {"why": "Weighed wet"}).status_code == 303
    assert "Weighed wet" in world.lead_firm.get(page).text
    assert world.msme.post(f"{page}/deliveries/confirm", {}).status_code == 422
    assert world.msme.post(f"{page}/deliveries/confirm", {"deliveries": delivery}).status_code == 303
    transfer = {"deliveries": delivery, "on": "2026-03-02", "payment": ""}
    assert world.lead_firm.post(f"{page}/transfers", transfer).status_code == 422
    assert world.lead_firm.post(f"{page}/transfers", transfer | {"payment": "P-9"}).status_code == 303
    sent = call(world.bank_one, "GET", f"/tripartite/{reference}")["transfers"][0]["reference"]
    receipt = f"{page}/transfers/{sent}/receive"
    assert world.bank_one.post(receipt, {"version": "1", "on": "2026-03-09"}).status_code == 422
    assert world.bank_one.post(receipt, {"version": "1", "on": "2026-03-02"}).status_code == 303
    assert world.bank_one.post(receipt, {"version": "1", "on": "2026-03-02"}).status_code == 409
    assert "125.00" in world.bank_one.get(page).text


@pytest.mark.english
def test_a_page_of_an_agreement_costs_the_same_whatever_it_holds(world: World) -> None:
    """Forty deliveries are shown by as many statements as one."""
    referral, loan = lent(world)
    reference = in_force(world, referral)
    call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="40000", on="2026-03-02")
    said: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    counts = []
    for more in (1, 39):
        first = 2 if more > 1 else 1
        reported(world, *(row(reference, str(number), quantity="10") for number in range(first, first + more)))
        said.clear()
        assert f"No. {first}," in world.msme.get(f"/loans/tripartite/{reference}").text
        counts.append(len(said))
    assert counts[0] == counts[1] > 0


def test_two_lead_firms_never_keep_back_the_same_instalment(world: World) -> None:
    """Both report at once, each enough for the whole instalment: together they keep back what is due, no more."""
    referral, loan = lent(world)
    event_ = OrganisationRegistered(organisation_id="lead-two", name="Vardar Foods", kind="lead_firm", country="MK")
    world.hear(event_, "organisation:lead-two")
    other = Browser(world.app, person("applicant", "u-2", organisation="lead-two", organisation_name="Vardar Foods"))
    first = in_force(world, referral)
    found = drawn(world, referral, buyer="lead-two")
    second = found["reference"]
    call(world.msme, "POST", f"/tripartite/{second}/proposal", text_version="1")
    for browser in (world.msme, other, world.bank_one):
        call(browser, "POST", f"/tripartite/{second}/signature", sha256=found["sha256"])
    call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="40000", on="2026-03-02")
    ready = Barrier(2)

    def send(browser: Browser, reference: str) -> Decimal:
        ready.wait(10)
        sent = call(browser, "POST", "/deliveries", 201, rows=[row(reference, "1", quantity="9000")])
        return Decimal(sent["lines"][0]["deduction"]["amount"])

    with ThreadPoolExecutor(2) as pool:
        kept = list(pool.map(send, (world.lead_firm, other), (first, second)))
    assert sum(kept) == Decimal("1328.57")
    assert call(world.lead_firm, "GET", f"/tripartite/{first}")["due"]["amount"] == "0.00"
    call(other, "GET", f"/tripartite/{first}", 404)
