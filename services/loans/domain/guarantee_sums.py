"""The arithmetic of guarantees. Every sum is rounded half-even to the currency's smallest coin, once, at its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.loans.domain.schedule import add_months
from shared.money import Money

HUNDRED = Decimal(100)
YEAR = 365


def covered(principal: Money, percent: Decimal) -> Money:
    """Return the guaranteed part of a principal."""
    return Money.of(principal.amount * percent / HUNDRED, principal.currency)


def balance(limit: Money, outstanding: Money, percent: Decimal) -> Money:
    """Return what is guaranteed of an outstanding principal; never more than was issued."""
    return min(limit, covered(outstanding, percent))


def fee(base: Money, percent: Decimal, days: int = YEAR) -> Money:
    """Return the fee on a sum; for less than a year by days of 365."""
    return Money.of(base.amount * percent / HUNDRED * min(days, YEAR) / YEAR, base.currency)


def anniversary(first: date, number: int) -> date:
    """Return the day on which the year `number`, from 0, begins."""
    return add_months(first, 12 * number)


@dataclass(frozen=True)
class Room:
    """How much of a facility is used: `committed` by guarantees that hold, `spent` by losses of those that ended."""

    ceiling: Money
    committed: Money
    spent: Money

    @property
    def used(self) -> Money:
        return self.committed + self.spent

    @property
    def free(self) -> Money:
        return max(self.ceiling - self.used, Money.zero(self.ceiling.currency))


@dataclass(frozen=True)
class Loss:
    """A default: the principal outstanding then, what the guarantor paid on it, and what came back since."""

    principal: Money
    limit: Money  # what was issued
    percent: Decimal
    paid: Money
    recovered: Money  # of the principal, by the bank
    shared: Money  # the guarantor's part of it

    @property
    def entitled(self) -> Money:
        """Return the guaranteed part of the principal at default."""
        return balance(self.limit, self.principal, self.percent)

    def most(self, first_percent: Decimal) -> Money:
        """Return the most that can be claimed now: at first a share of it, later the rest of the part of the loss."""
        nothing = Money.zero(self.principal.currency)
        if not self.paid:
            return covered(self.entitled, first_percent)
        rest = self.entitled - self.paid
        left = covered(self.principal - self.recovered, self._rate()) - (self.paid - self.shared)
        return max(min(rest, left), nothing)

    def share(self, amount: Money) -> tuple[Money, Money]:
        """Return (the guarantor's, the bank's) part of a further recovery: by coverage, never more than was paid.

        The guarantor's part of all recoveries together is rounded once, so that many small ones add up to the cent.
        """
        whole = min(covered(self.recovered + amount, self._rate()), self.paid)
        theirs = max(whole - self.shared, Money.zero(amount.currency))
        theirs = min(theirs, amount)
        return theirs, amount - theirs

    def _rate(self) -> Decimal:
        """Return the share of the loss that is guaranteed: less than the coverage where the issued sum was less."""
        if not self.principal:
            return self.percent
        return self.entitled.amount * HUNDRED / self.principal.amount
