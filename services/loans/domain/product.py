"""A bank's loan product: its price and terms, and its conditions as data. Versions never change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Literal

from services.loans.domain.finance import Finance
from services.loans.domain.schedule import Every, Terms, effective_rate, schedule
from shared.entity import Entity, Part, canonical_hash
from shared.errors import IllegalTransitionError, InvalidError
from shared.events.loans.product import ProductPublished, ProductWithdrawn
from shared.events.product_rules import ProductTerms
from shared.money import Money


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
        wrong = terms.problems(finance.known(), currency)
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
