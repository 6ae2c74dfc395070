"""The pages of loans: everything works by forms without script, and mistakes come back with what was typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from loans_world import OFFER, PDF, PLAN, UNTIL, World, call, drafted, offered, refer, submitted

from services.loans.pages.forms import flat
from shared.testing.stand import Stand


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def version_in(page: str) -> str:
    """Return the version that a form of the page carries."""
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found, page
    return found[1]


@pytest.mark.english
def test_the_story_by_forms_alone(world: World) -> None:
    """Every act of the loan story can be done by opening pages and sending their forms."""
    msme, bank = world.msme, world.bank_one
    begun = msme.post("/loans/proposals/new", {"supporter": "chamber-of-crafts", "title": "Press line"})
    assert begun.status_code == 303, begun.text
    reference = begun.headers["location"].split("/")[3]
    for section, data in PLAN.items():
        address = f"/loans/proposals/{reference}/edit/{section}"
        page = msme.get(address)
        assert page.status_code == 200, page.text
        answer = msme.post(address, flat(data) | {"version": version_in(page.text)})
        assert answer.status_code == 303, answer.text
    for kind in ("registration", "accounts"):
        address = f"/loans/proposals/{reference}/documents"
        form = {"kind": kind, "version": version_in(msme.get(address).text), "expires": "2027-01-01"}
        answer = msme.post(address, form, files={"file": (f"{kind}.pdf", PDF + kind.encode(), "application/pdf")})
        assert answer.status_code == 303, answer.text
    page = msme.get(f"/loans/proposals/{reference}").text
    assert "1.322" in page
    answer = msme.post(f"/loans/proposals/{reference}/submit", {"version": version_in(page)})
    assert answer.headers["location"] == f"/loans/proposals/{reference}/consent"
    page = msme.get(f"/loans/proposals/{reference}/consent").text
    form = {
        "version": version_in(page),
        "bank": "bank-one",
        "blocks": ["applicant", "request", "ratios", "documents"],
        "purpose": "loan_decision",
        "until": UNTIL,
        "text_version": "1",
        "language": "en",
    }
    assert msme.post(f"/loans/proposals/{reference}/consent", form).status_code == 303
    assert "Working capital and a press line" in bank.get("/loans/referrals?folder=new").text
    path = "/loans/referrals/REF-2026-0001"
    for act, form in (
        ("acknowledge", {}),
        ("ask", {"text": "Which buyers?"}),
        ("answer", {"text": "Two chains."}),
        ("analyse", {}),
        ("offer", OFFER),
    ):
        browser = msme if act == "answer" else bank
        stamp = {"version": version_in(browser.get(path).text)}
        answer = browser.post(f"{path}/{act}", {key: str(value) for key, value in form.items()} | stamp)
        assert answer.status_code == 303, answer.text
    offers = msme.get(f"/loans/proposals/{reference}/offers").text
    assert "Effective annual cost" in offers
    answer = msme.post(f"{path}/accept", {"version": version_in(offers)})
    loan = answer.headers["location"]
    assert bank.post(f"{loan}/disbursements", {"amount": "40000", "on": "2026-03-02"}).status_code == 303
    assert msme.post(f"{loan}/disbursements/1/confirm").status_code == 303
    assert "Vera Stojanova" in bank.get(loan).text
    assert world.msme.get(f"/loans/proposals/{reference}").status_code == 200


@pytest.mark.english
def test_mistakes_come_back_with_what_was_typed(world: World) -> None:
    """A wrong amount answers 422 with the field's rule, keeps the other answers, and saves nothing."""
    reference = drafted(world)
    address = f"/loans/proposals/{reference}/edit/request"
    form = flat(PLAN["request"]) | {"amount": "forty", "title": "A new title"}
    answer = world.msme.post(address, form | {"version": version_in(world.msme.get(address).text)})
    assert answer.status_code == 422
    assert "is not an amount" in answer.text
    assert "A new title" in answer.text
    assert call(world.msme, "GET", f"/proposals/{reference}")["title"] == PLAN["request"]["title"]


@pytest.mark.english
def test_an_offer_with_a_mistake_comes_back_open(world: World) -> None:
    """The bank's offer form stays open with its values and says which one is wrong."""
    referral = refer(world, submitted(world), "bank-one")["reference"]
    call(world.bank_one, "POST", f"/referrals/{referral}/receipt")
    path = f"/loans/referrals/{referral}"
    stamp = {"version": version_in(world.bank_one.get(path).text)}
    form = {key: str(value) for key, value in OFFER.items()} | stamp
    answer = world.bank_one.post(f"{path}/offer", form | {"amount": "40001"})
    assert answer.status_code == 422
    assert "at most the 40,000.00\xa0EUR asked for" in answer.text
    assert 'value="40001"' in answer.text
    answer = world.bank_one.post(f"{path}/decline", stamp)
    assert answer.status_code == 422
    assert "choose at least one of" in answer.text


@pytest.mark.english
def test_figures_follow_while_typing(world: World) -> None:
    """The preview of a section shows the figures of what is typed and keeps nothing."""
    reference = drafted(world)
    form = flat(PLAN["request"]) | {"amount": "20000", "version": "1"}
    answer = world.msme.post(f"/loans/proposals/{reference}/preview/request", form)
    assert answer.status_code == 200
    assert "2.6" in answer.text
    assert call(world.msme, "GET", f"/proposals/{reference}")["plan"]["request"]["amount"] == "40000.00"


WRONG: list[dict[str, object]] = [
    {"amount": "1\x00"},
    {"title": "x" * 201},
    {"title": 7},
    {"unknown": "x"},
    {"term_months": "361"},
    {"needed_by": "soon"},
    {"amount": "-1"},
    {"amount": "1.001"},
    {"amount": "9" * 40},
]


def test_bad_input_names_the_field(world: World) -> None:
    """Wrong types, unknown, oversized and impossible values are refused by the field's name."""
    reference: str = call(world.msme, "POST", "/proposals", 201, supporter="chamber-of-crafts")["reference"]
    for body in WRONG:
        problem = call(world.msme, "PUT", f"/proposals/{reference}/sections/request", 422, data=body)
        assert problem["errors"][0]["field"].endswith(next(iter(body)))


@pytest.mark.slow  # a long round
def test_lists_and_pages_for_each_role(world: World) -> None:
    """Lists, pages and downloads open for whom they are meant, in English and in Russian."""
    reference = submitted(world)
    referral = offered(world, reference, "bank-one", world.bank_one)
    sha256 = call(world.msme, "GET", f"/proposals/{reference}")["documents"][0]["sha256"]
    pages = [
        (world.msme, "/loans/mine"),
        (world.msme, f"/loans/proposals/{reference}"),
        (world.msme, f"/loans/proposals/{reference}/consent"),
        (world.msme, f"/loans/proposals/{reference}/offers"),
        (world.msme, f"/loans/proposals/{reference}/edit/projection"),
        (world.msme, f"/loans/proposals/{reference}/documents/{sha256}"),
        (world.msme, f"/loans/referrals/{referral}"),
        (world.officer, "/loans/proposals?stage=locked&q=press"),
        (world.officer, f"/loans/proposals/{reference}"),
        (world.officer, f"/loans/referrals/{referral}"),
        (world.bank_one, "/loans/referrals?folder=offered&q=press"),
        (world.bank_one, f"/loans/referrals/{referral}/documents/{sha256}"),
    ]
    for browser, path in pages:
        for language in ("en", "ru"):
            browser.cookies.set("tamga_language", language)
            answer = browser.get(path)
            assert answer.status_code == 200, (path, answer.text)
    assert world.officer.get("/loans/").headers["location"] == "/loans/proposals"


@pytest.mark.english
def test_a_stale_form_stays_on_the_page_with_what_was_typed(world: World) -> None:
    """An overtaken offer is answered 409 on the referral's page, its words kept and the attempt recorded."""
    reference = submitted(world)
    made = refer(world, reference, "bank-one")["reference"]
    path = f"/loans/referrals/{made}"
    assert world.bank_one.post(
        f"{path}/acknowledge", {"version": version_in(world.bank_one.get(path).text)}
    ).is_redirect
    old = version_in(world.bank_one.get(path).text)
    assert world.bank_one.post(f"{path}/analyse", {"version": old}).is_redirect
    form = {"version": old, "amount": "40000", "rate_percent": "11.25", "term_months": "36", "valid_until": UNTIL}
    answer = world.bank_one.post(f"{path}/offer", form)
    assert answer.status_code == 409
    assert "Somebody changed this while your page was open" in answer.text
    assert 'value="11.25"' in answer.text
    assert "loans.attempt.refused" in world.events(made)


@pytest.mark.english
def test_an_act_that_is_over_says_what_is_possible(world: World) -> None:
    """Acknowledging twice shows the referral's page with the moves that are possible now, by their names."""
    made = refer(world, submitted(world), "bank-one")["reference"]
    path = f"/loans/referrals/{made}"
    world.bank_one.post(f"{path}/acknowledge", {"version": version_in(world.bank_one.get(path).text)})
    answer = world.bank_one.post(f"{path}/acknowledge", {"version": version_in(world.bank_one.get(path).text)})
    assert answer.status_code == 409
    assert "“Acknowledge receipt” is not possible now" in answer.text
    assert "Make an offer" in answer.text


@pytest.mark.english
def test_the_calculator_answers_in_the_address(world: World) -> None:
    """A loan is computed from its address, mistakes stand at their field, and paying early says what it saves."""
    page = world.msme.get("/loans/calculator")
    assert (page.status_code, "What the loan costs" in page.text) == (200, False)
    asked = "principal=5+000%2C00&annual_rate_pct=12&n=18&start=2022-11-01&instalment_multiple_of=1&fee=100"
    page = world.bank_one.get(f"/loans/calculator?{asked}")
    assert page.status_code == 200
    assert all(text in page.text for text in ("15.69", "488.22", "5,488.22", "303.22"))
    early = f"{asked}&prepaid=1000&prepaid_on=2022-12-01&prepayment=lower_instalment"
    assert "Paying early saves" in world.msme.get(f"/loans/calculator?{early}").text
    wrong = world.msme.get("/loans/calculator?principal=much&annual_rate_pct=12&n=x&start=")
    assert wrong.status_code == 422
    assert all(f'id="e-{name}"' in wrong.text for name in ("principal", "n", "start"))
    assert 'value="much"' in wrong.text
    asked = {"principal": "5000", "annual_rate_pct": "12", "n": 18, "start": "2022-11-01"}
    assert call(world.msme, "POST", "/schedules", **asked)["rows"][0]["interest"] == "50.00"
    assert (
        call(world.msme, "POST", "/schedules", 422, **(asked | {"principal": "-1"}))["errors"][0]["field"]
        == "principal"
    )


@pytest.mark.english
def test_offers_are_countered_and_compared(world: World) -> None:
    """The MSME asks one bank for other terms, gets a new version, and sees both banks' offers side by side."""
    reference = submitted(world)
    first = offered(world, reference, "bank-one", world.bank_one)
    second = offered(world, reference, "bank-two", world.bank_two, rate_percent="11", collateral="Shop in Bitola")
    path = f"/loans/referrals/{first}"
    form = {"amount": "40000", "rate_percent": "10.5", "term_months": "36", "fee": "800", "reason": "Two offers."}
    stamp = {"version": version_in(world.msme.get(path).text)}
    assert world.bank_one.post(f"{path}/counter", form | stamp).status_code == 403
    wrong = world.msme.post(f"{path}/counter", form | stamp | {"rate_percent": "12"})
    assert wrong.status_code == 422
    assert "change at least one term" in wrong.text
    assert world.msme.post(f"{path}/counter", form | stamp).is_redirect
    shown = world.bank_one.get(path).text
    assert all(words in shown for words in ("Two offers.", "10.50", "Make a new version of the offer"))
    again = {key: str(value) for key, value in OFFER.items()} | {"rate_percent": "10.5"}
    assert world.bank_one.post(f"{path}/offer", again | {"version": version_in(shown)}).is_redirect
    lines = call(world.msme, "GET", f"/proposals/{reference}/offers")
    assert [(line["referral"], line["offer"]["number"]) for line in lines] == [(first, 2), (second, 1)]
    assert lines[0]["dscr"][0] > lines[1]["dscr"][0]
    call(world.bank_two, "GET", f"/proposals/{reference}/offers", 403)
    page = world.msme.get(f"/loans/proposals/{reference}/offers").text
    assert all(words in page for words in ("the lowest", "Shop in Bitola", "<svg", "Versions and counter-offers"))
    acts = world.events(reference)
    assert (acts.count("loans.referral.countered"), acts.count("loans.referral.offered")) == (1, 3)


@pytest.mark.english
def test_a_decline_becomes_a_plan_and_a_better_referral(world: World) -> None:
    """The plan is worked by firm and officer; a better version is referred again, and the lift is shown."""
    reference = submitted(world)
    first = refer(world, reference, "bank-one")["reference"]
    call(world.bank_one, "POST", f"/referrals/{first}/receipt")
    call(world.bank_one, "POST", f"/referrals/{first}/decline", reasons=["cash_flow", "own_contribution"])
    refused = refer(world, reference, "bank-one", 409)
    assert "declined version 1" in refused["detail"]
    plan = call(world.officer, "GET", "/improvements")["items"][0]["reference"]
    call(world.bank_one, "GET", f"/improvements/{plan}", 403)
    path = f"/loans/improvements/{plan}"
    page = world.msme.get(path).text
    assert "Have expected sales in writing from a buyer" in page
    stamp = {"version": version_in(page)}
    bad = world.officer.post(f"{path}/tasks", stamp | {"text": "Visit the firm", "by": "officer", "due": "2026-01-01"})
    assert (bad.status_code, 'value="Visit the firm"' in bad.text) == (422, True)
    task = f"{path}/tasks/sales-in-writing/evidence"
    assert world.msme.post(task, stamp | {"evidence": "Signed contract."}).is_redirect
    assert world.officer.post(f"{path}/tasks", stamp | {"text": "x", "due": UNTIL}).status_code == 409
    call(world.msme, "POST", f"/proposals/{reference}/reopening")
    request = PLAN["request"] | {"term_months": "48"}
    call(world.msme, "PUT", f"/proposals/{reference}/sections/request", data=request)
    call(world.msme, "POST", f"/proposals/{reference}/submission")
    again = refer(world, reference, "bank-two")["reference"]
    found = call(world.msme, "GET", f"/improvements/{plan}")
    assert (found["again"], found["outcome"]) == (again, "submitted")
    assert float(found["now"]["dscr"]) > float(found["before"]["dscr"])
    assert first not in world.bank_two.get(f"/loans/referrals/{again}").text
    assert first in world.msme.get(f"/loans/referrals/{again}").text
    lift = call(world.officer, "GET", "/improvements/lift")[0]
    assert (lift["plans"], lift["again"], lift["decided"]) == (1, 1, 0)
    other = refer(world, reference, "bank-one")["reference"]  # whichever bank lends on the better version
    call(world.bank_one, "POST", f"/referrals/{other}/receipt")
    call(world.bank_one, "POST", f"/referrals/{other}/offer", 201, **OFFER)
    call(world.msme, "POST", f"/referrals/{other}/acceptance", 201)
    lift = call(world.officer, "GET", "/improvements/lift")[0]
    assert (lift["again"], lift["decided"], lift["lent"]) == (1, 1, 1)
    for language in ("en", "ru"):
        world.officer.cookies.set("tamga_language", language)
        assert all(world.officer.get(page).status_code == 200 for page in (path, "/loans/improvements"))
