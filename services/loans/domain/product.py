"""A bank's loan product: its price and terms, and its conditions as data. Versions never change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from services.loans.domain.blocks import ZERO, Day, Line, Percent, Prose, Sum
from services.loans.domain.finance import Finance
from services.loans.domain.schedule import Every, Terms, effective_rate, schedule
from shared.entity import Entity, Part, canonical_hash
from shared.errors import IllegalTransitionError, InvalidError, Rule
from shared.events.loans.product import ProductPublished, ProductWithdrawn
from shared.money import Amount, Money

Takes = Literal["at_least", "at_most", "any_of", "none_of", "all_of"]
Unit = Literal["number", "percent", "years", "days", "codes"]
MAX_RULES, MAX_VALUES = 20, 60
SIZES = {"micro": 9, "small": 49, "medium": 249}  # the most employees of each class
_PARAMETERS = ("at_least", "at_most", "any_of", "none_of", "all_of")
_RANGES = (("amount_min", "amount_max"), ("term_min", "term_max"), ("rate_min_percent", "rate_max_percent"))
_ISIC = re.compile(r"[0-9]{2,4}")


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

    def problems(self, finance: Finance) -> dict[str, str]:
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
        elif unknown := [value for value in self.values() if not self._known(value, finance)]:
            wrong[kind.takes] = Rule("is not known: %(names)s", names=", ".join(unknown)[:200])
        return wrong

    def _known(self, value: str, finance: Finance) -> bool:
        if self.rule == "size":
            return value in SIZES
        if self.rule in {"sector", "sector_not"}:
            return _ISIC.fullmatch(value) is not None
        return self.rule != "documents" or value in {item.kind for item in finance.documents}


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

    def problems(self, finance: Finance, currency: str) -> dict[str, str]:
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
        return wrong | self._named_problems(finance)

    def _named_problems(self, finance: Finance) -> dict[str, str]:
        wrong: dict[str, str] = {}
        unknown = sorted(set(self.purposes) - {item.code for item in finance.purposes})
        if unknown:
            wrong["purposes"] = Rule("is not known: %(names)s", names=", ".join(unknown)[:200])
        for index, item in enumerate(self.rules):
            wrong |= {f"rules.{index}.{name}": why for name, why in item.problems(finance).items()}
            if item.rule in {other.rule for other in self.rules[:index]}:
                wrong[f"rules.{index}.rule"] = "stands twice"
        return wrong


@dataclass(frozen=True)
class Cost:
    """What a loan of the product costs: the true yearly cost as a fraction, the first whole instalment, the fees."""

    effective: Decimal
    instalment: Decimal
    fee: Decimal


def cost(terms: ProductTerms, amount: Decimal, months: int, percent: Decimal, start: date) -> Cost | None:
    """Return the cost of a loan from the schedule engine, fees counted; None where none can be computed."""
    fee = terms.fee(amount)
    if not fee < amount or months < terms.every_months:
        return None
    asked = Terms(
        principal=amount,
        annual_rate=percent / 100,
        periods=months // terms.every_months,
        start=start,
        every=Every(terms.every_months, "month"),
        interest=terms.interest,
        amortisation=terms.method,
    )
    rate = effective_rate(asked, ((start, fee),) if fee else ())
    rows = schedule(asked)
    return None if rate is None else Cost(rate.quantize(Decimal("0.000001")), rows[0].due, fee)


class Product(Entity):
    """A product of one bank in one programme. `number` is its newest version; referrals keep theirs."""

    KIND: ClassVar[str] = "product"

    programme: str
    bank: str
    bank_name: str
    stage: Literal["published", "withdrawn"] = "published"
    number: int = 0
    terms: ProductTerms
    effective_low: Decimal | None = None
    effective_high: Decimal | None = None
    withdrawn_why: str = ""

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"partner": [f"org:{self.bank}"], "officer": ["role:officer"]}

    def open_on(self, day: date) -> bool:
        """Tell whether it can be asked for on that day."""
        until = self.terms.valid_until
        return self.stage == "published" and self.terms.valid_from <= day and (until is None or day <= until)

    def issue(self, terms: ProductTerms, finance: Finance, currency: str, today: date) -> None:
        """Publish the next version; raises InvalidError naming the fields that break a rule."""
        if self.stage == "withdrawn":
            raise IllegalTransitionError("publish", self.stage, [])
        wrong = terms.problems(finance, currency)
        if terms.valid_until and terms.valid_until < today:
            wrong.setdefault("valid_until", "must not be in the past")
        if wrong:
            raise InvalidError(wrong)
        self.number, self.terms = self.number + 1, terms
        low = cost(terms, terms.amount_max, terms.term_max, terms.rate_min_percent, today)
        high = cost(terms, terms.amount_min, terms.term_min, terms.rate_max_percent, today)
        self.effective_low = low.effective if low else None
        self.effective_high = high.effective if high else None
        self.record(ProductPublished(**self._facts(), **self._priced(), terms_sha256=sha256_of(terms)))

    def withdraw(self, why: str) -> None:
        """Take it out of the catalogue for good; what was referred to it stays."""
        if self.stage == "withdrawn":
            raise IllegalTransitionError("withdraw", self.stage, [])
        self.stage, self.withdrawn_why = "withdrawn", why
        self.record(ProductWithdrawn(**self._facts(), why=why))

    def _facts(self) -> dict[str, Any]:
        return {
            "product_id": self.id,
            "bank_id": self.bank,
            "bank_name": self.bank_name,
            "name": self.terms.said("en"),
            "number": self.number,
            "notify": [],
        }

    def _priced(self) -> dict[str, Any]:
        terms = self.terms
        return {
            "instrument": terms.instrument,
            "amount_min": Money.of(terms.amount_min, terms.currency),
            "amount_max": Money.of(terms.amount_max, terms.currency),
            "term_min": terms.term_min,
            "term_max": terms.term_max,
            "rate_min_percent": str(terms.rate_min_percent),
            "rate_max_percent": str(terms.rate_max_percent),
            "valid_from": terms.valid_from,
            "valid_until": terms.valid_until,
        }


def sha256_of(terms: Part) -> str:
    """Return the hash that a version is known by."""
    return canonical_hash(terms.model_dump(mode="json"))
