"""Offers and counter-offers: which terms may be asked for, which versions are kept, what each offer costs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.loans.domain.blocks import Plan
from services.loans.domain.comparison import compare
from services.loans.domain.offer import Counter, Offer
from services.loans.domain.referral import Referral
from shared.errors import ConflictError, IllegalTransitionError, InvalidError
from shared.money import Money

NOW, TODAY = datetime(2026, 3, 2, 9, tzinfo=UTC), date(2026, 3, 2)
# The worked example: sales of three years, a loan of 40,000 at 14 % over 36 months gives a cover of 1.322.
PLAN = Plan.model_validate(
    {
        "request": {"amount": "40000", "term_months": 36, "rate_percent": "14"},
        "projection": {
            "first_month": "2026-06-01",
            "sales": ["120000", "132000", "145200"],
            "cost_of_sales_percent": "65",
            "operating_costs": "18000",
            "operating_growth_percent": "5",
            "depreciation": "6000",
            "tax_percent": "10",
            "capex": "1000",
        },
    }
)


def euro(amount: str) -> Money:
    return Money.of(Decimal(amount), "EUR")


def offer(**changed: Any) -> Offer:
    terms = {"amount": euro("40000"), "rate": Decimal("0.14"), "term_months": 36, "fee": euro("800")}
    rest = {"conditions": "", "valid_until": date(2026, 3, 31), "made_at": NOW, "effective_rate": Decimal("0.16")}
    return Offer(**(terms | rest | changed))


def counter(**changed: Any) -> Counter:
    terms = {"amount": euro("40000"), "rate": Decimal("0.12"), "term_months": 36, "fee": euro("800")}
    rest = {"number": 1, "reason": "Another bank lends at 12 %.", "made_at": NOW, "made_by": "Vera"}
    return Counter(**(terms | rest | changed))


def offered(**changed: Any) -> Referral:
    """Return a referral in analysis to which the bank has just made an offer."""
    names = {name: name for name in ("proposal", "programme", "organisation", "organisation_name", "bank", "bank_name")}
    asked = {"amount": euro("40000"), "term_months": 36, "country": "MK", "title": "Press line", "number": 1}
    referral = Referral(id="REF-1", stage="in_credit", **names, **asked)
    referral.make_offer(offer(**changed), TODAY)
    return referral


def test_a_counter_offer_is_answered_by_the_next_version() -> None:
    """The old version and the wish are kept, the bank's clock runs meanwhile, and only the new version is accepted."""
    referral = offered()
    referral.counter(counter(), TODAY, 5)
    assert (referral.stage, referral.due) == ("countered", date(2026, 3, 9))
    with pytest.raises(IllegalTransitionError):
        referral.accept("LN-1", TODAY)
    referral.make_offer(offer(rate=Decimal("0.13")), TODAY)
    assert [item.number for item in (*referral.earlier, referral.offer) if item] == [1, 2]
    assert (referral.earlier[0].rate, referral.due, len(referral.counters)) == (Decimal("0.14"), None, 1)
    assert referral.accept("LN-1", TODAY).rate == Decimal("0.13")


def test_a_bank_may_decline_a_counter_offer() -> None:
    """A bank that can't meet the other terms declines with a coded reason."""
    referral = offered()
    referral.counter(counter(), TODAY, 5)
    referral.decline(["cash_flow"], "", ["cash_flow"])
    assert (referral.stage, referral.due) == ("declined", None)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"amount": euro("40000.01")}, "amount"),
        ({"fee": euro("800.01")}, "fee"),
        ({"rate": Decimal("1.01")}, "rate_percent"),
        ({"term_months": 0}, "term_months"),
        ({"reason": " "}, "reason"),
        ({"rate": Decimal("0.140")}, "rate_percent"),
    ],
)
def test_a_wish_that_makes_no_sense_names_its_field(changed: dict[str, Any], field: str) -> None:
    """More than was asked for, impossible terms, no reason, or the very terms of the offer are refused."""
    referral = offered()
    with pytest.raises(InvalidError) as refused:
        referral.counter(counter(**changed), TODAY, 5)
    assert list(refused.value.fields) == [field]
    assert (referral.stage, referral.counters) == ("offered", [])


def test_an_offer_that_has_ended_is_not_countered() -> None:
    """After its last day there is nothing to answer."""
    with pytest.raises(ConflictError, match="2026-03-31"):
        offered().counter(counter(), date(2026, 4, 1), 5)


def test_an_offer_shows_what_it_costs_and_whether_the_plan_carries_it() -> None:
    """The offer that equals the request has the plan's own cover; instalments, interest and the fee make the total."""
    referral = offered()
    assert referral.offer is not None
    line = compare(referral, referral.offer, PLAN, TODAY)
    assert line.instalment == euro("1367.11")
    assert line.interest == euro("9215.74")
    assert line.total_paid == euro("50015.74")
    assert line.dscr == [Decimal("1.322"), Decimal("1.493"), Decimal("1.682")]
    shorter = compare(referral, offer(term_months=24, amount=euro("35000")), PLAN, TODAY)
    assert shorter.missing == euro("5000")
    assert shorter.lowest_dscr is not None
    assert shorter.lowest_dscr < Decimal("1.2")


def test_a_late_answer_is_told_once_for_each_due_day() -> None:
    """The day after the due day it is said, in working days; not again until another due day has passed."""
    referral = offered()
    referral.counter(counter(), TODAY, 5)
    assert not referral.escalate(date(2026, 3, 9))
    assert referral.escalate(date(2026, 3, 10))
    assert not referral.escalate(date(2026, 3, 11))
    referral.make_offer(offer(rate=Decimal("0.13")), TODAY)
    assert not referral.escalate(date(2026, 3, 30))
    referral.counter(counter(number=2), date(2026, 3, 16), 5)
    assert referral.escalate(date(2026, 3, 30))
