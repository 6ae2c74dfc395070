"""What a bank offers, and the questions it asks before."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from services.loans.domain.appraisal import offer_cost
from shared.entity import Part
from shared.errors import Rule
from shared.money import Money

MAX_TERM = 360


class Question(Part):
    """What the bank asked, and the applicant's answer when there is one."""

    text: str
    asked_at: datetime
    asked_by: str
    answer: str | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None


class Offer(Part):
    """Terms of a loan. `rate` is the nominal yearly fraction, `effective_rate` counts fee and compounding."""

    amount: Money
    rate: Decimal
    term_months: int
    fee: Money
    conditions: str
    valid_until: date
    made_at: datetime
    effective_rate: Decimal
    number: int = 1  # its version: each answer to a counter-offer is the next
    collateral: str = ""  # what the bank wants as security
    tripartite: bool = False  # nothing is paid out before a tripartite agreement is in force

    def problems(self, asked: Money, today: date) -> dict[str, str]:
        """Return {field: broken rule} of an offer that can't be made."""
        wrong: dict[str, str] = {}
        if not Decimal(0) < self.amount.amount <= asked.amount:
            wrong["amount"] = Rule("must be above zero and at most the %(most)s asked for", most=asked)
        if not Decimal(0) <= self.fee.amount < self.amount.amount:
            wrong["fee"] = "must be at least zero and less than the amount"
        if not Decimal(0) <= self.rate <= 1:
            wrong["rate_percent"] = "must be between 0 and 100"
        if not 1 <= self.term_months <= MAX_TERM:
            wrong["term_months"] = Rule("must be between 1 and %(most)s", most=MAX_TERM)
        if self.valid_until < today:
            wrong["valid_until"] = "must not be in the past"
        return wrong


class Counter(Part):
    """What the applicant asks for instead of version `number` of an offer, and why."""

    number: int
    amount: Money
    rate: Decimal
    term_months: int
    fee: Money
    reason: str
    made_at: datetime
    made_by: str

    def problems(self, offer: Offer, asked: Money) -> dict[str, str]:
        """Return {field: broken rule} of terms that can't be asked for."""
        wrong: dict[str, str] = {}
        if not Decimal(0) < self.amount.amount <= asked.amount:
            wrong["amount"] = Rule("must be above zero and at most the %(most)s asked for", most=asked)
        if not Decimal(0) <= self.fee.amount <= offer.fee.amount:
            wrong["fee"] = Rule("must be at least zero and at most the %(most)s of the offer", most=offer.fee)
        if not Decimal(0) <= self.rate <= 1:
            wrong["rate_percent"] = "must be between 0 and 100"
        if not 1 <= self.term_months <= MAX_TERM:
            wrong["term_months"] = Rule("must be between 1 and %(most)s", most=MAX_TERM)
        if not self.reason.strip():
            wrong["reason"] = "is required"
        terms = ("amount", "rate", "term_months", "fee")
        if not wrong and all(getattr(self, name) == getattr(offer, name) for name in terms):
            wrong["rate_percent"] = "change at least one term: these are the terms of the offer"
        return wrong


def effective_rate(amount: Money, rate: Decimal, months: int, fee: Money, start: date) -> Decimal:
    """Return the effective annual cost of an offer as a fraction to six decimals; zero where none can be computed."""
    within = amount.amount > fee.amount >= 0 and 1 <= months <= MAX_TERM and 0 <= rate <= 1
    cost = offer_cost(amount.amount, rate, months, fee.amount, start) if within else None
    return (cost or Decimal(0)).quantize(Decimal("0.000001"))
