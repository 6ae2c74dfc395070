"""Co-financing over HTTP: what people see and send, what the API answers, and what is refused."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cofinancing_world import (
    FINANCE,
    FINANCE_TWO,
    FIRM,
    MANAGER,
    NOW,
    OFFICER,
    OTHER_FIRM,
    Desk,
    desk,
    eur,
)
from fastapi import FastAPI
from sqlalchemy import text

from services.grants import api, pages
from services.grants.handlers import cofinancing as act
from services.grants.policy import POLICY
from shared.database import reading
from shared.testing.language import word
from shared.testing.web import KEY, Browser, web_settings
from shared.web.app import create_service_app
from shared.web.identity import Identity

__all__ = ["desk"]
TEMPLATES = Path(pages.__file__).parents[1] / "templates"
PDF = ("paid.pdf", b"%PDF-1.7 paid", "application/pdf")


@pytest.fixture
def app(desk: Desk, tmp_path: Path) -> FastAPI:
    """Give the grants app on the desk's database, in front of it its mount."""
    service = create_service_app(
        service="grants",
        engine=desk.engine,
        policy=POLICY,
        routers=[api.router, pages.router],
        templates=TEMPLATES,
        settings=web_settings(documents=tmp_path),
        clock=lambda: desk.now,
        key=KEY,
    )
    house = FastAPI()
    house.mount("/grants", service)
    return house


def version(page: str) -> str:
    """Return the version that the forms of a page carry."""
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found is not None
    return found[1]


def send(app: FastAPI, who: Identity, path: str, form: dict[str, Any], **how: Any) -> int:
    """Open the case's page and send one of its forms; returns the status."""
    browser, case = Browser(app, who), "/".join(path.split("/")[:4])
    page = browser.get(case).text
    return browser.post(path, form | {"version": version(page)}, **how).status_code


@pytest.mark.english
def test_the_story_in_pages(app: FastAPI, desk: Desk) -> None:
    """Firm, officer, manager and two of finance take a case from concept to release, each by the forms they see."""
    firm = Browser(app, FIRM)
    concept = {"kind": "workforce_development", "title": "Cable school", "summary": "Ninety", "planned": "100,000.00"}
    assert firm.get("/grants/cofinancing/new").status_code == 200
    started = firm.post("/grants/cofinancing", concept)
    assert started.status_code == 303
    case = started.headers["location"]
    assert send(app, FIRM, f"{case}/concept", concept | {"title": "Cable assembly school"}) == 303
    assert send(app, FIRM, f"{case}/moves", {"transition": "propose"}) == 303
    assert send(app, OFFICER, f"{case}/terms", {"total": "100000", "in_kind": "10000"}) == 303
    assert send(app, OFFICER, f"{case}/moves", {"transition": "offer-agreement"}) == 303
    assert send(app, MANAGER, f"{case}/moves", {"transition": "approve-agreement"}) == 303
    assert send(app, FIRM, f"{case}/moves", {"transition": "accept-agreement"}) == 303
    paid = {"form": "cash", "given_on": "2026-11-23", "description": "Trainers", "amount": "20000", "currency": "EUR"}
    assert send(app, FIRM, f"{case}/contributions", paid) == 303
    assert send(app, FIRM, f"{case}/contributions/1/evidence", {"kind": "invoice"}, files={"file": PDF}) == 303
    assert send(app, OFFICER, f"{case}/contributions/1/decision", {"verdict": "good", "note": ""}) == 303
    assert send(app, FINANCE, f"{case}/releases", {"amount": "30000"}) == 303
    assert send(app, FINANCE_TWO, f"{case}/releases/1/decision", {"verdict": "good", "note": ""}) == 303
    shown = firm.get(case).text
    assert "30,000.00\u00a0EUR" in shown
    assert "Released 1" in shown
    assert desk.look(case.rpartition("/")[2]).position().released == 30000


def test_a_release_above_the_match_answers_with_the_arithmetic(app: FastAPI, desk: Desk) -> None:
    """The page says the sums with status 409, the API carries them as numbers, and the attempts are on record."""
    reference = desk.agreed()
    desk.matched(reference, "30000.00")
    desk.released(reference, "40000.00")
    browser, case = Browser(app, FINANCE), f"/grants/cofinancing/{reference}"
    form = {"amount": "10000", "version": version(browser.get(case).text)}
    page = browser.post(f"{case}/releases", form)
    assert page.status_code == 409
    assert "5,000.00 too much" in page.text
    body = {"version": int(form["version"]), "amount": {"amount": "10000.00", "currency": "EUR"}}
    problem = browser.json("POST", f"/grants/api/cofinancing/{reference}/releases", body)
    assert (problem.status_code, problem.json()["type"]) == (409, "urn:tamga:problem:match-too-small")
    assert (problem.json()["allowed"], problem.json()["too_much"]) == ("45000.00", "5000.00")
    query = text("SELECT count(*) FROM outbox WHERE outcome = 'refused' AND \"case\" = :case")
    with reading(desk.engine) as connection:
        assert connection.execute(query, {"case": reference}).scalar_one() == 2


@pytest.mark.english
def test_wrong_answers_come_back_with_the_form(app: FastAPI, desk: Desk) -> None:
    """A contribution with several mistakes is shown again with what was typed and each field's rule; nothing stays."""
    reference = desk.agreed()
    case, browser = f"/grants/cofinancing/{reference}", Browser(app, FIRM)
    wrong = {
        "form": "in_kind",
        "given_on": "2026-11-23",
        "description": "Hall “A”",
        "amount": "12.3456",
        "currency": "EUR",
    }
    page = browser.post(f"{case}/contributions", wrong | {"version": version(browser.get(case).text)})
    assert page.status_code == 422
    assert "more than the 2 decimals" in page.text
    assert "Hall “A”" in page.text
    future = wrong | {
        "amount": "5",
        "form": "cash",
        "given_on": "2027-01-01",
        "invoice_number": "1",
        "supplier_tax_id": "2",
    }
    page = browser.post(f"{case}/contributions", future | {"version": version(browser.get(case).text)})
    assert (page.status_code, "in the future" in page.text) == (422, True)
    assert desk.look(reference).contributions == []
    assert desk.enter(reference, "5", invoice_number="1", supplier_tax_id="2") == 1


def test_no_odd_amount_becomes_a_release(app: FastAPI, desk: Desk) -> None:
    """Empty, wordy, negative, endless and too exact amounts are refused by field, in form and API."""
    reference = desk.agreed()
    case, browser = f"/grants/cofinancing/{reference}", Browser(app, FINANCE)
    at = version(browser.get(case).text)
    for amount in ("", "abc", "-5", "1e400", "NaN", "9" * 30, "0", "1.001"):
        assert browser.post(f"{case}/releases", {"amount": amount, "version": at}).status_code == 422, amount
        body = {"version": int(at), "amount": {"amount": amount, "currency": "EUR"}}
        assert browser.json("POST", f"/grants/api/cofinancing/{reference}/releases", body).status_code == 422, amount
        assert desk.look(reference).releases == [], amount


def test_an_old_page_is_told_who_was_faster(app: FastAPI, desk: Desk) -> None:
    """A form of an old page changes nothing and names who changed the case."""
    reference = desk.start()
    desk.move(FIRM, reference, "propose")
    form = {"transition": "reject", "reason": "No", "version": "1"}
    page = Browser(app, OFFICER).post(f"/grants/cofinancing/{reference}/moves", form)
    assert page.status_code == 409
    assert "Changed by Firm" in page.text
    assert desk.look(reference).stage == "appraisal"


def test_an_illegal_move_names_the_legal_ones(app: FastAPI, desk: Desk) -> None:
    """A move that the stage does not have is 409 with the moves one has."""
    reference = desk.start()
    body = {"version": 1, "transition": "accept-agreement"}
    problem = Browser(app, FIRM).json("POST", f"/grants/api/cofinancing/{reference}/moves", body)
    assert (problem.status_code, problem.json()["legal"]) == (409, ["propose", "withdraw"])


@pytest.mark.english
def test_a_reason_is_asked_again(app: FastAPI, desk: Desk) -> None:
    """Withdrawing without a reason shows the form again with status 422."""
    reference = desk.start()
    form = {"transition": "withdraw", "reason": " ", "version": "1"}
    page = Browser(app, FIRM).post(f"/grants/cofinancing/{reference}/moves", form)
    assert (page.status_code, "Say the reason" in page.text) == (422, True)


def test_lists_show_only_what_one_may_see(app: FastAPI, desk: Desk) -> None:
    """The firm sees its own case, staff the programme's, another firm none; pages and API agree."""
    reference = desk.start()
    for who, sees in ((FIRM, True), (OFFICER, True), (OTHER_FIRM, False)):
        browser = Browser(app, who)
        assert (reference in browser.get("/grants/cofinancing").text) is sees
        items = browser.json("GET", "/grants/api/cofinancing").json()["items"]
        assert ([item["reference"] for item in items] == [reference]) is sees
        assert browser.get(f"/grants/cofinancing/{reference}").status_code == (200 if sees else 404)


def test_lists_go_on_page_by_page(app: FastAPI, desk: Desk) -> None:
    """Three cases in pages of two: each once, and a made-up cursor is refused."""
    wanted = [desk.start() for _ in range(3)]
    browser = Browser(app, OFFICER)
    first = browser.json("GET", "/grants/api/cofinancing?limit=2").json()
    second = browser.json("GET", f"/grants/api/cofinancing?limit=2&cursor={first['next']}").json()
    assert [item["reference"] for item in [*first["items"], *second["items"]]] == wanted
    assert second["next"] is None
    assert browser.json("GET", "/grants/api/cofinancing?cursor=WyJ4IiwxXQ").status_code == 422


def test_the_api_shows_position_and_moves(app: FastAPI, desk: Desk) -> None:
    """The case as JSON has the arithmetic and, for staff alone, who moved it."""
    reference = desk.agreed()
    desk.matched(reference, "1000.00")
    seen = Browser(app, OFFICER).json("GET", f"/grants/api/cofinancing/{reference}").json()
    assert (seen["position"]["match"], seen["position"]["allowed"]) == ("1000.00", "1500.00")
    assert {move["id"] for move in seen["moves"]} == {"start-reconciliation"}
    assert len(seen["history"]) == 4
    assert "history" not in Browser(app, FIRM).json("GET", f"/grants/api/cofinancing/{reference}").json()


def test_a_document_is_downloaded_whole_and_only_inside(app: FastAPI, desk: Desk, tmp_path: Path) -> None:
    """The evidence comes back byte by byte for staff; another firm does not learn of it."""
    reference = desk.agreed()
    desk.enter(reference, "10.00")
    path = f"/grants/cofinancing/{reference}/documents/{desk.look(reference).contributions[0].evidence[0].id}"
    answer = Browser(app, OFFICER).get(path)
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7 paid")
    assert "attachment" in answer.headers["content-disposition"]
    assert Browser(app, OTHER_FIRM).get(path).status_code == 404


def test_a_program_is_no_evidence(app: FastAPI, desk: Desk) -> None:
    """A file that is not what its name says is refused by field and nothing is attached."""
    reference = desk.agreed()
    entry = act.EnterContribution(form="cash", given_on=NOW.date(), description="Pay", claimed=eur("10.00"))
    desk.do(FIRM, act.enter, reference, entry)
    bad = {"file": ("paid.pdf", b"MZ\x90\x00", "application/pdf")}
    path = f"/grants/cofinancing/{reference}/contributions/1/evidence"
    assert send(app, FIRM, path, {"kind": "invoice"}, files=bad) == 422
    assert desk.look(reference).contributions[0].evidence == ()


def test_the_case_speaks_russian(app: FastAPI, desk: Desk) -> None:
    """A Russian reader gets stages, buttons and amounts in Russian, and no English heading is left."""
    reference = desk.agreed()
    page = Browser(app, FIRM.model_copy(update={"locale": "ru"})).get(f"/grants/cofinancing/{reference}").text
    assert "Исполняется" in page
    assert "Доля программы" in page
    for heading in ("Contributions of the firm", "How the match stands", "Timeline", "Enter a contribution"):
        assert heading not in page


@pytest.mark.english
def test_a_foreign_invoice_needs_the_rate_of_its_day(app: FastAPI, desk: Desk) -> None:
    """The form asks for rate, day and source; a rate of another day comes back with the rule, the right one counts."""
    reference = desk.agreed()
    case, browser = f"/grants/cofinancing/{reference}", Browser(app, FIRM)
    paid = {"form": "cash", "given_on": "2026-11-23", "description": "Cable", "amount": "615000", "currency": "MKD"}
    paid |= {"exchange_rate": "0.016260", "rate_source": "National bank", "ineligible": "15000"}
    wrong = paid | {"rate_date": "2026-11-20", "version": version(browser.get(case).text)}
    page = browser.post(f"{case}/contributions", wrong)
    assert page.status_code == 422
    assert "must be the day of payment, 23 Nov 2026" in page.text
    assert "must be one of: recoverable_vat" in page.text
    right = paid | {"rate_date": "2026-11-23", "ineligible_code": "recoverable_vat", "related_party": "true"}
    assert send(app, FIRM, f"{case}/contributions", right) == 303
    shown = browser.get(case).text
    for words in ("9,756.00\u00a0EUR", "National bank", "Recoverable VAT", "related party", "Still needed:"):
        assert words in shown


@pytest.mark.english
def test_look_alikes_are_for_the_verifier_alone(app: FastAPI, desk: Desk) -> None:
    """The officer reads which contribution has the same invoice number, on the page and by API; the firm does not."""
    reference, other = desk.agreed(), desk.agreed()
    desk.enter(other, "500.00", invoice_number="A 17", supplier_tax_id="MK4030")
    desk.enter(reference, "510.00", invoice_number="A17", supplier_tax_id="MK4030")
    case, data = f"/grants/cofinancing/{reference}", f"/grants/api/cofinancing/{reference}"
    for who, sees in ((OFFICER, True), (FIRM, False)):
        assert (f"is in {other}, contribution 1" in Browser(app, who).get(case).text) is sees
        assert ("alike" in Browser(app, who).json("GET", data).json()["contributions"][0]) is sees


@pytest.mark.english
def test_the_outcome_in_pages(app: FastAPI, desk: Desk) -> None:
    """Manager, officer and finance approve a market value, reverse, record refund and loan by the forms they see."""
    reference = desk.agreed()
    case = f"/grants/cofinancing/{reference}"
    desk.matched(reference, "4000.00")
    worth = {"book_value": "700", "market_value": "950"}
    desk.enter(reference, "950.00", form="in_kind", basis="equipment", valuation=worth)
    assert "Approve market value" not in Browser(app, OFFICER).get(case).text
    assert send(app, MANAGER, f"{case}/contributions/2/market-value", {"note": ""}) == 422
    assert send(app, MANAGER, f"{case}/contributions/2/market-value", {"note": "Scarce"}) == 303
    assert "at market value, approved by Manager" in Browser(app, FIRM).get(case).text
    verdict = {"verdict": "refuse", "code": "land", "note": ""}
    assert send(app, OFFICER, f"{case}/contributions/2/decision", verdict) == 303
    desk.released(reference, "6000.00")
    loan = {"lender": "Bank", "lent": "9000", "lent_on": "2026-11-23"}
    assert send(app, OFFICER, f"{case}/loans", loan | {"lent": "-1"}) == 422
    assert send(app, OFFICER, f"{case}/loans", loan) == 303
    shown = Browser(app, FIRM).get(case).text
    assert "Leverage 0.67: 4,000.00\u00a0EUR of verified partner money on 6,000.00\u00a0EUR released." in shown
    assert "banks lent 9,000.00\u00a0EUR beside it; with these loans 2.17." in shown
    assert send(app, OFFICER, f"{case}/contributions/1/reversal", {"note": "Cancelled"}) == 303
    refund = {"refund": "6000", "paid_on": "2026-11-23", "payment": "RF-1"}
    assert send(app, FINANCE, f"{case}/refunds", refund | {"refund": "6001"}) == 422
    assert send(app, FINANCE, f"{case}/refunds", refund) == 303
    assert desk.look(reference).position().out == 0
    assert "RF-1" in Browser(app, FIRM).get(case).text
    data = Browser(app, FINANCE).json("GET", f"/grants/api/cofinancing/{reference}").json()
    assert (data["position"]["reduction"], data["position"]["mobilised_by_banks"]) == ("60000.00", "9000.00")


def test_the_same_acts_by_api(app: FastAPI, desk: Desk) -> None:
    """What pages do, machines do: a smaller grant, an approval, a reversal, a refund, a loan; each names its rule."""
    reference = desk.start()
    desk.move(FIRM, reference, "propose")
    data = f"/grants/api/cofinancing/{reference}"

    def act_by(who: Identity, path: str, method: str = "POST", **body: Any) -> Any:
        at = Browser(app, who).json("GET", data).json()["version"]
        return Browser(app, who).json(method, f"{data}/{path}", {"version": at} | body)

    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "EUR"}

    much = act_by(OFFICER, "terms", total=money("100000"), in_kind=money("0"), grant=money("70000"))
    assert much.json()["errors"] == [
        {
            "field": "grant",
            "rule": word("grants", "is above the %(most)s that the rules give", most=Decimal("60000.00")),
        }
    ]
    assert act_by(OFFICER, "terms", total=money("100000"), in_kind=money("0"), grant=money("50000")).status_code == 200
    for who, transition in ((OFFICER, "offer-agreement"), (MANAGER, "approve-agreement"), (FIRM, "accept-agreement")):
        desk.move(who, reference, transition)
    desk.matched(reference, "1000.00")
    desk.released(reference, "1000.00")
    loan = {"lender": "Bank", "amount": money("500"), "day": "2026-11-23"}
    assert act_by(FINANCE, "loans", **loan).json()["position"]["leverage_with_banks"] == "1.50"
    assert act_by(OFFICER, "contributions/1/reversal", note="Cancelled").json()["position"]["overpaid"] == "1000.00"
    refund = {"amount": money("1000"), "day": "2026-11-23", "payment": "RF-1"}
    assert act_by(FINANCE, "refunds", **refund).json()["position"]["overpaid"] == "0.00"
    assert act_by(MANAGER, "contributions/1/market-value", note="Scarce").status_code == 409
