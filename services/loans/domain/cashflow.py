"""Thirty-six months of cash from a few assumptions, the loan's service computed and never typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from services.loans.domain.blocks import Plan, Projection
from services.loans.domain.schedule import Instalment, Terms, add_months, schedule

MONTHS = 36
YEAR = 12
_CENT = Decimal("0.01")
_ZERO = Decimal(0)


@dataclass(frozen=True)
class CashMonth:
    """One month: opening + what comes in - what goes out = closing."""

    on: date
    opening: Decimal
    sales: Decimal
    cost_of_sales: Decimal
    operating_costs: Decimal
    capex: Decimal
    tax: Decimal
    funding: Decimal
    investment: Decimal
    interest: Decimal
    principal: Decimal

    @property
    def closing(self) -> Decimal:
        into = self.opening + self.sales + self.funding
        out = self.cost_of_sales + self.operating_costs + self.capex + self.tax + self.investment
        return into - out - self.interest - self.principal


@dataclass(frozen=True)
class Running:
    """A year of trade before the loan: sums of its twelve months."""

    sales: Decimal
    cost_of_sales: Decimal
    operating_costs: Decimal
    depreciation: Decimal
    capex: Decimal
    tax_rate: Decimal  # a fraction
    interest: Decimal
    principal: Decimal

    @property
    def ebitda(self) -> Decimal:
        return self.sales - self.cost_of_sales - self.operating_costs

    @property
    def ebit(self) -> Decimal:
        return self.ebitda - self.depreciation

    @property
    def ebt(self) -> Decimal:
        return self.ebit - self.interest

    @property
    def tax(self) -> Decimal:
        """Return the tax on profit; a loss has none."""
        return cents(max(self.ebt, _ZERO) * self.tax_rate)

    @property
    def net(self) -> Decimal:
        return self.ebt - self.tax

    @property
    def cfads(self) -> Decimal:
        """Return the cash available for debt service: EBITDA - tax - maintenance investment."""
        return self.ebitda - self.tax - self.capex

    @property
    def debt_service(self) -> Decimal:
        return self.interest + self.principal


@dataclass(frozen=True)
class Stress:
    """A case in which a plan fares worse: fractions of sales, of the cost of sales, of the loan's rate; months."""

    sales: Decimal = _ZERO  # moves the cost of sales with it
    input_cost: Decimal = _ZERO
    delay_months: int = 0  # sales and their cost come so much later, all else as planned
    rate: Decimal = _ZERO


AS_PLANNED = Stress()


def cents(amount: Decimal) -> Decimal:
    """Return `amount` to the cent, halves up, as tax and accounts are written."""
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)


def spread(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Return `amount` divided by `weights` into cents that add up to it exactly."""
    whole, running, given, parts = sum(weights, _ZERO), _ZERO, _ZERO, []
    for weight in weights:
        running += weight
        part = cents(amount * running / whole) - given
        given += part
        parts.append(part)
    return parts


def loan_terms(plan: Plan, stress: Stress = AS_PLANNED) -> Terms | None:
    """Return the loan asked for as schedule terms, or None while amount, term, rate or first month are missing."""
    asked, start = plan.request, plan.projection.first_month
    if not asked.amount or not asked.term_months or asked.rate_percent is None or start is None:
        return None
    return Terms(
        principal=asked.amount,
        annual_rate=asked.rate_percent / 100 + stress.rate,
        periods=asked.term_months,
        start=start,
        grace_principal=min(asked.grace_principal_months, asked.term_months - 1),
        rounding=ROUND_HALF_UP,
    )


def loan_rows(plan: Plan, stress: Stress = AS_PLANNED) -> list[Instalment]:
    """Return the schedule of the loan asked for; empty while it can't be computed."""
    terms = loan_terms(plan, stress)
    return schedule(terms) if terms else []


def trade_months(projection: Projection) -> list[tuple[Decimal, Decimal, Decimal]]:
    """Return (sales, cost of sales, operating costs) of each of the 36 months."""
    if projection.months:
        return [(month.sales, month.cost_of_sales, month.operating_costs) for month in projection.months]
    months: list[tuple[Decimal, Decimal, Decimal]] = []
    season = projection.seasonality if sum(projection.seasonality, _ZERO) else [Decimal(1)] * YEAR
    first = projection.first_month.month - 1 if projection.first_month else 0
    weights = [season[(first + k) % YEAR] for k in range(YEAR)]
    operating = projection.operating_costs
    for yearly in projection.sales:
        sales = spread(yearly, weights)
        cost = spread(cents(yearly * projection.cost_of_sales_percent / 100), weights)
        months += zip(sales, cost, spread(operating, [Decimal(1)] * YEAR), strict=True)
        operating = cents(operating * (1 + projection.operating_growth_percent / 100))
    return months


def complete(projection: Projection) -> bool:
    """Tell whether the projection covers all 36 months."""
    if projection.first_month is None or len(projection.seasonality) not in {0, YEAR}:
        return False
    return len(projection.months) == MONTHS or (not projection.months and len(projection.sales) * YEAR == MONTHS)


def _stressed(projection: Projection, stress: Stress) -> list[tuple[Decimal, Decimal, Decimal]]:
    """Return the months as a stress leaves them, unrounded."""
    months = trade_months(projection)
    if stress == AS_PLANNED:
        return months
    late = [(_ZERO, _ZERO)] * stress.delay_months + [(sales, cost) for sales, cost, _ in months]
    sold, spent = 1 + stress.sales, (1 + stress.sales) * (1 + stress.input_cost)
    return [
        (sales * sold, cost * spent, operating)
        for (sales, cost), (_, _, operating) in zip(late[: len(months)], months, strict=True)
    ]


def years(plan: Plan, stress: Stress = AS_PLANNED) -> list[Running]:
    """Return the three years of trade; none while the projection is not complete."""
    projection = plan.projection
    if not complete(projection):
        return []
    months, rows, result = _stressed(projection, stress), loan_rows(plan, stress), []
    for year in range(MONTHS // YEAR):
        part = months[year * YEAR : (year + 1) * YEAR]
        due = rows[year * YEAR : (year + 1) * YEAR]
        result.append(
            Running(
                sales=cents(sum((sales for sales, _, _ in part), _ZERO)),
                cost_of_sales=cents(sum((cost for _, cost, _ in part), _ZERO)),
                operating_costs=sum((operating for _, _, operating in part), _ZERO),
                depreciation=projection.depreciation,
                capex=projection.capex,
                tax_rate=projection.tax_percent / 100,
                interest=sum((row.interest for row in due), _ZERO),
                principal=sum((row.principal for row in due), _ZERO),
            )
        )
    return result


def cash_flow(plan: Plan, stress: Stress = AS_PLANNED) -> list[CashMonth]:
    """Return the 36 months. The project is paid for in the first, each year's tax in its last.

    Contributions in kind move no cash; existing debts cost their instalment until they mature.
    """
    projection, running = plan.projection, years(plan, stress)
    if not running or projection.first_month is None:
        return []
    rows, funding = loan_rows(plan, stress), plan.funding
    cash, months = projection.opening_cash, []
    capex = spread(projection.capex, [Decimal(1)] * YEAR)
    for k, (sales, cost, operating) in enumerate(_stressed(projection, stress)):
        on = add_months(projection.first_month, k)
        old = sum((debt.instalment for debt in plan.debts.loans if debt.maturity is None or debt.maturity >= on), _ZERO)
        month = CashMonth(
            on=on,
            opening=cash,
            sales=cents(sales),
            cost_of_sales=cents(cost),
            operating_costs=operating,
            capex=capex[k % YEAR],
            tax=running[k // YEAR].tax if k % YEAR == YEAR - 1 else _ZERO,
            funding=_ZERO if k else funding.sources_total() - funding.own_in_kind,
            investment=_ZERO if k else funding.uses_total() - funding.own_in_kind,
            interest=rows[k].interest if k < len(rows) else _ZERO,
            principal=old + (rows[k].principal if k < len(rows) else _ZERO),
        )
        months.append(month)
        cash = month.closing
    return months
