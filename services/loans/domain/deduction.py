"""What is kept back of a payment at its source, and what of a loan may still be kept back on a day.

`value - deduction = net` and, over all deliveries, the deductions for a loan never exceed what its own schedule has
made due. Sums are Decimals in the agreement's one currency, rounded half-even to its smallest coin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from services.loans.domain.arrears import ZERO, Timetable
from shared.entity import Part
from shared.money import Amount, Money, total

HUNDRED = Decimal(100)
MAX_AHEAD = 92


class Rule(Part):
    """How much of a payment is kept back: a share of it in per cent, or a fixed sum for each delivery.

    What falls due within `ahead_days` after the payment counts as due already.
    """

    kind: Literal["share", "fixed"]
    figure: Amount  # per cent, or a sum
    ahead_days: Annotated[int, Field(ge=0, le=MAX_AHEAD)] = 31

    def of(self, value: Money) -> Money:
        """Return what the rule keeps back of a payment, before anything limits it but the payment itself."""
        wanted = value.amount * self.figure / HUNDRED if self.kind == "share" else self.figure
        return min(Money.of(wanted, value.currency), value)


@dataclass(frozen=True)
class Kept:
    """What was paid on a loan and kept back for it until now.

    `on_tape` is what the bank's last tape says was paid; `after_tape` are deductions which that tape can't know of;
    `in_all` are all deductions that were not taken back.
    """

    on_tape: Decimal = ZERO
    after_tape: Decimal = ZERO
    in_all: Decimal = ZERO

    def more(self, amount: Decimal) -> Kept:
        """Return the same with one more deduction."""
        return Kept(self.on_tape, self.after_tape + amount, self.in_all + amount)


def room(timetable: Timetable, kept: Kept, paid_on: date, ahead_days: int) -> Decimal:
    """Return what may still be kept back for a loan of a payment on that day: what is due less what is paid.

    Paid is the tape with the deductions after it, or all deductions where these are more: a bank that is late with
    its tape never makes a supplier pay twice.
    """
    due = timetable.due_before(paid_on + timedelta(days=ahead_days + 1))
    return max(due - max(kept.on_tape + kept.after_tape, kept.in_all), ZERO)


@dataclass(frozen=True)
class Claim:
    """A loan in the order of priority, with what may still be kept back for it."""

    referral: str
    loan: str
    room: Decimal


class Share(Part):
    """What of a deduction goes to one loan; `room` is what was due and not paid before."""

    referral: str
    loan: str
    room: Amount
    amount: Amount


@dataclass(frozen=True)
class Split:
    """A payment by the rule: `shares` add up to the deduction, `deduction + net = value`."""

    value: Money
    by_rule: Money
    shares: tuple[Share, ...]

    @property
    def deduction(self) -> Money:
        return total((Money.of(item.amount, self.value.currency) for item in self.shares), self.value.currency)

    @property
    def net(self) -> Money:
        return self.value - self.deduction


def split(value: Money, rule: Rule, claims: Sequence[Claim]) -> Split:
    """Return what is kept back of a payment: by the rule, at most what is due, the first loan in the order first."""
    by_rule = rule.of(value)
    left, shares = by_rule.amount, []
    for claim in claims:
        amount = min(left, claim.room)
        if amount > 0:
            shares.append(Share(referral=claim.referral, loan=claim.loan, room=claim.room, amount=amount))
            left -= amount
    return Split(value, by_rule, tuple(shares))
