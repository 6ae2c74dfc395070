"""Success fees: what a loan earns, that nothing is earned twice, who may do what, and what an early default takes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.loans.domain.fee import Fee
from services.loans.domain.fee_rules import SuccessFee
from services.loans.domain.loan import Disbursement, Loan
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.money import Money, total

NOW, TODAY = datetime(2026, 3, 2, 9, tzinfo=UTC), date(2026, 3, 2)
BANDS = [{"up_to": "20000", "percent": "2"}, {"percent": "1"}]


def eur(amount: str | Decimal) -> Money:
    return Money.of(amount, "EUR")


def rule(**changed: Any) -> SuccessFee:
    return SuccessFee.model_validate({"currency": "EUR", "kind": "bands", "bands": BANDS, "cap": "1500"} | changed)


def loan(amount: str = "40000", *paid: str) -> Loan:
    """Return a loan with these disbursements, all confirmed."""
    parts = [
        Disbursement(
            number=n, amount=eur(sum_), on=TODAY, reported_at=NOW, reported_by="b", confirmed_at=NOW, confirmed_by="f"
        )
        for n, sum_ in enumerate(paid, 1)
    ]
    names = ("proposal", "referral", "programme", "organisation", "organisation_name", "bank", "bank_name")
    return Loan(
        id="LN-1",
        **dict.fromkeys(names, "x"),
        amount=eur(amount),
        rate=Decimal("0.12"),
        term_months=36,
        fee=eur("0"),
        agreed_on=TODAY,
        disbursements=parts,
    )


def fee(**changed: Any) -> Fee:
    names = ("proposal", "programme", "organisation", "organisation_name", "firm_name")
    said = {"assigned_at": NOW, "assigned_by": "Olga", "assigner": "olga"}
    return Fee(id="FEE-1", **dict.fromkeys(names, "x"), rule=rule(**changed), **said)


@pytest.mark.parametrize(
    ("changed", "agreed", "whole"),
    [
        ({}, "40000", "600"),
        ({}, "15000", "300"),
        ({}, "900000", "1500"),
        ({"kind": "percent", "percent": "1.5", "cap": None}, "40000", "600"),
        ({"kind": "flat", "flat": "250"}, "40000", "250"),
    ],
)
def test_a_fee_by_bands_percentage_and_flat_sum(changed: dict[str, Any], agreed: str, whole: str) -> None:
    """Bands count each part of the loan by its own percentage; the cap holds for each kind."""
    assert rule(**changed).whole(eur(agreed)) == eur(whole)


@pytest.mark.parametrize(
    "changed",
    [
        {"bands": []},
        {"bands": [*BANDS, {"up_to": "90000", "percent": "1"}]},
        {"bands": [{"up_to": "9", "percent": "1"}, {"up_to": "8", "percent": "1"}]},
        {"kind": "flat"},
        {"kind": "percent"},
        {"claw_back": [{"months": 12, "percent": "50"}, {"months": 6, "percent": "100"}]},
    ],
)
def test_a_rule_that_says_nothing_is_refused(changed: dict[str, Any]) -> None:
    """A pack with bands that do not rise, or a kind without its figure, is not taken."""
    with pytest.raises(ValidationError, match="success_fee"):
        rule(**changed)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=6), st.sampled_from(["each", "whole"]))
def test_parts_add_up_to_the_whole_fee_and_never_to_more(cents: list[int], when: str) -> None:
    """However a loan is paid out, what accrues is never negative, never above the fee, and exactly it at the end."""
    parts = [str(Decimal(item) / 100) for item in cents]
    agreed = str(Decimal(sum(cents)) / 100)
    item = fee(when=when)
    for n in range(1, len(parts) + 1):
        now = loan(agreed, *parts[:n])
        item.accrue(now, n, NOW)
        before = item.earned()
        item.accrue(now, n, NOW)
        assert item.earned() == before <= item.rule.whole(now.amount)
    assert item.earned() == item.rule.whole(eur(agreed)) == total((a.amount for a in item.accruals), "EUR")


def test_only_what_both_sides_confirmed_is_counted() -> None:
    """Half confirmed earns half; a loan in another currency earns nothing."""
    item = fee()
    assert item.accrue(loan("40000", "20000"), 1, NOW) == eur("300")
    other = loan("40000", "20000")
    other.amount = Money.of(40000, "USD")
    assert fee().accrue(other, 1, NOW) == eur("0")


def test_three_people_and_each_once() -> None:
    """Who assigned does not approve, who approved does not pay, and nothing is approved or paid twice."""
    item = fee()
    with pytest.raises(ConflictError, match="Nothing is left"):
        item.approve(NOW, "mira", "Mira")
    item.accrue(loan("40000", "20000"), 1, NOW)
    with pytest.raises(ForbiddenError):
        item.approve(NOW, "olga", "Olga")
    item.approve(NOW, "mira", "Mira")
    with pytest.raises(ConflictError, match="300"):
        item.approve(NOW, "mira", "Mira")
    with pytest.raises(ForbiddenError):
        item.pay(1, TODAY, "P-1", TODAY, who="mira", name="Mira")
    with pytest.raises(InvalidError) as wrong:
        item.pay(1, date(2026, 4, 1), "", TODAY, who="jovan", name="Jovan")
    assert set(wrong.value.fields) == {"on", "payment"}
    item.pay(1, TODAY, "P-1", TODAY, who="jovan", name="Jovan")
    with pytest.raises(ConflictError, match="already"):
        item.pay(1, TODAY, "P-2", TODAY, who="jovan", name="Jovan")
    assert (item.stage(), item.paid(), item.to_approve()) == ("paid", eur("300"), eur("0"))


@pytest.mark.parametrize(("day", "lost", "due"), [("2026-08-30", "600", "300"), ("2026-12-30", "300", "0")])
def test_an_early_default_takes_back_by_the_schedule(day: str, lost: str, due: str) -> None:
    """Unpaid approvals go first, then what was paid is due back; a second tape takes nothing more."""
    slices = [{"months": 6, "percent": "100"}, {"months": 12, "percent": "50"}]
    item, whole = fee(claw_back=slices), loan("40000", "20000", "20000")
    item.accrue(loan("40000", "20000"), 1, NOW)
    item.approve(NOW, "mira", "Mira")
    item.pay(1, TODAY, "P-1", TODAY, who="jovan", name="Jovan")
    item.accrue(whole, 2, NOW)
    item.approve(NOW, "mira", "Mira")
    whole.early_default_on = date.fromisoformat(day)
    item.default(whole, NOW)
    item.default(whole, NOW)
    assert (item.lost(), item.due_back(), item.approved(), item.to_approve()) == (
        eur(lost),
        eur(due),
        eur("0"),
        eur("0"),
    )
    with pytest.raises(ConflictError, match="due back"):
        item.give_back(eur("300.01"), TODAY, "R-1", TODAY, "Jovan")
    if due != "0":
        item.give_back(eur(due), TODAY, "R-1", TODAY, "Jovan")
        assert (item.due_back(), item.stage()) == (eur("0"), "clawed_back")
