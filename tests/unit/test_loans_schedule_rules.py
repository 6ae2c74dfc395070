"""Repayment schedules: what is refused, and what holds for whatever terms."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loans.domain.loan import Loan
from services.loans.domain.schedule import Terms, TermsError, schedule
from services.loans.domain.schedule.asked import answered
from shared.money import Money
from tests.unit.test_loans_schedules import BASE, D, rows, terms


@pytest.mark.parametrize(
    ("changes", "field", "figure"),
    [
        ({"principal": "0"}, "principal", "0"),
        ({"annual_rate": "-0.01"}, "annual_rate", "-1.00"),
        ({"periods": 0}, "periods", "0"),
        ({"principal": "10.001"}, "principal", "10.001"),
        ({"grace_principal": 18}, "grace_principal", "18"),
        ({"instalment": "50"}, "instalment", "50"),
        ({"instalment": "300", "amortisation": "bullet"}, "instalment", "300"),
        ({"tranches": [("2024-05-01", "1")]}, "tranches", "2024-05-01"),
        ({"tranches": [("2022-10-31", "1")]}, "tranches", "2022-10-31"),
        ({"prepayments": [("2022-11-15", "5000.01")]}, "prepayments", "5000.01"),
        ({"prepayments": [("2022-12-01", "5050.01")]}, "prepayments", "5050.01"),
        ({"prepayments": [("2024-05-02", "1")]}, "prepayments", "2024-05-02"),
        ({"rate_changes": [("2023-01-01", "0.1"), ("2023-01-01", "0.2")]}, "rate_changes", "2023-01-01"),
        ({"down_payment": "1"}, "down_payment", "100"),
        ({"start": "9999-01-01"}, "periods", "18"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], field: str, figure: str) -> None:
    """The refusal names the field, the rule and the figure that was given."""
    with pytest.raises(TermsError) as refused:
        schedule(terms(BASE, **changes))
    assert (list(refused.value.fields), refused.value.figures[field]) == ([field], figure)


def test_a_loan_repaid_ahead_ends() -> None:
    """Exactly what is owed, with the interest of the period, ends the schedule on that day."""
    made = rows(BASE, prepayments=[("2022-12-01", "5050")])
    assert made == ["5000.00+50.00→0.00"]


def test_what_is_shown_before_is_what_is_booked() -> None:
    """The rows of a loan are those that its terms were answered with, in the decimals of its currency."""
    for currency, decimals, amount in (("EUR", 2, "40000.00"), ("JPY", 0, "40000"), ("TND", 3, "40000.000")):
        asked = {"principal": amount, "annual_rate_pct": "14", "n": 36, "start": "2027-01-31"}
        shown = answered(asked | {"currency_decimals": decimals})["rows"]
        names = ("id", "proposal", "referral", "programme", "organisation", "organisation_name", "bank", "bank_name")
        made = Loan(
            **dict.fromkeys(names, "x"),
            amount=Money.of(amount, currency),
            rate=D("0.14"),
            term_months=36,
            fee=Money.zero(currency),
            agreed_on=date(2027, 1, 31),
        )
        booked = [(row.on.isoformat(), str(row.principal), str(row.interest)) for row in made.repayment()]
        assert booked == [(row["due"], row["principal"], row["interest"]) for row in shown]


@settings(max_examples=40, deadline=None)
@given(
    principal=st.decimals("1", "99999", places=2),
    rate=st.decimals("0", "0.60", places=4),
    count=st.integers(1, 40),
    grace=st.integers(0, 5),
    later=st.integers(1, 900),
    day_count=st.sampled_from(["per_period", "30/360", "ACT/360", "ACT/365F"]),
    amortisation=st.sampled_from(["equal_instalment", "equal_principal", "bullet"]),
    interest=st.sampled_from(["declining", "flat"]),
)
def test_every_schedule_repays_what_was_paid_out(  # noqa: PLR0917 - one argument a dimension
    principal: Decimal,
    rate: Decimal,
    count: int,
    grace: int,
    later: int,
    day_count: str,
    amortisation: str,
    interest: str,
) -> None:
    """Principal parts add up to all payouts, no balance is below zero, the last one is zero, whatever the terms."""
    start = date(2024, 1, 31)
    second = date.fromordinal(start.toordinal() + later % max(28 * count - 1, 1))
    made = Terms(
        principal=principal,
        annual_rate=rate,
        periods=count,
        start=start,
        grace_principal=min(grace, count - 1),
        grace_interest_payment=min(grace // 2, count - 1),
        day_count=day_count,  # type: ignore[arg-type]
        amortisation=amortisation,  # type: ignore[arg-type]
        interest=interest,  # type: ignore[arg-type]
        tranches=((second, D(500)),),
        prepayments=((date.fromordinal(start.toordinal() + later % 28), min(principal, D(7))),),
    )
    found = schedule(made)
    assert sum(row.principal for row in found) == principal + 500
    assert not [row for row in found if row.principal < 0 or row.interest < 0 or row.balance < 0]
    assert found[-1].balance == 0


@settings(max_examples=30, deadline=None)
@given(principal=st.integers(100, 100_000), count=st.integers(1, 60), factor=st.integers(2, 9))
def test_a_loan_of_several_times_as_much_costs_as_much_more(principal: int, count: int, factor: int) -> None:
    """The interest of k times the loan is k times the interest, but for the rounding of each row."""
    one = schedule(terms(BASE, principal=str(principal), periods=count, multiple=None))
    many = schedule(terms(BASE, principal=str(principal * factor), periods=count, multiple=None))
    off = sum((row.interest for row in many), D(0)) - factor * sum((row.interest for row in one), D(0))
    assert abs(off) <= (factor + 1) * count * D("0.01")
