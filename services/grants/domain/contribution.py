"""The parts of a co-financing: its rules, the terms agreed, what the firm brought, what was released."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from services.grants.domain import match
from services.grants.domain.application import Document, Part, Person
from shared.errors import InvalidError, Rule
from shared.money import Amount, Money

Form = Literal["cash", "in_kind"]


class Rules(Part):
    """A programme's rules of co-financing, as they were when a case was started."""

    programme_percent: Amount
    firm_percent: Amount
    share_cap: Amount | None = None
    tiers: tuple[tuple[Amount, Amount], ...] = ()
    in_kind_cap_percent: Amount
    in_kind_cap_base: Literal["contribution", "total"]
    in_kind_bases: tuple[str, ...]
    cash_minimum_percent: Amount
    first_in: bool = False
    evidence: dict[str, tuple[str, ...]]
    ineligible: tuple[str, ...]
    kinds: dict[str, dict[str, str]]
    acts_at: dict[str, tuple[str, ...]]
    agreed_by: dict[str, str]

    @classmethod
    def of(cls, pack: Mapping[str, Any]) -> Rules:
        """Return the rules that a pack's `cofinancing.yaml` states."""
        in_kind, cap = pack["in_kind"], pack.get("programme_share_cap")
        return cls(
            programme_percent=pack["shares"]["programme"],
            firm_percent=pack["shares"]["firm"],
            share_cap=cap["amount"] if cap else None,
            tiers=[(tier["at_least"], tier["percent"]) for tier in pack.get("tiers", [])],
            in_kind_cap_percent=in_kind["cap_percent"],
            in_kind_cap_base=in_kind["cap_base"],
            in_kind_bases=in_kind["bases"],
            cash_minimum_percent=pack["cash_minimum_percent"],
            first_in=pack["first_in"],
            evidence=pack["evidence"],
            ineligible=[item["id"] for item in pack["ineligible"]],
            kinds={item["id"]: item["name"] for item in pack["kinds"]},
            acts_at=pack["acts_at"],
            agreed_by=pack["agreed_by"],
        )

    def creditable(self, cash: Decimal, in_kind: Decimal, total: Decimal) -> Decimal:
        """Return how much of the in-kind contribution counts."""
        base = total if self.in_kind_cap_base == "total" else None
        return match.creditable_in_kind(cash, in_kind, self.in_kind_cap_percent, base)


class Terms(Part):
    """The money of the agreement, in the case's currency: total = programme_share + firm_cash + firm_in_kind."""

    version: int
    total: Amount
    programme_percent: Amount
    firm_percent: Amount
    programme_share: Amount
    firm_cash: Amount
    firm_in_kind: Amount
    drawn_by: str
    drawn_by_name: str
    drawn_at: datetime

    @property
    def firm_share(self) -> Decimal:
        """Return what the firm brings, in cash and in kind."""
        return self.firm_cash + self.firm_in_kind


def draw(rules: Rules, total: Money, in_kind: Money, *, version: int, by: Person, now: datetime) -> Terms:
    """Return the terms for a project of `total` to which the firm gives `in_kind` in kind.

    Raises InvalidError: the programme's share over its cap, in-kind over its cap, too little cash.
    """
    if total.amount <= 0:
        raise InvalidError({"total": "must be more than nothing"})
    programme = match.part(total.amount, rules.programme_percent)
    firm = total.amount - programme
    cash = firm - in_kind.amount
    problems: dict[str, str] = {}
    if rules.share_cap is not None and programme > rules.share_cap:
        problems["total"] = f"makes the programme's share {programme:,.2f}, above its cap of {rules.share_cap:,.2f}"
    if rules.tiers:
        own = match.firm_minimum(total.amount, [match.Tier(*tier) for tier in rules.tiers])
        if firm < own:
            problems["total"] = f"asks {own:,.2f} of the firm; its share is {firm:,.2f}"
    least = match.part(firm, rules.cash_minimum_percent)
    if in_kind.amount < 0 or cash < least:
        problems["in_kind"] = f"leaves {cash:,.2f} of cash; at least {least:,.2f} of {firm:,.2f} must be cash"
    elif (counts := rules.creditable(cash, in_kind.amount, total.amount)) < in_kind.amount:
        problems["in_kind"] = f"only {counts:,.2f} of it would count"
    if problems:
        raise InvalidError(problems)
    return Terms(
        version=version,
        total=total.amount,
        programme_percent=rules.programme_percent,
        firm_percent=rules.firm_percent,
        programme_share=programme,
        firm_cash=cash,
        firm_in_kind=in_kind.amount,
        drawn_by=by.id,
        drawn_by_name=by.name,
        drawn_at=now,
    )


class Valuation(Part):
    """How an in-kind contribution was valued; what is needed depends on its basis."""

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


class Contribution(Part):
    """What the firm paid or gave. `claimed` is what it says, `value` what counts of it in the case's currency."""

    number: int
    form: Form
    basis: str = ""
    given_on: date
    description: str = Field(min_length=1, max_length=500)
    claimed: Money
    ineligible: Amount = match.ZERO
    exchange_rate: Amount | None = None
    rate_source: str = ""
    valuation: Valuation | None = None
    value: Amount
    invoice_number: str = ""
    supplier_tax_id: str = ""
    evidence: tuple[Document, ...] = ()
    status: Literal["entered", "verified", "refused"] = "entered"
    entered_by: str
    entered_by_name: str
    entered_at: datetime
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    note: str = ""

    @property
    def claim_key(self) -> str | None:
        """Return what makes the same invoice recognisable in any other case; None without an invoice."""
        if not (self.invoice_number and self.supplier_tax_id):
            return None
        parts = (self.supplier_tax_id, self.invoice_number, str(self.claimed.amount), self.claimed.currency)
        return "|".join("".join(part.split()).upper() for part in parts)


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


def worth(
    rules: Rules,
    currency: str,
    *,
    form: Form,
    basis: str,
    claimed: Money,
    ineligible: Decimal,
    exchange_rate: Decimal | None,
    valuation: Valuation | None,
) -> Decimal:
    """Return what a contribution counts for in `currency`: valued by its basis, without what is ineligible.

    In-kind counts at most at its valuation: staff at pay and fringe, equipment at the lesser of book and market
    value. Another currency counts at the stated rate of the payment date. Raises InvalidError.
    """
    problems = _problems(claimed, ineligible)
    if form == "in_kind":
        problems |= _unvalued(rules, basis, valuation or Valuation())
    if claimed.currency != currency and (exchange_rate is None or exchange_rate <= 0):
        problems["exchange_rate"] = f"is needed: how much {currency} one {claimed.currency} was on the day"
    if problems:
        raise InvalidError(problems)
    amount = claimed.amount if valuation is None else min(claimed.amount, _valued(basis, claimed, valuation))
    counted = match.eligible(amount, ineligible)
    return match.down(counted if claimed.currency == currency else counted * (exchange_rate or 0))


def _problems(claimed: Money, ineligible: Decimal) -> dict[str, str]:
    problems: dict[str, str] = {}
    if claimed.amount <= 0:
        problems["amount"] = "must be more than nothing"
    if not 0 <= ineligible <= claimed.amount:
        problems["ineligible"] = "must be between nothing and the amount"
    return problems


# What each basis needs to be valued; where nothing is needed, the amount stands by its evidence.
_NEEDED = {
    "staff_time": ("hours", "rate"),
    "volunteer_time": ("hours", "rate", "similar_rate"),
    "equipment": ("book_value", "market_value"),
    "equipment_use": ("cost", "life_years", "months", "use_percent"),
}


def _unvalued(rules: Rules, basis: str, valuation: Valuation) -> dict[str, str]:
    if basis not in rules.in_kind_bases:
        return {"basis": Rule("must be one of: %(names)s", names=", ".join(rules.in_kind_bases))}
    given = {name: getattr(valuation, name) for name in _NEEDED.get(basis, ())}
    problems = {name: "is needed to value this" for name, value in given.items() if value is None or value < 0}
    if given.get("life_years") == 0:
        problems["life_years"] = "must be more than nothing"
    return problems


def _valued(basis: str, claimed: Money, given: Valuation) -> Decimal:
    def of(name: str) -> Decimal:
        return getattr(given, name) or match.ZERO

    if basis == "staff_time":
        return match.staff_credit(of("hours"), of("rate"), of("fringe_percent"))
    if basis == "volunteer_time":
        return match.staff_credit(of("hours"), match.volunteer_rate(of("rate"), of("similar_rate")), match.ZERO)
    if basis == "equipment":
        return match.property_credit(of("book_value"), of("market_value"))
    if basis == "equipment_use":
        return match.use_charge(of("cost"), of("life_years"), of("months"), of("use_percent") / match.HUNDRED)
    return claimed.amount
