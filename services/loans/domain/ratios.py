"""The figures a bank looks at, each computed from the proposal and never typed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from services.loans.domain.appraisal import Worth, appraise
from services.loans.domain.blocks import Plan, Year
from services.loans.domain.cashflow import Running, Stress, cash_flow, loan_terms, years
from services.loans.domain.schedule import effective_rate

_ZERO = Decimal(0)
A_YEAR_OF_DAYS = 365
STRESSES = {
    "sales_down_10": Stress(sales=Decimal("-0.10")),
    "sales_down_20": Stress(sales=Decimal("-0.20")),
    "input_cost_up_10": Stress(input_cost=Decimal("0.10")),
    "delay_3_months": Stress(delay_months=3),
    "rate_up_300bp": Stress(rate=Decimal("0.03")),
}


@dataclass(frozen=True)
class Ratios:
    """Rounded for reading: covers to three decimals, amounts to cents, shares as fractions to four decimals.

    Lists have one figure a year; None stands where a figure has no meaning (nothing to divide by).
    """

    dscr: list[Decimal | None]
    dscr_sales_down_10: list[Decimal | None]
    dscr_sales_down_20: list[Decimal | None]
    dscr_input_cost_up_10: list[Decimal | None]
    dscr_delay_3_months: list[Decimal | None]
    dscr_rate_up_300bp: list[Decimal | None]
    interest_cover: list[Decimal | None]
    ebitda: list[Decimal]
    net_profit: list[Decimal]
    debt_service: list[Decimal]
    break_even_sales: list[Decimal | None]
    margin_of_safety: list[Decimal | None]
    gross_margin: list[Decimal | None]
    net_margin: list[Decimal | None]
    current_ratio: Decimal | None
    quick_ratio: Decimal | None
    debt_to_equity: Decimal | None
    collateral_coverage: Decimal | None
    loan_to_value: Decimal | None
    working_capital_days: Decimal | None
    own_share: Decimal
    lowest_cash: Decimal | None
    npv: Decimal | None
    irr: Decimal | None
    mirr: Decimal | None
    profitability_index: Decimal | None
    payback_years: Decimal | None
    discounted_payback_years: Decimal | None
    effective_annual_rate: Decimal | None


def _to(value: Decimal | None, places: int) -> Decimal | None:
    return None if value is None else value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _over(part: Decimal, whole: Decimal, places: int = 3) -> Decimal | None:
    return _to(part / whole, places) if whole > 0 else None


def dscr(year: Running) -> Decimal | None:
    """Return (EBITDA - tax - maintenance investment) / (principal + interest)."""
    return _over(year.cfads, year.debt_service)


def break_even(year: Running) -> Decimal | None:
    """Return the sales at which profit before tax is zero: fixed costs / gross margin."""
    if year.sales <= 0 or year.sales <= year.cost_of_sales:
        return None
    fixed = year.operating_costs + year.depreciation + year.interest
    return _to(fixed * year.sales / (year.sales - year.cost_of_sales), 2)


def margin_of_safety(year: Running) -> Decimal | None:
    """Return how far sales may fall before there is a loss, as a fraction of sales."""
    point = break_even(year)
    return None if point is None else _over(year.sales - point, year.sales, 4)


def days_of(amount: Decimal | None, yearly: Decimal) -> Decimal | None:
    """Return for how many days of a year's sales or costs an amount stands; None where one is not given."""
    return None if amount is None or yearly <= 0 else amount * A_YEAR_OF_DAYS / yearly


def working_capital_days(year: Year) -> Decimal | None:
    """Return days of stock + days until buyers pay - days until suppliers are paid."""
    stock, sold = days_of(year.stock, year.cost_of_sales), days_of(year.receivables, year.sales)
    owed = days_of(year.payables, year.cost_of_sales)
    return None if stock is None or sold is None or owed is None else _to(stock + sold - owed, 1)


def ratios(plan: Plan) -> Ratios:
    """Return the figures of a plan; what can't be computed yet is empty or None."""
    base, worth = years(plan), _worth(plan)
    stressed = {f"dscr_{name}": [dscr(year) for year in years(plan, stress)] for name, stress in STRESSES.items()}
    latest = max(plan.history.years, key=lambda year: year.year, default=None)
    liabilities = latest.current_liabilities if latest else _ZERO
    loan = plan.request.amount or _ZERO
    market = sum((item.market_value for item in plan.collateral.items), _ZERO)
    terms = loan_terms(plan)
    return Ratios(
        dscr=[dscr(year) for year in base],
        **stressed,
        interest_cover=[_over(year.ebit, year.interest) for year in base],
        ebitda=[year.ebitda for year in base],
        net_profit=[year.net for year in base],
        debt_service=[year.debt_service for year in base],
        break_even_sales=[break_even(year) for year in base],
        margin_of_safety=[margin_of_safety(year) for year in base],
        gross_margin=[_over(year.sales - year.cost_of_sales, year.sales, 4) for year in base],
        net_margin=[_over(year.net, year.sales, 4) for year in base],
        current_ratio=_over(latest.current_assets, liabilities) if latest else None,
        quick_ratio=_over(latest.current_assets - latest.stock, liabilities) if latest else None,
        debt_to_equity=_over(latest.debt + loan, latest.equity) if latest else None,
        collateral_coverage=_over(plan.collateral.value_after_haircuts(), loan),
        loan_to_value=_over(loan, market),
        working_capital_days=working_capital_days(latest) if latest else None,
        own_share=_to(plan.funding.own_share(), 4) or _ZERO,
        lowest_cash=min((month.closing for month in cash_flow(plan)), default=None),
        npv=_to(worth.npv, 2) if worth else None,
        irr=_to(worth.irr, 6) if worth else None,
        mirr=_to(worth.mirr, 6) if worth else None,
        profitability_index=_to(worth.profitability, 4) if worth else None,
        payback_years=_to(worth.payback, 2) if worth else None,
        discounted_payback_years=_to(worth.discounted_payback, 2) if worth else None,
        effective_annual_rate=_to(effective_rate(terms), 4) if terms else None,
    )


def _worth(plan: Plan) -> Worth | None:
    given = plan.flows
    if len(given.flows) < 2:
        return None
    return appraise(given.flows, given.discount_percent / 100, given.reinvest_percent / 100)
