"""How late a loan is: its own schedule against what was paid, whatever a bank says of it.

A payment goes to the oldest instalment first and inside it to interest before principal, so the days past due
follow from the sum of principal and interest that was paid; fees are no part of an instalment.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from services.loans.domain.schedule import Instalment

ZERO = Decimal(0)
# The classes of lateness: a loan is in the last whose days it exceeds; exactly 30 days late is not over 30.
BUCKETS = (0, 30, 60, 90)


@dataclass(frozen=True)
class Arrears:
    """What is late on a day: `days` since the oldest instalment that is not wholly paid, and how much is owed."""

    days: int
    owed: Decimal
    since: date | None


@dataclass(frozen=True)
class Share:
    """One instalment and what of it is paid."""

    row: Instalment
    interest: Decimal
    principal: Decimal

    @property
    def left(self) -> Decimal:
        return self.row.due - self.interest - self.principal


@dataclass(frozen=True)
class Timetable:
    """What is due by when, summed up: `days` are ISO days in order, `sums` what is due in all by each of them.

    `written` is how it is stored: small, and read without making an object of every instalment.
    """

    days: Sequence[str]
    sums: Sequence[str]

    @classmethod
    def of(cls, rows: Sequence[Instalment], already: Decimal = ZERO) -> Timetable:
        """Return the timetable of a schedule; `already` was paid before its first instalment."""
        sums, total = [], already
        for row in rows:
            total += row.due
            sums.append(str(total))
        return cls([row.on.isoformat() for row in rows], sums)

    @classmethod
    def read(cls, text: str) -> Timetable:
        """Return the timetable that was written."""
        parts = text.split()
        return cls(parts[::2], parts[1::2])

    @cached_property
    def written(self) -> str:
        return " ".join(f"{day} {due}" for day, due in zip(self.days, self.sums, strict=True))

    def due_before(self, day: date) -> Decimal:
        """Return what was due before that day began: an instalment is not late on its own day."""
        passed = bisect_left(self.days, day.isoformat())
        return Decimal(self.sums[passed - 1]) if passed else ZERO

    def arrears(self, paid: Decimal, day: date, tolerance: Decimal = ZERO) -> Arrears:
        """Return how late somebody is who has paid that sum by the end of `day`; less than `tolerance` is forgiven."""
        owed = self.due_before(day) - paid
        if owed <= tolerance:
            return Arrears(0, ZERO, None)
        first = bisect_right(self.sums, paid + tolerance, key=Decimal)
        since = date.fromisoformat(self.days[first])
        return Arrears((day - since).days, owed, since)


def bucket(days: int) -> int:
    """Return the class of lateness from 0, not late, to 4, more than 90 days."""
    return bisect_left(BUCKETS, days)


def shared_out(rows: Sequence[Instalment], paid: Decimal) -> list[Share]:
    """Return the instalments with what of each is paid, the oldest first, interest before principal."""
    found = []
    for row in rows:
        interest = min(paid, row.interest)
        principal = min(paid - interest, row.principal)
        paid -= interest + principal
        found.append(Share(row, interest, principal))
    return found
