"""The deductions that reached the bank beside what its tapes say was paid: month by month, and all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.loans.domain.arrears import ZERO


@dataclass(frozen=True)
class Beside:
    """One tape: what it says was paid since the one before, and which deductions reached the bank in that time."""

    as_of: date
    on_tape: Decimal
    received: Decimal

    @property
    def not_on_tape(self) -> Decimal:
        """Return what was deducted and does not stand on the tape."""
        return max(self.received - self.on_tape, ZERO)

    @property
    def not_deducted(self) -> Decimal:
        """Return what stands on the tape and was not deducted: paid by the supplier, or kept back and not reported."""
        return max(self.on_tape - self.received, ZERO)


@dataclass(frozen=True)
class Books:
    """All tapes since the agreement is in force; `after` are deductions that the last of them can't know of."""

    referral: str
    loan: str
    lines: list[Beside]
    after: Decimal

    @property
    def whole(self) -> Beside | None:
        """Return all tapes together: what one month has too early the next has too little."""
        if not self.lines:
            return None
        sums = (sum((line.on_tape for line in self.lines), ZERO), sum((line.received for line in self.lines), ZERO))
        return Beside(self.lines[-1].as_of, *sums)


def books(
    referral: str,
    loan: str,
    since: date,
    tapes: Sequence[tuple[date, Decimal]],
    received: Sequence[tuple[date, Decimal]],
) -> Books:
    """Return the two side by side; `tapes` are sums since the loan began, `received` single ones, both by day."""
    before = [paid for as_of, paid in tapes if as_of < since]
    paid, last = before[-1] if before else ZERO, date.min
    lines = []
    for as_of, said in tapes:
        if as_of < since:
            continue
        arrived = sum((amount for day, amount in received if last < day <= as_of), ZERO)
        lines.append(Beside(as_of, said - paid, arrived))
        paid, last = said, as_of
    return Books(referral, loan, lines, sum((amount for day, amount in received if day > last), ZERO))
