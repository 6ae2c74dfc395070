"""Costs of a financial report: what was paid, what of it counts, and how the spending stands beside the budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from shared.entity import Part
from shared.errors import Rule
from shared.events.reporting_rules import Reporting
from shared.money import Amount, Money

ZERO = Decimal("0.00")
Source = Literal["grant", "own"]


class CostEntry(Part):
    """A cost as the recipient writes it; `vat` is what of `claimed` comes back as tax, in the same currency."""

    paid_on: date
    line: str = Field(max_length=60)
    source: Source = "grant"
    description: str = Field(min_length=3, max_length=300)
    invoice_number: str = Field(min_length=1, max_length=80)
    supplier: str = Field(min_length=1, max_length=200)
    supplier_tax_id: str = Field(min_length=1, max_length=40)
    claimed: Money
    vat: Amount = ZERO
    exchange_rate: Amount | None = None
    rate_source: str = Field(default="", max_length=200)
    document: str = Field(default="", max_length=80)
    partner: int = Field(default=0, ge=0, le=99)  # whose cost it is: 0 is the recipient's own

    def value(self, currency: str) -> Money:
        """Return what it comes to in the report's currency, at the rate of the day of payment, without the tax."""
        rate = Decimal(1) if self.claimed.currency == currency else self.exchange_rate or Decimal(0)
        return Money.of((self.claimed.amount - self.vat) * rate, currency)

    @property
    def marks(self) -> dict[str, str]:
        """Return {what is alike: key}: the same invoice, its number alone, or the supplier's same amount."""
        supplier, number = _compared(self.supplier_tax_id), _compared(self.invoice_number)
        amount = f"{_compared(str(self.claimed.amount))}|{self.claimed.currency}"
        return {
            "same": f"{supplier}|{number}|{amount}",
            "invoice": f"{supplier}|{number}",
            "amount": f"{supplier}||{amount}",
        }


def _compared(text: str) -> str:
    return "".join(text.split()).upper()


class Resemblance(Part):
    """Another cost, or a contribution of a co-financing, that is alike: the same `what` of the same supplier."""

    what: Literal["same", "invoice", "amount"]
    case: str
    number: int


class Cost(CostEntry):
    """A cost of a report. `accepted` is what counts of its value, in the report's currency."""

    number: int
    alike: tuple[Resemblance, ...] = ()
    decision: Literal["open", "accepted", "cut", "refused"] = "open"
    accepted: Amount = ZERO
    code: str = ""
    reason: str = ""
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None


class Frame(Part):
    """What a cost is judged by: the days the grant runs, the last day of the period, the lines and the currency."""

    currency: str
    starts_on: date
    ends_on: date
    period_to: date
    lines: tuple[str, ...]
    documents: tuple[str, ...] = ()
    partners: tuple[int, ...] = ()
    today: date


def cost_problems(entry: CostEntry, frame: Frame) -> dict[str, str]:
    """Return {field: rule} of what keeps a cost from being entered."""
    wrong = _day_problems(entry.paid_on, frame)
    if entry.line not in frame.lines:
        wrong["line"] = "is not a budget line of this call"
    if entry.claimed.amount <= 0:
        wrong["claimed"] = "must be more than nothing"
    elif not 0 <= entry.vat < entry.claimed.amount:
        wrong["vat"] = Rule("must be less than the amount, %(amount)s", amount=entry.claimed)
    if entry.partner and entry.partner not in frame.partners:
        wrong["partner"] = "is not a partner of this agreement"
    if entry.document and entry.document not in frame.documents:
        wrong["document"] = "is not a document of this report"
    return wrong | _rate_problems(entry, frame.currency)


def _day_problems(day: date, frame: Frame) -> dict[str, str]:
    if day < frame.starts_on:
        return {"paid_on": Rule("is before the grant: it runs from %(day)s", day=frame.starts_on)}
    if day > frame.ends_on:
        return {"paid_on": Rule("is after the grant: it ended on %(day)s", day=frame.ends_on)}
    if day > frame.period_to:
        return {"paid_on": Rule("is after this report's last day, %(day)s", day=frame.period_to)}
    return {"paid_on": "can't be in the future"} if day > frame.today else {}


def _rate_problems(entry: CostEntry, currency: str) -> dict[str, str]:
    foreign = entry.claimed.currency != currency
    if foreign and (entry.exchange_rate is None or entry.exchange_rate <= 0):
        rule = Rule("is required: %(to)s for one %(of)s on the day of payment", to=currency, of=entry.claimed.currency)
        return {"exchange_rate": rule}
    if foreign and not entry.rate_source:
        return {"rate_source": "is required: say where the rate of that day is published"}
    if not foreign and entry.exchange_rate is not None:
        return {"exchange_rate": Rule("is not needed: the amount is in %(currency)s", currency=currency)}
    return {}


def repeated(costs: Iterable[Cost]) -> dict[str, str]:
    """Return {"costs.<number>": rule} of costs that are another one of the same report once more."""
    seen: dict[str, int] = {}
    found: dict[str, str] = {}
    for cost in costs:
        first = seen.setdefault(f"{cost.marks['same']}|{cost.line}|{cost.source}", cost.number)
        if first != cost.number:
            found[f"costs.{cost.number}"] = Rule("is cost %(first)s once more: same supplier, invoice", first=first)
    return found


class Agreed(Part):
    """What the agreement gives one budget line: from the grant, and from the recipient's own means."""

    grant: Amount = ZERO
    own: Amount = ZERO

    @property
    def total(self) -> Decimal:
        """Return both together."""
        return self.grant + self.own


class LineState(Part):
    """One budget line: agreed, spent before this report, spent in it, and how far that is from the budget."""

    line: str
    agreed: Amount
    before: Amount
    period: Amount
    percent: Amount | None
    explain: bool

    @property
    def so_far(self) -> Decimal:
        """Return all spending so far."""
        return self.before + self.period

    @property
    def left(self) -> Decimal:
        """Return what of the budget is left; less than nothing when it is overspent."""
        return self.agreed - self.so_far


def line_states(
    agreed: Mapping[str, Agreed],
    before: Mapping[str, Decimal],
    period: Mapping[str, Decimal],
    rules: Reporting,
    *,
    final: bool,
) -> list[LineState]:
    """Return each budget line's state; one that is over its budget by more than allowed must be explained.

    A final report must explain too what was spent less than that.
    """
    found = []
    for line in dict.fromkeys([*agreed, *before, *period]):
        whole = agreed[line].total if line in agreed else ZERO
        earlier, now = before.get(line, ZERO), period.get(line, ZERO)
        difference = earlier + now - whole
        percent = (difference * 100 / whole).quantize(Decimal("0.1")) if whole else None
        counts = difference if difference > 0 or final else ZERO
        # Compared as amounts: a rounded percentage would let a little more through.
        explain = abs(counts) * 100 > rules.variance_percent * whole
        found.append(LineState(line=line, agreed=whole, before=earlier, period=now, percent=percent, explain=explain))
    return found


def by_line(costs: Sequence[Cost], currency: str, *, accepted: bool = False) -> dict[str, Decimal]:
    """Return the costs of each budget line: as they were claimed, or what was accepted of them."""
    found: dict[str, Decimal] = {}
    for cost in costs:
        amount = cost.accepted if accepted else cost.value(currency).amount
        found[cost.line] = found.get(cost.line, ZERO) + amount
    return found


def total_of(costs: Iterable[Cost], currency: str, *, accepted: bool = False, source: Source | None = None) -> Money:
    """Return what costs come to: claimed or accepted, paid from the grant, from own means, or both."""
    chosen = [cost for cost in costs if source is None or cost.source == source]
    return Money.of(
        sum((cost.accepted if accepted else cost.value(currency).amount for cost in chosen), ZERO), currency
    )
