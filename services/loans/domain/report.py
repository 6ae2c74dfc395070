"""Every figure of a proposal with its formula, its unit and, where it can't be computed, what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from services.loans.domain.appraisal import all_rates
from services.loans.domain.blocks import Plan, Year
from services.loans.domain.cashflow import AS_PLANNED, Running, Stress, cash_flow, complete, loan_terms, years
from services.loans.domain.ratios import STRESSES, Ratios, break_even, days_of, dscr, margin_of_safety, ratios
from services.loans.domain.schedule import TermsError
from services.loans.domain.schedule.asked import named
from shared.errors import Rule

_Entry = dict[str, Any]
_PLACES = {"times": 3, "%": 2, "money": 2, "years": 2, "days": 1, "index": 4}
_HUNDRED = Decimal(100)

_CASES = {
    "sales_down_10": "sales and their cost 10 % lower",
    "sales_down_20": "sales and their cost 20 % lower",
    "input_cost_up_10": "cost of sales 10 % higher",
    "delay_3_months": "sales and their cost three months later, all else as planned",
    "rate_up_300bp": "the loan's rate 3 percentage points higher",
}
_NO_PROJECTION = "projection: a first_month, and three years of sales or 36 months, are needed"
_NO_LOAN = "request.amount, request.term_months, request.rate_percent and projection.first_month are needed"
_NO_FLOWS = "flows.flows: the flows of two years or more are needed"
_NO_HISTORY = "history.years: at least one past year is needed"


class Given(BaseModel):
    """A proposal as the API gives it, of which the plan and its currency count; or the plan alone."""

    model_config = ConfigDict(extra="ignore")

    plan: Plan
    currency: str | None = None


def reported(given: Any) -> dict[str, Any]:
    """Return the report on a proposal, or on a plan, read from JSON; raises TermsError by field."""
    if not isinstance(given, dict):
        raise TermsError({"": Rule("must be one JSON object")}, {"": type(given).__name__})
    try:
        read = Given.model_validate(given if "plan" in given else {"plan": given})
    except ValidationError as error:
        raise named(error, within="" if "plan" in given else "plan.") from error
    return report(read.plan, read.currency)


def report(plan: Plan, currency: str | None = None) -> dict[str, Any]:
    """Return every ratio, and the stresses, of a plan."""
    figures, running = ratios(plan), years(plan)
    latest = max(plan.history.years, key=lambda year: year.year, default=None)
    entries = _yearly(plan, running) | _standing(plan, figures, latest) | _project(plan, figures)
    return {"currency": currency, "ratios": entries, "stresses": _stresses(plan)}


def _text(value: Decimal, unit: str, places: int | None = None) -> str:
    shown = value * _HUNDRED if unit == "%" else value
    return str(shown.quantize(Decimal(1).scaleb(-(_PLACES[unit] if places is None else places)), ROUND_HALF_UP))


def _one(formula: str, unit: str, value: Decimal | None, missing: str, places: int | None = None) -> _Entry:
    entry: _Entry = {"formula": formula, "unit": unit, "value": None}
    if value is None:
        return entry | {"missing": missing}
    return entry | {"value": _text(value, unit, places)}


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    return part / whole if whole > 0 else None


_BY_YEAR: dict[str, tuple[str, str, Callable[[Running], Decimal | None], str]] = {
    "dscr": (
        "(EBITDA - tax - maintenance investment) / (principal + interest)",
        "times",
        dscr,
        "there is no debt service in this year",
    ),
    "interest_cover": (
        "EBIT / interest",
        "times",
        lambda year: _share(year.ebit, year.interest),
        "there is no interest in this year",
    ),
    "gross_margin": (
        "(sales - cost of sales) / sales",
        "%",
        lambda year: _share(year.sales - year.cost_of_sales, year.sales),
        "there are no sales in this year",
    ),
    "net_margin": (
        "net profit / sales",
        "%",
        lambda year: _share(year.net, year.sales),
        "there are no sales in this year",
    ),
    "break_even_sales": (
        "(operating costs + depreciation + interest) / gross margin",
        "money",
        break_even,
        "sales do not exceed their cost in this year",
    ),
    "margin_of_safety": (
        "(sales - break-even sales) / sales",
        "%",
        margin_of_safety,
        "sales do not exceed their cost in this year",
    ),
    "ebitda": ("sales - cost of sales - operating costs", "money", lambda year: year.ebitda, ""),
    "ebit": ("EBITDA - depreciation", "money", lambda year: year.ebit, ""),
    "profit_before_tax": ("EBIT - interest", "money", lambda year: year.ebt, ""),
    "tax": ("profit before tax x tax rate, none on a loss", "money", lambda year: year.tax, ""),
    "net_profit": ("profit before tax - tax", "money", lambda year: year.net, ""),
    "cash_for_debt_service": ("EBITDA - tax - maintenance investment", "money", lambda year: year.cfads, ""),
    "interest": ("the loan's schedule, this year", "money", lambda year: year.interest, ""),
    "principal": ("the loan's schedule, this year", "money", lambda year: year.principal, ""),
    "debt_service": ("principal + interest", "money", lambda year: year.debt_service, ""),
}
_OF_THE_LOAN = {"dscr", "interest_cover", "interest", "principal", "debt_service"}


def _yearly(plan: Plan, running: Sequence[Running]) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    no_loan = loan_terms(plan) is None
    for name, (formula, unit, compute, why) in _BY_YEAR.items():
        entry: _Entry = {"formula": formula, "unit": unit}
        if not running or (no_loan and name in _OF_THE_LOAN):
            missing = _NO_LOAN if running or complete(plan.projection) else _NO_PROJECTION
            found[name] = entry | {"by_year": None, "missing": missing}
            continue
        found[name] = entry | {"by_year": _by_year(running, compute, unit, why)}
    return found


def _by_year(
    running: Sequence[Running], compute: Callable[[Running], Decimal | None], unit: str, why: str
) -> list[_Entry]:
    result = []
    for number, year in enumerate(running, start=1):
        value = compute(year)
        said = {"value": None, "missing": why} if value is None else {"value": _text(value, unit)}
        result.append({"year": number} | said)
    return result


def _standing(plan: Plan, figures: Ratios, latest: Year | None) -> dict[str, _Entry]:
    """Return the figures of the latest past year, of the loan and of its security."""
    of_year = f"of {latest.year}" if latest else ""
    no_debt = f"history.years: current_liabilities {of_year} must be above zero" if latest else _NO_HISTORY
    no_equity = f"history.years: equity {of_year} must be above zero" if latest else _NO_HISTORY
    no_amount, no_security = "request.amount is needed", "collateral.items: a market_value above zero is needed"
    loan, market = plan.request.amount, sum((item.market_value for item in plan.collateral.items), Decimal(0))
    rows = {
        "current_ratio": ("current assets / current liabilities", "times", figures.current_ratio, no_debt),
        "quick_ratio": ("(current assets - stock) / current liabilities", "times", figures.quick_ratio, no_debt),
        "debt_to_equity": ("(debt + loan asked for) / equity", "times", figures.debt_to_equity, no_equity),
        "loan_to_value": (
            "loan / market value of the collateral",
            "%",
            _share(loan, market) if loan else None,
            no_security if loan else no_amount,
        ),
        "collateral_coverage": (
            "sum of market value x (1 - haircut) / loan",
            "times",
            figures.collateral_coverage,
            no_amount,
        ),
        "own_share": (
            "(own cash + own contribution in kind) / all sources",
            "%",
            plan.funding.own_share() if plan.funding.sources_total() else None,
            "funding: at least one source is needed",
        ),
        "effective_annual_cost": (
            "the yearly rate at which the loan and its instalments are worth the same",
            "%",
            figures.effective_annual_rate,
            _NO_LOAN,
        ),
        "lowest_cash": ("lowest cash at the end of a month", "money", figures.lowest_cash, _NO_PROJECTION),
    }
    return {name: _one(*row) for name, row in rows.items()} | _cycle(latest)


def _cycle(latest: Year | None) -> dict[str, _Entry]:
    """Return the days of the working capital cycle, each of its three parts too."""
    parts: dict[str, tuple[str, Decimal | None, str]] = {
        "days_of_stock": ("stock x 365 / cost of sales", None, _NO_HISTORY),
        "days_until_buyers_pay": ("receivables x 365 / sales", None, _NO_HISTORY),
        "days_until_suppliers_are_paid": ("payables x 365 / cost of sales", None, _NO_HISTORY),
    }
    if latest:
        cost, sales = latest.cost_of_sales, latest.sales
        found = (days_of(latest.stock, cost), days_of(latest.receivables, sales), days_of(latest.payables, cost))
        needs = ("stock and cost_of_sales", "receivables and sales", "payables and cost_of_sales")
        for (name, (formula, _, _)), value, need in zip(list(parts.items()), found, needs, strict=True):
            parts[name] = (formula, value, f"history.years: {need} of {latest.year} are needed")
    entries = {name: _one(formula, "days", value, missing) for name, (formula, value, missing) in parts.items()}
    stock, sold, owed = (value for _, value, _ in parts.values())
    whole = None if stock is None or sold is None or owed is None else stock + sold - owed
    lacking = "; ".join(dict.fromkeys(entry["missing"] for entry in entries.values() if "missing" in entry))
    formula = "days of stock + days until buyers pay - days until suppliers are paid"
    return entries | {"working_capital_cycle": _one(formula, "days", whole, lacking)}


def _project(plan: Plan, figures: Ratios) -> dict[str, _Entry]:
    """Return the worth of the project's own flows."""
    given = plan.flows.flows
    enough = len(given) >= 2
    at = f"{plan.flows.discount_percent} %"
    never = "the flows never pay back what was put in" if enough else _NO_FLOWS
    sides = "flows.flows: money must go out and come in" if enough else _NO_FLOWS
    first = "flows.flows: the first flow must be below zero" if enough else _NO_FLOWS
    return {
        "npv": _one(f"sum of flow / (1 + {at})^year", "money", figures.npv, _NO_FLOWS),
        "irr": _rate_of_return(given),
        "mirr": _one(
            f"(inflows at {plan.flows.reinvest_percent} % to the end / outflows at {at} today)^(1/years) - 1",
            "%",
            figures.mirr,
            sides,
            4,
        ),
        "profitability_index": _one("(NPV + investment) / investment", "index", figures.profitability_index, first),
        "payback": _one("years until the flows have paid back", "years", figures.payback_years, never),
        "discounted_payback": _one(f"the same with flows at {at}", "years", figures.discounted_payback_years, never),
    }


def _rate_of_return(flows: Sequence[Decimal]) -> _Entry:
    """Return the one rate; with several all of them and a warning, with none an error."""
    entry = _one("the rate at which NPV is zero", "%", None, _NO_FLOWS)
    if len(flows) < 2:
        return entry
    rates = all_rates(flows)
    if len(rates) == 1:
        return _one(entry["formula"], "%", rates[0], "", 4)
    if not rates:
        return entry | {"missing": "no rate makes NPV zero", "error": "there is no internal rate of return"}
    said = [_text(rate, "%", 4) for rate in rates]
    warning = f"there are {len(rates)} internal rates of return: decide by NPV"
    return entry | {"missing": "no single rate makes NPV zero", "warning": warning, "all": said}


def _stresses(plan: Plan) -> dict[str, Any]:
    return {name: {"change": _CASES[name]} | _stress(plan, stress) for name, stress in STRESSES.items()}


def _stress(plan: Plan, stress: Stress = AS_PLANNED) -> _Entry:
    running = years(plan, stress)
    if not running:
        return {"dscr": None, "net_profit": None, "lowest_cash": None, "missing": _NO_PROJECTION}
    _, unit, compute, why = _BY_YEAR["dscr"]
    return {
        "dscr": _by_year(running, compute, unit, why if loan_terms(plan) else _NO_LOAN),
        "net_profit": _by_year(running, lambda year: year.net, "money", ""),
        "lowest_cash": _text(min(month.closing for month in cash_flow(plan, stress)), "money"),
    }
