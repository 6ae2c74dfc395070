"""The worked examples of co-financing, to the cent, through what handlers and pages call: rules, terms, case."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.grants.domain.application import Calendar, Document, Person
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.contribution import Claim, Contribution, Valuation, worth
from services.grants.domain.match import MatchTooSmallError, leverage
from services.grants.domain.terms import Rules, Terms, draw
from shared.errors import InvalidError
from shared.money import Money
from shared.workflow import Workflow

D = Decimal
PACKS = Path(__file__).parents[2] / "programmes" / "business-ecosystem"
PACK: dict[str, Any] = yaml.safe_load((PACKS / "cofinancing.yaml").read_text())
FLOW = Workflow.checked(yaml.safe_load((PACKS / "workflows" / "lead-firm-cofinancing.yaml").read_text()))
PLACE = Calendar(country="MK", zone="Europe/Skopje")
AGREED = datetime(2026, 1, 15, 12, tzinfo=UTC)
FIRM, OFFICER = Person(id="user:firm", name="Firm"), Person(id="user:officer", name="Officer")
FINANCE, FINANCE_TWO = Person(id="user:finance", name="Finance"), Person(id="user:two", name="Two")
FREE: dict[str, Any] = {"programme_share_cap": None, "cash_minimum_percent": "0"}
HALF = {"shares": {"programme": "50", "firm": "50"}}
SCALE = FREE | {
    "shares": None,
    "tiers": [
        {"at_least": "0", "below": "250000", "percent": "20"},
        {"at_least": "250000", "below": "500000", "percent": "30"},
        {"at_least": "500000", "percent": "40"},
    ],
    "in_kind": PACK["in_kind"] | {"cap_percent": "10", "cap_base": "total"},
}
FUND = FREE | {"shares": None, "match_ratio": "0.4"}


def eur(amount: Any) -> Money:
    """Return an amount in euro."""
    return Money.of(amount, "EUR")


def drawn(rules: dict[str, Any], total: Any, in_kind: Any = 0) -> Terms:
    """Return the terms of a project under a programme's rules."""
    return draw(Rules.of(PACK | rules), eur(total), eur(in_kind), version=1, by=OFFICER, now=AGREED)


def agreed(rules: dict[str, Any], total: Any, in_kind: Any = 0) -> CoFinancing:
    """Return a case whose agreement both sides have accepted."""
    case = _started(rules, total)
    case.stage = "appraisal"
    case.draw_terms(eur(total), eur(in_kind), OFFICER, AGREED)
    case.stage = "agreement"
    accept = next(item for item in FLOW.transitions if item.id == "accept-agreement")
    case.move(accept, FLOW, PLACE, FIRM, AGREED)
    return case


def _started(rules: dict[str, Any], total: Any) -> CoFinancing:
    about = {"id": "COF-2026-0001", "programme": "business-ecosystem", "pack_version": 1, "currency": "EUR"}
    firm = {"organisation": "cables", "organisation_name": "Cables", "started_by": FIRM.id, "started_at": AGREED}
    what = {"kind": "workforce_development", "title": "Cable school", "planned": D(total)}
    return CoFinancing.start(workflow=FLOW, rules=Rules.of(PACK | rules), **about, **firm, **what)


def bring(case: CoFinancing, amount: Any, form: str = "cash", **more: Any) -> int:
    """Let the firm bring something and an officer verify it, with every document that it needs; returns its number."""
    about: dict[str, Any] = {"form": form, "given_on": AGREED.date(), "description": "Paid", "claimed": eur(amount)}
    if form == "in_kind":
        about |= {"basis": "supplies", "valuation": Valuation(market_value=D(amount))}
    claim = Claim(**(about | more))
    number, value = len(case.contributions) + 1, worth(case.rules, case.currency, claim)
    who = {"entered_by": FIRM.id, "entered_by_name": FIRM.name, "entered_at": AGREED}
    case.enter(Contribution(**dict(claim), number=number, value=value, **who), AGREED.date())
    for kind in case.contribution(number).documents(case.rules):
        case.attach(number, _document(kind))
    case.decide(number, OFFICER, AGREED, good=True, note="")
    return number


def _document(kind: str) -> Document:
    added = {"added_by": FIRM.id, "added_by_name": FIRM.name, "added_at": AGREED}
    return Document(
        id=kind, kind=kind, name=f"{kind}.pdf", sha256="0" * 64, size=1, media_type="application/pdf", **added
    )


def pay(case: CoFinancing, amount: Any, today: date) -> None:
    """Ask for a release on that day, and let another person make it."""
    case.request_release(eur(amount), FINANCE, AGREED, today=today)
    case.settle_release(len(case.releases), FINANCE_TWO, AGREED, good=True, note="", today=today)


def counts(amount: Any, basis: str = "", *, market_approved: bool = False, **more: Any) -> D:
    """Return what a claim counts for under the programme's rules."""
    form: Any = "in_kind" if basis else "cash"
    about = {"form": form, "basis": basis, "given_on": AGREED.date(), "description": "Given", "claimed": eur(amount)}
    return worth(Rules.of(PACK), "EUR", Claim.model_validate(about | more), market_approved=market_approved)


@pytest.mark.parametrize(
    ("total", "firm", "grant"),
    [
        ("100000", "20000", "80000"),
        ("400000", "120000", "280000"),
        ("1000000", "400000", "600000"),
        ("249999", "49999.80", "199999.20"),
        ("250000", "75000", "175000"),
        ("500000", "200000", "300000"),
    ],
)
def test_example_1_tiers_and_their_boundaries(total: str, firm: str, grant: str) -> None:
    """The firm brings 20, 30 or 40 % by the size of the project; the boundary belongs to the upper tier."""
    terms = drawn(SCALE, total)
    assert (terms.firm_share, terms.programme_share) == (D(firm), D(grant))


def test_example_1_in_kind_is_a_tenth_of_the_eligible_cost_at_most() -> None:
    """On 400,000 at most 40,000 in kind is agreed, and at most 40,000 counts."""
    assert drawn(SCALE, 400_000, 40_000).firm_cash == D(80_000)
    with pytest.raises(InvalidError, match="attention"):
        drawn(SCALE, 400_000, "40000.01")
    case = agreed(SCALE, 400_000, 40_000)
    bring(case, 45_000, "in_kind")
    assert case.position().creditable == D(40_000)


def test_example_2_in_kind_counts_only_as_far_as_the_mix_allows() -> None:
    """For a grant of 500,000: cash 120,000 and in kind 80,000 count 160,000 and miss 200,000 by 40,000."""
    terms = drawn(FUND, 700_000, 50_000)
    assert (terms.programme_share, terms.firm_share) == (D(500_000), D(200_000))
    with pytest.raises(InvalidError) as refusal:
        drawn(FUND, 700_000, 80_000)
    assert refusal.value.fields["in_kind"] == "only 40,000.00 of it would count"
    case = agreed(FUND, 700_000, 50_000)
    bring(case, 120_000)
    bring(case, 80_000, "in_kind")
    position = case.position()
    assert (position.creditable, position.match) == (D(40_000), D(160_000))
    assert (position.earned, position.reduction) == (D(400_000), D(100_000))


def test_example_2_the_least_mix() -> None:
    """Cash 150,000 and in kind 50,000 earn the whole 500,000; a cent less of cash does not."""
    for cash, whole in (("150000", True), ("149999.99", False)):
        case = agreed(FUND, 700_000, 50_000)
        bring(case, cash)
        bring(case, 50_000, "in_kind")
        assert (case.position().reduction == 0) is whole


def test_example_3_matched_release_in_three_tranches() -> None:
    """Match 15,000 holds 5,000 of tranche 1; 42,000 lets 40,000 out in period 2; 46,000 in the end reduces by 4,000."""
    parts = (("40", 0), ("40", 6), ("20", 12))
    plan = {"tranches": [{"percent": percent, "after_months": months} for percent, months in parts]}
    case = agreed(FREE | HALF | plan, 100_000)
    first, second, third = date(2026, 2, 1), date(2026, 7, 15), date(2027, 1, 15)
    bring(case, 15_000)
    position = case.position(first)
    assert (position.planned, position.allowed, position.held) == (D(20_000), D(15_000), D(5_000))
    with pytest.raises(MatchTooSmallError) as refusal:
        pay(case, 20_000, first)
    assert str(refusal.value).startswith("Evidenced match 42.8 % < 50.0 %: 5,000.00 EUR held.")
    pay(case, 15_000, first)
    bring(case, 27_000)
    assert case.position(date(2026, 7, 14)).allowed == D(20_000)
    position = case.position(second)
    assert (position.match, position.allowed, position.free) == (D(42_000), D(40_000), D(25_000))
    with pytest.raises(MatchTooSmallError, match=r"The plan lets 40,000.00 EUR in all be released by today"):
        pay(case, "25000.01", second)
    pay(case, 25_000, second)
    bring(case, 4_000)
    position = case.position(third)
    assert (position.earned, position.reduction, position.overpaid) == (D(46_000), D(4_000), D(0))
    pay(case, 6_000, third)
    case.move(next(item for item in FLOW.transitions if item.id == "close"), FLOW, PLACE, FINANCE, AGREED)
    ended = case.collect()[-1].event.model_dump()
    said = [ended[name]["amount"] for name in ("agreed", "earned", "released", "reduction")]
    assert said == ["50000.00", "46000.00", "46000.00", "4000.00"]


def test_example_3_what_was_paid_too_much_is_refunded() -> None:
    """When 4,000 of 50,000 match is found wrong after 50,000 were released, 4,000 are owed, and paid back in parts."""
    case = agreed(FREE | HALF, 100_000)
    bring(case, 46_000)
    wrong = bring(case, 4_000)
    pay(case, 50_000, AGREED.date())
    case.reverse(wrong, OFFICER, AGREED, note="The invoice was cancelled")
    assert (case.position().earned, case.position().overpaid) == (D(46_000), D(4_000))
    today = AGREED.date()
    case.refund(eur(1_500), today, "RF-1", FINANCE, AGREED, today=today)
    with pytest.raises(InvalidError, match="attention"):
        case.refund(eur("2500.01"), today, "RF-2", FINANCE, AGREED, today=today)
    case.refund(eur(2_500), today, "RF-2", FINANCE, AGREED, today=today)
    assert (case.position().overpaid, case.position().out, case.values()["overpaid"]) == (D(0), D(46_000), D(0))


def test_example_4_a_machine_counts_by_the_lesser_value_or_by_its_use() -> None:
    """Book 7,000 and market 9,500 count 7,000, approved 9,500; 24,000 / 8 years x 10/12 x 60 % count 1,500."""
    machine = Valuation(book_value="7000", market_value="9500")
    assert counts(9_500, "equipment", valuation=machine) == D(7_000)
    assert counts(9_500, "equipment", valuation=machine, market_approved=True) == D(9_500)
    used = Valuation(cost="24000", life_years="8", months="10", use_percent="60")
    assert counts(2_000, "equipment_use", valuation=used) == D(1_500)


def test_example_5_staff_with_fringe_and_volunteers_at_the_paid_rate() -> None:
    """120 hours x (6.50 + 22 %) are 951.60; an hour claimed at 10 where 4 is paid counts 4."""
    assert counts(1_000, "staff_time", valuation=Valuation(hours="120", rate="6.50", fringe_percent="22")) == D(
        "951.60"
    )
    assert counts(10, "volunteer_time", valuation=Valuation(hours="1", rate="10", similar_rate="4")) == D(4)


def test_example_6_recoverable_vat_is_left_out() -> None:
    """Of an invoice of 11,800 with 1,800 recoverable VAT 10,000 are eligible, of which the grant carries 5,000."""
    counted = counts(11_800, ineligible=D(1_800), ineligible_code="recoverable_vat")
    assert counted == D(10_000)
    assert drawn(FREE | HALF, counted).programme_share == D(5_000)


def test_example_7_leverage_without_and_with_the_bank() -> None:
    """46,000 of partner money on 46,000 released is 1.00; a bank loan of 40,000 makes 1.87, said apart, never match."""
    case = agreed(FREE | HALF, 100_000)
    bring(case, 46_000)
    pay(case, 46_000, AGREED.date())
    case.add_bank_loan("Bank", eur(40_000), AGREED.date(), OFFICER, AGREED, today=AGREED.date())
    position = case.position()
    assert position.match == D(46_000)
    assert leverage(position.match, position.out) == D("1.00")
    assert leverage(position.match + case.mobilised(), position.out) == D("1.87")


def test_example_8_a_currency_counts_at_the_rate_of_the_payment_day() -> None:
    """1,500,000 soms at 0.0098 of the payment day are 14,700 euro; the rate of the report's day is refused."""
    som = {"claimed": Money.of("1500000", "KGS"), "exchange_rate": D("0.0098"), "rate_source": "National bank"}
    assert counts(0, **som, rate_date=AGREED.date()) == D(14_700)
    with pytest.raises(InvalidError) as refusal:
        counts(0, **som, rate_date=date(2026, 3, 31))
    assert "must be the day of payment, 2026-01-15" in refusal.value.fields["rate_date"]
