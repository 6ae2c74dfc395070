"""The report on a proposal: every figure to the digit, each null with its reason, rates of return with all of them."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.loans.cli import PROPOSAL, proposal
from services.loans.domain.appraisal import all_rates, npv
from services.loans.domain.report import reported
from services.loans.domain.schedule import TermsError

run = CliRunner().invoke
D = Decimal


def changed(**blocks: Any) -> dict[str, Any]:
    """Return the example with fields of blocks replaced."""
    given_plan: dict[str, Any] = copy.deepcopy(PROPOSAL)
    for name, fields in blocks.items():
        given_plan["plan"][name] = {**given_plan["plan"].get(name, {}), **fields}
    return given_plan


def by_year(entry: dict[str, Any]) -> list[str | None]:
    return [year["value"] for year in entry["by_year"]]


def test_b1_every_figure_of_the_worked_example() -> None:
    """Cover, profit, break-even, and the project's worth come out as worked by hand."""
    found = reported(PROPOSAL)["ratios"]
    assert by_year(found["dscr"]) == ["1.322", "1.493", "1.682"]
    assert by_year(found["interest_cover"]) == ["3.689", "6.746", "21.180"]
    assert by_year(found["cash_for_debt_service"]) == ["21687.90", "24485.76", "27595.42"]
    assert by_year(found["debt_service"]) == ["16405.32", "16405.32", "16405.10"]
    assert by_year(found["net_profit"]) == ["11808.93", "16328.17", "21416.24"]
    assert (by_year(found["break_even_sales"])[0], by_year(found["margin_of_safety"])[0]) == ("82511.34", "31.24")
    names = ("npv", "irr", "mirr", "profitability_index", "payback", "discounted_payback")
    assert [found[name]["value"] for name in names] == ["8807.60", "19.3853", "15.5479", "1.1468", "3.30", "4.43"]
    assert found["effective_annual_cost"]["value"] == "14.93"
    assert all(entry["formula"] and entry["unit"] for entry in found.values())


def test_what_the_accounts_and_the_security_say() -> None:
    """Liquidity, debt, collateral and the days of the working capital cycle, each to its digits."""
    found = reported(PROPOSAL)["ratios"]
    expected = {
        "current_ratio": "1.667",
        "quick_ratio": "1.000",
        "debt_to_equity": "1.125",
        "loan_to_value": "44.44",
        "collateral_coverage": "1.575",
        "own_share": "20.00",
        "days_of_stock": "61.3",
        "days_until_buyers_pay": "29.9",
        "days_until_suppliers_are_paid": "35.7",
        "working_capital_cycle": "55.4",
    }
    assert {name: found[name]["value"] for name in expected} == expected


def test_stresses() -> None:
    """Less sales, dearer input, sales three months late, a higher rate: each with cover, profit and lowest cash."""
    found = reported(PROPOSAL)["stresses"]
    first = {name: case["dscr"][0]["value"] for name, case in found.items()}
    assert first == {
        "sales_down_10": "1.092",
        "sales_down_20": "0.861",
        "input_cost_up_10": "0.894",
        "delay_3_months": "0.746",
        "rate_up_300bp": "1.274",
    }
    # Three months of sales are lost to the first year: 90,000 x 35 % - 18,000 = 13,500, less tax and maintenance.
    assert found["delay_3_months"]["net_profit"][0]["value"] == "2358.93"
    assert found["delay_3_months"]["lowest_cash"] == "148.67"


def test_what_is_missing_is_said_and_never_0() -> None:
    """An empty plan has no figure at all, and each says what it needs."""
    found = reported({"plan": {}})
    for entry in found["ratios"].values():
        assert entry.get("value") is None
        assert entry.get("by_year") is None
        assert entry["missing"]
    assert found["stresses"]["delay_3_months"]["missing"].startswith("projection")
    assert reported({}) == found


@pytest.mark.parametrize(
    ("blocks", "name", "missing"),
    [
        ({"request": {"amount": None}}, "dscr", "request.amount"),
        ({"request": {"amount": None}}, "loan_to_value", "request.amount"),
        ({"projection": {"sales": ["1", "2"]}}, "ebitda", "projection"),
        ({"history": {"years": []}}, "current_ratio", "history.years"),
        ({"collateral": {"items": []}}, "loan_to_value", "collateral.items"),
        ({"flows": {"flows": ["-5"]}}, "npv", "flows.flows"),
        ({"flows": {"flows": ["5", "5"]}}, "mirr", "money must go out"),
        ({"flows": {"flows": ["-50", "5"]}}, "payback", "never pay back"),
        ({"funding": {"loan": "0", "own_cash": "0", "own_in_kind": "0"}}, "own_share", "funding"),
    ],
)
def test_one_thing_missing(blocks: dict[str, Any], name: str, missing: str) -> None:
    """A figure that lacks its input is null and names it; the others are there."""
    entry = reported(changed(**blocks))["ratios"][name]
    assert entry.get("value", entry.get("by_year")) is None
    assert missing in entry["missing"]


def test_a_year_without_debt_service_has_no_cover() -> None:
    """A loan repaid in a year has no cover afterwards: null with the reason, for these years alone."""
    years = reported(changed(request={"term_months": 12}))["ratios"]["dscr"]["by_year"]
    assert years[0]["value"]
    assert years[1] == {"year": 2, "value": None, "missing": "there is no debt service in this year"}


def test_several_rates_of_return_are_a_warning_and_none_is_an_error() -> None:
    """Flows that change their sign twice have two rates, both named; flows that never do have none, which is not 0."""
    two = reported(changed(flows={"flows": ["-100", "230", "-132"]}))["ratios"]["irr"]
    assert (two["value"], two["all"]) == (None, ["10.0000", "20.0000"])
    assert "2 internal rates" in two["warning"]
    none = reported(changed(flows={"flows": ["100", "50"]}))["ratios"]["irr"]
    assert (none["value"], none["error"]) == (None, "there is no internal rate of return")
    assert all_rates([D(-100), D(220), D(-121)]) == pytest.approx([D("0.1")])  # it touches zero once
    assert all_rates([D(-100), D(50), D(-10)]) == []
    assert len(all_rates([D(-1000), D(3600), D(-4310), D("1716")])) == 3


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=8))
def test_each_rate_makes_the_worth_nothing(flows: list[int]) -> None:
    """Whatever the flows, at every rate that is named they are worth nothing together."""
    for rate in all_rates([D(flow) for flow in flows]):
        scale = max(abs(flow) for flow in flows) / min(D(1), 1 + rate) ** len(flows)
        assert abs(npv([D(flow) for flow in flows], rate)) <= scale * D("1E-7")


def test_the_command_takes_its_own_example() -> None:
    """`--example` prints what the command reads; a plan without its envelope does as well."""
    shown = run(proposal, ["ratios", "--example"])
    done = run(proposal, ["ratios"], input=shown.stdout)
    assert (shown.exit_code, done.exit_code) == (0, 0)
    assert json.loads(done.stdout) == reported(PROPOSAL)
    alone = run(proposal, ["ratios"], input=json.dumps(PROPOSAL["plan"]))
    assert json.loads(alone.stdout)["ratios"] == reported(PROPOSAL)["ratios"]


@pytest.mark.parametrize(
    ("asked", "field", "rule"),
    [
        (changed(request={"amount": "-1"}), "plan.request.amount", "must not be below zero"),
        (changed(request={"unknown": "1"}), "plan.request.unknown", "is not known"),
        ({"requests": {}}, "requests", "is not known"),
        ([], "", "must be one JSON object"),
    ],
)
def test_a_plan_that_breaks_a_rule_is_refused(asked: Any, field: str, rule: str) -> None:
    """The refusal names the field by its way into the plan."""
    with pytest.raises(TermsError) as refused:
        reported(asked)
    assert refused.value.fields == {field: rule}
