"""What a bank publishes of a loan product: its price and terms, and its conditions as data.

The portal checks the products of a pack with this before it publishes the pack; loans publishes a bank's own products
by the same model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError

from shared.entity import Part
from shared.errors import Rule
from shared.events.fields import ZERO, Day, Line, Percent, Prose, Sum
from shared.events.wording import broken
from shared.money import Amount

Takes = Literal["at_least", "at_most", "any_of", "none_of", "all_of"]
Unit = Literal["number", "percent", "years", "days", "codes"]
MAX_RULES, MAX_VALUES = 20, 60
SIZES = {"micro": 9, "small": 49, "medium": 249}  # the most employees of each class
_PARAMETERS = ("at_least", "at_most", "any_of", "none_of", "all_of")
_RANGES = (("amount_min", "amount_max"), ("term_min", "term_max"), ("rate_min_percent", "rate_max_percent"))
_ISIC = re.compile(r"[0-9]{2,4}")


@dataclass(frozen=True)
class Known:
    """Codes of the programme that a product may name: what money is for, and kinds of documents."""

    purposes: frozenset[str]
    documents: frozenset[str]


@dataclass(frozen=True)
class Kind:
    """A kind of condition: the field of a proposal that it looks at, the parameter it takes, and in what unit."""

    field: str
    takes: Takes
    unit: Unit
    most: Decimal = Decimal(1000)


# The closed list. A condition of another kind is refused when a product is published.
KINDS: dict[str, Kind] = {
    "dscr": Kind("ratios.dscr", "at_least", "number", Decimal(10)),
    "dscr_stressed": Kind("ratios.dscr_sales_down_10", "at_least", "number", Decimal(10)),
    "own_share": Kind("ratios.own_share", "at_least", "percent", Decimal(100)),
    "collateral": Kind("ratios.collateral_coverage", "at_least", "percent"),
    "debt_to_equity": Kind("ratios.debt_to_equity", "at_most", "number", Decimal(100)),
    "history": Kind("history.years", "at_least", "years", Decimal(5)),
    "age": Kind("applicant.founded", "at_least", "years", Decimal(100)),
    "arrears": Kind("debts.loans", "at_most", "days", Decimal(10_000)),
    "size": Kind("applicant.employees", "any_of", "codes"),
    "sector": Kind("applicant.sector", "any_of", "codes"),
    "sector_not": Kind("applicant.sector", "none_of", "codes"),
    "region": Kind("project.location", "any_of", "codes"),
    "women_owned": Kind("owners.people", "at_least", "percent", Decimal(100)),
    "youth_owned": Kind("owners.people", "at_least", "percent", Decimal(100)),
    "documents": Kind("documents.files", "all_of", "codes"),
}


def _codes(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Codes = Annotated[list[Line], Field(max_length=MAX_VALUES), BeforeValidator(_codes)]
Months = Annotated[int, Field(ge=1, le=360)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
_Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]


class Condition(Part):
    """One condition of being eligible; `rule` is one of KINDS, and it takes one parameter."""

    rule: Line
    at_least: Amount | None = None
    at_most: Amount | None = None
    any_of: Codes = []
    none_of: Codes = []
    all_of: Codes = []

    def limit(self) -> Decimal:
        """Return the number it holds against."""
        found = self.at_least if KINDS[self.rule].takes == "at_least" else self.at_most
        return found or ZERO

    def values(self) -> list[str]:
        """Return the codes it holds against."""
        found: list[str] = getattr(self, KINDS[self.rule].takes)
        return found

    def problems(self, known: Known) -> dict[str, str]:
        """Return {parameter: broken rule}."""
        kind = KINDS.get(self.rule)
        if kind is None:
            return {"rule": Rule("must be one of: %(names)s", names=", ".join(KINDS))}
        given = {name for name in _PARAMETERS if getattr(self, name) not in (None, [])}
        refused = Rule("is no parameter of this condition: it takes %(takes)s", takes=kind.takes)
        wrong: dict[str, str] = dict.fromkeys(sorted(given - {kind.takes}), refused)
        if kind.takes not in given:
            return {**wrong, kind.takes: "is required"}
        if kind.unit != "codes":
            if not 0 <= self.limit() <= kind.most:
                wrong[kind.takes] = Rule("must be between 0 and %(most)s", most=kind.most)
        elif unknown := [value for value in self.values() if not self._is_known(value, known)]:
            wrong[kind.takes] = Rule("is not known: %(names)s", names=", ".join(unknown)[:200])
        return wrong

    def _is_known(self, value: str, known: Known) -> bool:
        if self.rule == "size":
            return value in SIZES
        if self.rule in {"sector", "sector_not"}:
            return _ISIC.fullmatch(value) is not None
        return self.rule != "documents" or value in known.documents


class ProductTerms(Part):
    """Everything that a bank publishes of a product. Rates, fees and shares are percentages as people write them."""

    name: Annotated[dict[_Locale, Line], Field(min_length=1, max_length=8)]
    description: Prose = ""
    purposes: Codes = []  # of the programme; empty: any
    instrument: Literal["term_loan", "working_capital", "leasing"] = "term_loan"
    currency: Currency
    amount_min: Sum
    amount_max: Sum
    term_min: Months
    term_max: Months
    rate_min_percent: Percent
    rate_max_percent: Percent
    rate_type: Literal["fixed", "variable"] = "fixed"
    interest: Literal["declining", "flat"] = "declining"
    grace_months: Annotated[int, Field(ge=0, le=60)] = 0
    every_months: Literal[1, 3, 6, 12] = 1
    method: Literal["equal_instalment", "equal_principal", "bullet"] = "equal_instalment"
    fee_percent: Percent = ZERO
    fee_amount: Sum = ZERO
    valid_from: date
    valid_until: Day = None
    rules: Annotated[list[Condition], Field(max_length=MAX_RULES)] = []

    def said(self, locale: str) -> str:
        """Return what it is called."""
        return self.name.get(locale) or self.name.get("en") or next(iter(self.name.values()))

    def fee(self, amount: Decimal) -> Decimal:
        """Return what is paid upfront for a loan of that amount."""
        return (amount * self.fee_percent / 100 + self.fee_amount).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    def problems(self, known: Known, currency: str) -> dict[str, str]:
        """Return {field: broken rule} of a product that can't be published in that programme."""
        wrong: dict[str, str] = {}
        if not self.name.get("en"):
            wrong["name.en"] = "is required"
        if self.currency != currency:
            wrong["currency"] = Rule("must be %(currency)s, the programme's", currency=currency)
        if self.amount_min <= 0:
            wrong["amount_min"] = "must be above zero"
        for least, most in _RANGES:
            if getattr(self, least) > getattr(self, most):
                wrong[most] = Rule("must be at least %(least)s", least=getattr(self, least))
        if self.term_min % self.every_months or self.term_max % self.every_months:
            wrong["every_months"] = "the shortest and the longest term must be whole numbers of instalments"
        if self.grace_months % self.every_months or self.grace_months >= self.term_max:
            wrong["grace_months"] = Rule("must be whole instalments and less than %(most)s months", most=self.term_max)
        if self.amount_min > 0 and self.fee(self.amount_min) >= self.amount_min:
            wrong["fee_amount"] = "the fees must be less than the smallest loan"
        if self.valid_until and self.valid_until < self.valid_from:
            wrong["valid_until"] = Rule("must be at least %(least)s", least=self.valid_from)
        return wrong | self._named_problems(known)

    def _named_problems(self, known: Known) -> dict[str, str]:
        wrong: dict[str, str] = {}
        unknown = sorted(set(self.purposes) - known.purposes)
        if unknown:
            wrong["purposes"] = Rule("is not known: %(names)s", names=", ".join(unknown)[:200])
        for index, item in enumerate(self.rules):
            wrong |= {f"rules.{index}.{name}": why for name, why in item.problems(known).items()}
            if item.rule in {other.rule for other in self.rules[:index]}:
                wrong[f"rules.{index}.rule"] = "stands twice"
        return wrong


def product_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"finance.yaml: products.<place> (<name>).<field>": rule} of products that can't be published."""
    finance = pack.get("finance")
    given = finance.get("products") if isinstance(finance, Mapping) else None
    if not isinstance(finance, Mapping) or given is None:
        return {}
    if not isinstance(given, list):
        return {"finance.yaml: products": "is a list of products"}
    banks = _codes_in(finance, "partners", "bank")
    known = Known(_codes_in(finance, "purposes", "code"), _codes_in(finance, "documents", "kind"))
    wrong: dict[str, str] = {}
    for place, item in enumerate(given):
        terms = item.get("terms") if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or not isinstance(terms, Mapping):
            wrong[f"finance.yaml: products.{place}"] = "must have a bank and terms"
            continue
        where = f"finance.yaml: products.{place} ({_name_of(terms) or item.get('bank')})"
        if item.get("bank") not in banks:
            wrong[f"{where}.bank"] = "is no finance partner of the programme"
        if more := sorted(set(map(str, item)) - {"bank", "terms"}):
            wrong[f"{where}.{more[0]}"] = "is not known here"
        wrong |= {f"{where}.{field}": rule for field, rule in _terms_problems(terms, known, _currency(pack)).items()}
    return wrong


def _terms_problems(given: Mapping[str, Any], known: Known, currency: str) -> dict[str, str]:
    try:
        return ProductTerms.model_validate(given).problems(known, currency)
    except ValidationError as error:
        return {".".join(str(part) for part in item["loc"]): broken(item) for item in error.errors()}


def _codes_in(finance: Mapping[str, Any], part: str, name: str) -> frozenset[str]:
    items = finance.get(part)
    found = items if isinstance(items, list) else []
    return frozenset(str(item[name]) for item in found if isinstance(item, Mapping) and name in item)


def _name_of(terms: Mapping[str, Any]) -> str:
    names = terms.get("name")
    return str(names.get("en") or next(iter(names.values()), "")) if isinstance(names, Mapping) else ""


def _currency(pack: Mapping[str, Any]) -> str:
    facts = pack.get("programme")
    settings = facts.get("settings") if isinstance(facts, Mapping) else None
    return str(settings.get("currency", "EUR")) if isinstance(settings, Mapping) else "EUR"
