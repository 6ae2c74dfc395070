"""What happens on days of its own: payouts, payments ahead of time, new rates, each put into its period."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from services.loans.domain.schedule.periods import Period
from services.loans.domain.schedule.terms import ZERO, Terms, TermsError
from shared.errors import Rule

Items = list[tuple[date, Decimal]]
NONE: Items = []


def refused(field: str, rule: Rule, figure: object) -> TermsError:
    return TermsError({field: rule}, {field: str(figure)})


class Dated:
    """Events by the index of their period.

    `payouts` lie within a period, those of a due date stand in `at_due` by the index of the period that ends; they
    come after that day's instalment. `ahead` are payments within a period, `with_due` those on its due date.
    """

    def __init__(self, terms: Terms, spans: Sequence[Period]) -> None:
        self._ends = [span.end for span in spans]
        self.first = terms.principal + sum((amount for on, amount in terms.tranches if on == terms.start), ZERO)
        self.payouts: dict[int, Items] = {}
        self.at_due: dict[int, Decimal] = {}
        self.ahead: dict[int, Items] = {}
        self.with_due: dict[int, Decimal] = {}
        self.rates: dict[int, Items] = {}
        for on, amount in sorted(item for item in terms.tranches if item[0] > terms.start):
            self._payout(on, amount)
        for on, amount in sorted(terms.prepayments):
            self._payment(on, amount)
        for on, rate in sorted(terms.rate_changes):
            self.rates.setdefault(bisect_right(self._ends, on), []).append((on, rate))
        self.last_payout = max([*self.payouts, *self.at_due], default=-1)

    def _payout(self, on: date, amount: Decimal) -> None:
        index = bisect_right(self._ends, on)
        if index == len(self._ends):
            raise refused("tranches", Rule("must be before the last instalment, %(end)s", end=self._ends[-1]), on)
        if index and self._ends[index - 1] == on:
            self.at_due[index - 1] = self.at_due.get(index - 1, ZERO) + amount
        else:
            self.payouts.setdefault(index, []).append((on, amount))

    def _payment(self, on: date, amount: Decimal) -> None:
        index = bisect_left(self._ends, on)
        if index == len(self._ends):
            raise refused("prepayments", Rule("must not be after the last instalment, %(end)s", end=self._ends[-1]), on)
        if self._ends[index] == on:
            self.with_due[index] = self.with_due.get(index, ZERO) + amount
        else:
            self.ahead.setdefault(index, []).append((on, amount))
