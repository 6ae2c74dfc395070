"""The figures of a proposal and the schedules of loans, against worked examples and by their properties."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loans.domain.appraisal import appraise, irr
from services.loans.domain.blocks import Flows, Funding, Plan, Projection, Request, Use
from services.loans.domain.cashflow import cash_flow, loan_rows, years
from services.loans.domain.ratios import ratios
from services.loans.domain.schedule import Terms, add_months, schedule
from services.loans.handlers import access
from shared import i18n
from shared.errors import InvalidError


def terms(**changes: object) -> Terms:
    base: dict[str, object] = {
        "principal": Decimal(5000),
        "annual_rate": Decimal("0.12"),
        "periods": 18,
        "start": date(2022, 11, 1),
        "multiple": Decimal(1),
    }
    return Terms(**(base | changes))  # type: ignore[arg-type]


def test_month_ends_are_seeded_by_the_first_date() -> None:
    """A loan of the 31st falls due on the last day of shorter months and on the 31st again after them."""
    assert [add_months(date(2023, 1, 31), k).isoformat() for k in (1, 2, 3, 13)] == [
        "2023-02-28",
        "2023-03-31",
        "2023-04-30",
        "2024-02-29",
    ]


@pytest.mark.parametrize(
    "changes", [{"principal": Decimal(0)}, {"periods": 0}, {"grace_principal": 18}, {"multiple": Decimal(0)}]
)
def test_impossible_terms_are_refused(changes: dict[str, object]) -> None:
    """A schedule can't be asked for nothing, for no time, or with no period left to repay in."""
    with pytest.raises(ValueError, match=r"above zero|at least one|between 1"):
        terms(**changes)


@given(
    principal=st.decimals("0.01", "9999999", places=2),
    rate=st.decimals("0", "0.60", places=4),
    periods=st.integers(1, 120),
    grace=st.integers(0, 119),
    amortisation=st.sampled_from(["equal_instalment", "equal_principal"]),
    interest=st.sampled_from(["declining", "flat"]),
    multiple=st.sampled_from([Decimal("0.01"), Decimal(1), Decimal(100)]),
)
def test_every_schedule_repays_exactly(  # noqa: PLR0917 - one argument a dimension
    principal: Decimal, rate: Decimal, periods: int, grace: int, amortisation: str, interest: str, multiple: Decimal
) -> None:
    """Principal parts add up to the loan, no balance is below zero, and the last one is zero, whatever the terms."""
    rows = schedule(
        terms(
            principal=principal,
            annual_rate=rate,
            periods=periods,
            grace_principal=min(grace, periods - 1),
            amortisation=amortisation,
            interest=interest,
            multiple=multiple,
        )
    )
    assert sum(row.principal for row in rows) == principal
    assert all(row.balance >= 0 and row.principal >= 0 and row.interest >= 0 for row in rows)
    assert rows[-1].balance == 0


@given(months=st.integers(2, 119), rate=st.decimals("0", "0.5", places=3))
def test_a_longer_term_never_costs_more_a_month(months: int, rate: Decimal) -> None:
    """The equal instalment does not rise when the same loan is repaid over one month more."""
    shorter = schedule(terms(periods=months, annual_rate=rate, multiple=Decimal("0.01")))[0].due
    longer = schedule(terms(periods=months + 1, annual_rate=rate, multiple=Decimal("0.01")))[0].due
    assert longer <= shorter


def plan() -> Plan:
    return Plan(
        request=Request(title="Press line", amount=Decimal(40000), term_months=36, rate_percent=Decimal(14)),
        funding=Funding(loan=Decimal(40000), own_cash=Decimal(10000), uses=[Use(item="Press", amount=Decimal(50000))]),
        projection=Projection(
            opening_cash=Decimal(3000),
            first_month=date(2027, 1, 1),
            sales=[Decimal(120000), Decimal(132000), Decimal(145200)],
            seasonality=[Decimal(k) for k in (6, 6, 7, 8, 8, 9, 10, 11, 10, 9, 8, 8)],
            cost_of_sales_percent=Decimal(65),
            operating_costs=Decimal(18000),
            operating_growth_percent=Decimal(5),
            depreciation=Decimal(6000),
            tax_percent=Decimal(10),
            capex=Decimal(1000),
        ),
        flows=Flows(
            flows=[Decimal(-60000), Decimal(16000), Decimal(18000), Decimal(20000), Decimal(20000), Decimal(30000)],
            discount_percent=Decimal(14),
            reinvest_percent=Decimal(10),
        ),
    )


def test_the_worked_example_of_a_loan_of_forty_thousand() -> None:
    """Instalments, interest, profit, cover, break-even and sensitivity come out to the cent."""
    rows, three, figures = loan_rows(plan()), years(plan()), ratios(plan())
    assert (rows[0].due, rows[-1].due) == (Decimal("1367.11"), Decimal("1366.89"))
    assert [year.interest for year in three] == [Decimal("4878.97"), Decimal("3157.59"), Decimal("1179.18")]
    assert [year.principal for year in three] == [Decimal("11526.35"), Decimal("13247.73"), Decimal("15225.92")]
    assert [year.debt_service for year in three] == [Decimal("16405.32"), Decimal("16405.32"), Decimal("16405.10")]
    assert [year.ebitda for year in three] == [Decimal(24000), Decimal(27300), Decimal(30975)]
    assert [year.ebit for year in three] == [Decimal(18000), Decimal(21300), Decimal(24975)]
    assert [year.ebt for year in three] == [Decimal("13121.03"), Decimal("18142.41"), Decimal("23795.82")]
    assert [year.tax for year in three] == [Decimal("1312.10"), Decimal("1814.24"), Decimal("2379.58")]
    assert [year.net for year in three] == [Decimal("11808.93"), Decimal("16328.17"), Decimal("21416.24")]
    assert [year.cfads for year in three] == [Decimal("21687.90"), Decimal("24485.76"), Decimal("27595.42")]
    assert figures.dscr == [Decimal("1.322"), Decimal("1.493"), Decimal("1.682")]
    assert figures.interest_cover == [Decimal("3.689"), Decimal("6.746"), Decimal("21.180")]
    assert figures.break_even_sales[0] == Decimal("82511.34")
    assert figures.margin_of_safety[0] == Decimal("0.3124")
    assert (figures.dscr_sales_down_10[0], figures.dscr_sales_down_20[0]) == (Decimal("1.092"), Decimal("0.861"))


def test_the_worked_example_of_project_flows() -> None:
    """NPV, IRR, MIRR, profitability index and both paybacks come out as worked by hand."""
    figures = ratios(plan())
    assert (figures.npv, figures.irr, figures.mirr) == (Decimal("8807.60"), Decimal("0.193853"), Decimal("0.155479"))
    assert (figures.profitability_index, figures.payback_years) == (Decimal("1.1468"), Decimal("3.30"))
    assert figures.discounted_payback_years == Decimal("4.43")


def test_cash_flow_balances_every_month() -> None:
    """Each month opens with what the last one closed with, and the months add up to the years."""
    months = cash_flow(plan())
    assert len(months) == 36
    assert all(after.opening == before.closing for before, after in pairwise(months))
    assert sum(month.sales for month in months[:12]) == Decimal(120000)
    assert sum(month.tax for month in months) == Decimal("1312.10") + Decimal("1814.24") + Decimal("2379.58")
    assert months[0].funding == months[0].investment == Decimal(50000)


def test_flows_without_one_change_of_sign_have_no_rate() -> None:
    """A rate of return is not invented where several or none exist."""
    assert irr([Decimal(100), Decimal(50)]) is None
    assert irr([Decimal(-100), Decimal(230), Decimal(-132)]) is None
    assert appraise([Decimal(-100), Decimal(10)], Decimal("0.1"), Decimal("0.1")).payback is None


def test_an_amount_that_is_not_exact_is_refused_in_our_words() -> None:
    """The refusal names the field and the rule, and the rule is said in the reader's language with its figures."""
    with pytest.raises(InvalidError) as refused:
        access.money("fee", Decimal("1.2345"), "EUR")
    assert refused.value.fields == {"fee": "has more than the 2 decimals of EUR"}
    token = i18n.current_locale.set("ru")
    said = i18n.said("loans", refused.value.fields["fee"])
    i18n.current_locale.reset(token)
    assert said == "больше знаков после запятой, чем есть у EUR (2)"
