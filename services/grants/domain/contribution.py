"""What the firm of a co-financing brought and what it counts for, and what was released and paid back for it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from services.grants.domain import match
from services.grants.domain.application import Document
from services.grants.domain.terms import Form, Rules
from shared.entity import Part
from shared.errors import InvalidError, Rule
from shared.money import Amount, Money


class Valuation(Part):
    """How an in-kind contribution was valued; what is needed depends on its method."""

    hours: Amount | None = None
    rate: Amount | None = None
    fringe_percent: Amount = match.ZERO
    similar_rate: Amount | None = None
    book_value: Amount | None = None
    market_value: Amount | None = None
    cost: Amount | None = None
    life_years: Amount | None = None
    months: Amount | None = None
    use_percent: Amount | None = None


class Claim(Part):
    """What the firm says that it paid or gave."""

    form: Form
    basis: str = ""
    given_on: date
    description: str = Field(min_length=1, max_length=500)
    claimed: Money
    ineligible: Amount = match.ZERO
    ineligible_code: str = ""
    exchange_rate: Amount | None = None
    rate_date: date | None = None
    rate_source: str = ""
    valuation: Valuation | None = None
    invoice_number: str = ""
    supplier_tax_id: str = ""
    second_hand: bool = False
    related_party: bool = False

    @property
    def supplier_key(self) -> str | None:
        """Return supplier and invoice as they are compared: without blanks, in capitals; None without an invoice."""
        if not (self.invoice_number and self.supplier_tax_id):
            return None
        return _compared(self.supplier_tax_id, self.invoice_number)

    @property
    def claim_key(self) -> str | None:
        """Return what makes the same invoice recognisable in any other case; None without an invoice."""
        if self.supplier_key is None:
            return None
        return f"{self.supplier_key}|{_compared(str(self.claimed.amount), self.claimed.currency)}"

    @property
    def near_keys(self) -> dict[str, str]:
        """Return {what is alike: key} of what makes a verifier look twice: one invoice, or one supplier's amount."""
        if self.supplier_key is None:
            return {}
        amount = _compared(str(self.claimed.amount), self.claimed.currency)
        return {"invoice": self.supplier_key, "amount": f"{_compared(self.supplier_tax_id)}||{amount}"}


def _compared(*parts: str) -> str:
    return "|".join("".join(part.split()).upper() for part in parts)


class Alike(Part):
    """Another contribution that resembles this one: the same `what` (invoice | amount) of the same supplier."""

    what: Literal["invoice", "amount"]
    case: str
    contribution: int


class Contribution(Claim):
    """A claim that was entered. `claimed` is what it says, `value` what counts of it in the case's currency."""

    number: int
    value: Amount
    alike: tuple[Alike, ...] = ()
    refused_for: str = ""
    market_approved_by: str | None = None
    market_approved_by_name: str | None = None
    market_approved_at: datetime | None = None
    evidence: tuple[Document, ...] = ()
    status: Literal["entered", "verified", "refused", "reversed"] = "entered"
    entered_by: str
    entered_by_name: str
    entered_at: datetime
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    note: str = ""

    def lacks(self, rules: Rules) -> tuple[str, ...]:
        """Return the kinds of documents that are still needed, each of them."""
        flags = {"second_hand": self.second_hand, "related": self.related_party}
        kinds = {document.kind for document in self.evidence}
        return tuple(kind for kind in rules.needed(self.form, self.basis, **flags) if kind not in kinds)

    def bare(self, rules: Rules) -> bool:
        """Return whether nothing proves it: its method names no documents, and none of its form's is there."""
        if self.form == "in_kind" and self.basis in rules.valuations:
            return False
        return not any(document.kind in rules.evidence[self.form] for document in self.evidence)

    def documents(self, rules: Rules) -> tuple[str, ...]:
        """Return the kinds of documents that it may have, those it needs first."""
        flags = {"second_hand": self.second_hand, "related": self.related_party}
        return rules.documents(self.form, self.basis, **flags)


class Release(Part):
    """A release of the programme's share against verified match."""

    number: int
    amount: Amount
    status: Literal["requested", "released", "refused"] = "requested"
    requested_by: str
    requested_by_name: str
    requested_at: datetime
    settled_by: str | None = None
    settled_by_name: str | None = None
    settled_at: datetime | None = None
    note: str = ""


class Refund(Part):
    """Money that the firm paid back because the match did not earn it."""

    number: int
    amount: Amount
    paid_on: date
    reference: str
    recorded_by: str
    recorded_by_name: str
    recorded_at: datetime


class BankLoan(Part):
    """A bank's loan that came beside the co-financing: finance mobilised, never match."""

    number: int
    lender: str
    amount: Amount
    given_on: date
    recorded_by: str
    recorded_by_name: str
    recorded_at: datetime


def worth(rules: Rules, currency: str, claim: Claim, *, market_approved: bool = False) -> Decimal:
    """Return what a claim counts for in `currency`: valued by its method, without what is ineligible.

    In-kind counts at most at its valuation: staff at pay and fringe, equipment at the lesser of book and market
    value unless market value was approved. Another currency counts at the documented rate of the payment date.
    Raises InvalidError.
    """
    problems = _cost_problems(rules, claim)
    if claim.form == "in_kind":
        problems |= _unvalued(rules, claim.basis, claim.valuation or Valuation())
    if claim.claimed.currency != currency:
        problems |= _rate_problems(currency, claim)
    if problems:
        raise InvalidError(problems)
    amount = claim.claimed.amount
    if claim.form == "in_kind":
        valued = _valued(rules, claim, claim.valuation or Valuation(), market_approved=market_approved)
        amount = amount if valued is None else min(amount, valued)
    counted = match.eligible(amount, claim.ineligible)
    return match.down(counted if claim.claimed.currency == currency else counted * (claim.exchange_rate or 0))


def _cost_problems(rules: Rules, claim: Claim) -> dict[str, str]:
    problems: dict[str, str] = {}
    if claim.claimed.amount <= 0:
        problems["amount"] = Rule("must be more than nothing")
    if not 0 <= claim.ineligible <= claim.claimed.amount:
        problems["ineligible"] = Rule("must be between nothing and the amount")
    elif claim.ineligible and claim.ineligible_code not in rules.ineligible:
        problems["ineligible_code"] = Rule("must be one of: %(names)s", names=", ".join(rules.ineligible))
    if claim.related_party and not rules.related_allowed:
        problems["related_party"] = Rule("purchases from a related party do not count in this programme")
    return problems


def _rate_problems(currency: str, claim: Claim) -> dict[str, str]:
    """Return what is wrong with the rate of another currency: it is that of the payment day, and documented."""
    problems: dict[str, str] = {}
    if claim.exchange_rate is None or claim.exchange_rate <= 0:
        said = "is needed: how much %(currency)s one %(other)s was on the day"
        problems["exchange_rate"] = Rule(said, currency=currency, other=claim.claimed.currency)
    if not claim.rate_source.strip():
        problems["rate_source"] = Rule("is needed: where that rate is published")
    if claim.rate_date != claim.given_on:
        said = "must be the day of payment, %(day)s; the rate of a report or of any other day does not count"
        problems["rate_date"] = Rule(said, day=claim.given_on)
    return problems


# What each method needs to value something.
_NEEDED = {
    "staff_time": ("hours", "rate"),
    "volunteer_time": ("hours", "rate", "similar_rate"),
    "property": ("book_value", "market_value"),
    "use": ("cost", "life_years", "months", "use_percent"),
    "fair_value": ("market_value",),
}


def _unvalued(rules: Rules, basis: str, valuation: Valuation) -> dict[str, str]:
    if basis not in rules.in_kind_bases:
        return {"basis": Rule("must be one of: %(names)s", names=", ".join(rules.in_kind_bases))}
    method = rules.method(basis)
    # Under rules that say nothing of valuation, a fair value stands by its evidence alone.
    wanted = () if method == "fair_value" and not rules.valuations else _NEEDED[method]
    given = {name: getattr(valuation, name) for name in wanted}
    problems: dict[str, str] = {
        name: Rule("is needed to value this") for name, value in given.items() if value is None or value < 0
    }
    if given.get("life_years") == 0:
        problems["life_years"] = Rule("must be more than nothing")
    if (given.get("use_percent") or match.ZERO) > match.HUNDRED:
        problems["use_percent"] = Rule("must be 100 or less")
    if valuation.fringe_percent < 0:
        problems["fringe_percent"] = Rule("must be nothing or more")
    return problems


def _valued(rules: Rules, claim: Claim, given: Valuation, *, market_approved: bool) -> Decimal | None:
    """Return what the method gives; None where nothing but the evidence speaks."""

    def of(name: str) -> Decimal:
        return getattr(given, name) or match.ZERO

    method = rules.method(claim.basis)
    if method == "staff_time":
        return match.staff_credit(of("hours"), of("rate"), of("fringe_percent"))
    if method == "volunteer_time":
        return match.staff_credit(of("hours"), match.volunteer_rate(of("rate"), of("similar_rate")), match.ZERO)
    if method == "property":
        return match.property_credit(of("book_value"), of("market_value"), market_approved=market_approved)
    if method == "use":
        return match.use_charge(of("cost"), of("life_years"), of("months"), of("use_percent") / match.HUNDRED)
    return given.market_value
