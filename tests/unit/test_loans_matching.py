"""Banks' products: what may be published, what a loan of them costs, and how a proposal fits them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.demo.story.text import PLAN as DEMONSTRATED
from services.loans.domain.blocks import Plan
from services.loans.domain.disclosure import content, disclosed, expand, facts_of
from services.loans.domain.finance import Finance
from services.loans.domain.matching import floors, hold, match, size_class
from services.loans.domain.product import Product, cost
from services.loans.domain.ratios import ratios
from shared.errors import IllegalTransitionError, InvalidError
from shared.events.product_rules import KINDS, Condition, ProductTerms

D = Decimal
PACK = Path(__file__).parents[2] / "programmes" / "business-ecosystem"
PLAN: dict[str, Any] = {
    "applicant": {"founded": "2014-05-01", "sector": "1030", "employees": 14},
    "owners": {"people": [{"name": "A", "share_percent": "60", "sex": "female", "birth_year": 1979}]},
    "request": {"amount": "40000", "purpose": "equipment", "term_months": 36, "rate_percent": "14"},
    "project": {"location": "Bitola"},
    "funding": {"loan": "40000", "own_cash": "8000", "own_in_kind": "2000"},
    "history": {"years": [{"year": year, "debt": "5000", "equity": "40000"} for year in (2023, 2024, 2025)]},
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
    "debts": {"none": True},
    "collateral": {"items": [{"market_value": "90000", "haircut_percent": "30"}]},
}
TODAY = date(2026, 3, 2)
FINANCE = Finance.model_validate(yaml.load((PACK / "finance.yaml").read_text(), yaml.CSafeLoader))
TERMS: dict[str, Any] = {
    "name": {"en": "Equipment loan", "ru": "Кредит на оборудование"},
    "purposes": ["equipment"],
    "currency": "EUR",
    "amount_min": "5000",
    "amount_max": "30000",
    "term_min": 6,
    "term_max": 48,
    "rate_min_percent": "12",
    "rate_max_percent": "14",
    "fee_percent": "2",
    "valid_from": "2026-01-01",
    "rules": [
        {"rule": "dscr", "at_least": "1.40"},
        {"rule": "own_share", "at_least": "25"},
        {"rule": "collateral", "at_least": "120"},
        {"rule": "history", "at_least": "3"},
        {"rule": "women_owned", "at_least": "50"},
        {"rule": "sector", "any_of": "10, 11"},
        {"rule": "documents", "all_of": ["valuation"]},
    ],
}


def plan_of(blocks: dict[str, Any] = PLAN) -> Plan:
    return Plan.model_validate(blocks)


def terms(**changed: Any) -> ProductTerms:
    return ProductTerms.model_validate(TERMS | changed)


def product(found: ProductTerms) -> Product:
    return Product(id="PRD-2026-0001", programme="p", bank="bank-one", bank_name="First", terms=found)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"amount_max": "4999.99"}, "amount_max"),
        ({"term_max": 5}, "term_max"),
        ({"rate_max_percent": "11"}, "rate_max_percent"),
        ({"currency": "MKD"}, "currency"),
        ({"purposes": ["yacht"]}, "purposes"),
        ({"name": {"ru": "Кредит"}}, "name.en"),
        ({"every_months": 12}, "every_months"),
        ({"grace_months": 48}, "grace_months"),
        ({"fee_amount": "5000"}, "fee_amount"),
        ({"valid_until": "2025-12-31"}, "valid_until"),
        ({"rules": [{"rule": "mood", "at_least": "1"}]}, "rules.0.rule"),
        ({"rules": [{"rule": "dscr"}]}, "rules.0.at_least"),
        ({"rules": [{"rule": "dscr", "at_least": "1", "at_most": "2"}]}, "rules.0.at_most"),
        ({"rules": [{"rule": "dscr", "at_least": "11"}]}, "rules.0.at_least"),
        ({"rules": [{"rule": "sector", "any_of": ["food"]}]}, "rules.0.any_of"),
        ({"rules": [{"rule": "documents", "all_of": ["passport"]}]}, "rules.0.all_of"),
        ({"rules": [{"rule": "age", "at_least": "1"}] * 2}, "rules.1.rule"),
    ],
)
def test_what_is_wrong_is_refused_by_field(changed: dict[str, Any], field: str) -> None:
    """A product whose terms make no sense is refused, and the refusal names the field that breaks the rule."""
    with pytest.raises(InvalidError) as refused:
        product(terms()).issue(terms(**changed), FINANCE, "EUR", TODAY)
    assert set(refused.value.fields) == {field}


def test_versions_follow_until_it_is_withdrawn() -> None:
    """Each publication is the next version with its true cost; after the withdrawal there is none."""
    item = product(terms())
    item.issue(item.terms, FINANCE, "EUR", TODAY)
    item.issue(terms(rate_max_percent="13"), FINANCE, "EUR", TODAY)
    assert (item.number, item.open_on(TODAY), item.open_on(date(2025, 12, 31))) == (2, True, False)
    assert item.effective_low is not None
    assert item.effective_high is not None
    assert D("0.13") < item.effective_low < item.effective_high
    item.withdraw("Funds are used up.")
    assert not item.open_on(TODAY)
    with pytest.raises(IllegalTransitionError):
        item.issue(terms(), FINANCE, "EUR", TODAY)


def test_the_true_cost_counts_the_fee() -> None:
    """12 % over 18 months with 2 % upfront costs 15.69 % a year; where fees take everything there is no cost."""
    found = cost(terms(), D(5000), 18, D(12), TODAY)
    assert found is not None
    assert (round(found.effective * 100, 2), found.fee) == (D("15.69"), D("100.00"))
    assert cost(terms(fee_amount="6000"), D(5000), 18, D(12), TODAY) is None


def test_each_condition_is_told_with_its_figures() -> None:
    """A proposal of 40,000 held against a product of at most 30,000: what fails says by how much, and what mends it."""
    plan = plan_of()
    found = match(terms(), facts_of(plan, [], ratios(plan)), TODAY)
    told = {item.rule: item for item in found.findings}
    assert {name for name, item in told.items() if item.met is False} == {"amount", "dscr", "own_share", "documents"}
    assert told["amount"].said[0] % told["amount"].said[1] == "asks 40000.00, at most 30000.00"
    assert told["own_share"].said[1] == {"figure": D("20.00"), "limit": D(25)}
    assert told["own_share"].mend == (
        "bring %(more)s more of your own in place of other sources",
        {"more": D("2500.00")},
    )
    mend = told["dscr"].mend
    assert mend is not None
    assert mend[1]["carried"] == D("15491.30")  # 16,405.32 × 1.322 / 1.40, rounded down
    assert (found.passed, found.failed, found.untold, found.fits) == (8, 4, 0, False)


def test_a_bank_is_told_only_from_what_it_was_given() -> None:
    """Conditions on fields that the applicant did not share can't be told; the others are judged as before."""
    plan = plan_of()
    given = disclosed(content(plan, []), expand(["applicant", "request"]))
    told = {item.rule: item for item in match(terms(), given, TODAY).findings}
    unknown = {name for name, item in told.items() if item.met is None}
    assert unknown == {"dscr", "own_share", "collateral", "history", "women_owned", "documents"}
    assert all("not shared" in told[name].said[0] for name in unknown)
    assert told["amount"].met is False


def test_an_empty_draft_is_not_called_unfit() -> None:
    """What is not filled in yet can't be told: it neither fits nor fails."""
    plan = plan_of({})
    found = match(terms(rules=[{"rule": "dscr", "at_least": "1"}]), facts_of(plan, [], ratios(plan)), TODAY)
    assert {item.rule for item in found.findings if item.met is None} == {"amount", "term", "purpose", "dscr"}
    assert not found.fits


def test_every_kind_of_condition_can_be_judged() -> None:
    """The closed list has a judge for each kind, and a full proposal leaves none of them open."""
    plan, values = plan_of(), {"size": ["small"], "documents": ["accounts"], "region": ["Bitola"]}
    conditions = [
        Condition.model_validate({"rule": name, kind.takes: values.get(name, ["10"]) if kind.unit == "codes" else "2"})
        for name, kind in KINDS.items()
    ]
    found = hold(conditions, facts_of(plan, [], ratios(plan)), TODAY)
    assert [item.rule for item in found.findings if item.met is None] == []
    assert {item.rule for item in found.findings if item.met is False} == {
        *("dscr", "dscr_stressed", "youth_owned", "sector_not", "documents"),
    }


def test_a_banks_floors_are_conditions() -> None:
    """The published floors of a bank are held against a proposal as conditions of a product are."""
    plan, partner = plan_of(), FINANCE.partners[0]
    found = hold(floors(partner), facts_of(plan, [], ratios(plan)), TODAY)
    assert [(item.rule, item.met) for item in found.findings] == [
        ("dscr", True),
        ("own_share", True),
        ("history", True),
    ]


def test_the_packs_products_can_be_published() -> None:
    """What the founding pack proposes for two banks breaks no rule, and the demonstration fits one."""
    plan, fitting = Plan.model_validate(DEMONSTRATED), []
    for item in FINANCE.products:
        found = ProductTerms.model_validate(item.terms)
        assert found.problems(FINANCE.known(), "EUR") == {}
        fitting.append((item.bank, found.said("en"), match(found, facts_of(plan, [], ratios(plan)), TODAY).failed))
    assert ("bank-two", "Growth loan", 0) in fitting
    assert {bank for bank, _, _ in fitting} == {"bank-one", "bank-two"}


@pytest.mark.parametrize(
    ("employees", "size"), [(0, "micro"), (9, "micro"), (10, "small"), (49, "small"), (249, "medium"), (250, "large")]
)
def test_size_class_by_employees(employees: int, size: str) -> None:
    """Fewer than 10, 50 and 250 employees are micro, small and medium."""
    assert size_class(employees) == size
