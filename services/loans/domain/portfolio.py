"""Portfolio at risk: the outstanding principal of late loans as a share of all outstanding principal.

By outstanding principal, never by the number of loans, the instalment or the first amount. A loan is over 30 days
late from the 31st day. Restructured loans are shown beside; written-off loans are in neither part, and counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

ZERO = Decimal(0)
_PLACES = Decimal("0.000001")
DIMENSIONS = ("product", "sector", "sex", "age", "place")


@dataclass(frozen=True)
class Balance:
    """One loan on a day."""

    outstanding: Decimal
    days: int
    restructured: bool = False
    written_off: bool = False


@dataclass
class Sums:
    """Balances of one currency, summed up; `over_30` is the outstanding principal of loans more than 30 days late."""

    loans: int = 0
    outstanding: Decimal = ZERO
    over_0: Decimal = ZERO
    over_30: Decimal = ZERO
    over_60: Decimal = ZERO
    over_90: Decimal = ZERO
    restructured: Decimal = ZERO
    over_30_or_restructured: Decimal = ZERO
    late_loans: int = 0
    written_off_loans: int = 0
    written_off: Decimal = ZERO

    def add(self, item: Balance) -> None:
        """Count one loan."""
        if item.written_off:
            self.written_off_loans += 1
            self.written_off += item.outstanding
            return
        self.loans += 1
        self.outstanding += item.outstanding
        if item.restructured:
            self.restructured += item.outstanding
        if item.days > 0:
            self._late(item)
        if item.restructured or item.days > 30:
            self.over_30_or_restructured += item.outstanding

    def _late(self, item: Balance) -> None:
        self.late_loans += 1
        self.over_0 += item.outstanding
        if item.days > 30:
            self.over_30 += item.outstanding
        if item.days > 60:
            self.over_60 += item.outstanding
        if item.days > 90:
            self.over_90 += item.outstanding

    def join(self, other: Sums) -> None:
        """Count what another sum of the same currency holds."""
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def share(self, name: str) -> Decimal | None:
        """Return a sum as a fraction of the outstanding principal; None where nothing is outstanding."""
        if not self.outstanding:
            return None
        part: Decimal = getattr(self, name)
        return (part / self.outstanding).quantize(_PLACES, ROUND_HALF_UP)

    def values(self) -> dict[str, Any]:
        """Return the sums by their names."""
        return {name: getattr(self, name) for name in SUMS}


SUMS = tuple(item.name for item in fields(Sums))
# What each share is called where it is written down.
SHARES = {
    "par0": "over_0",
    "par30": "over_30",
    "par60": "over_60",
    "par90": "over_90",
    "par30_or_restructured": "over_30_or_restructured",
}


def par(sums: Sums) -> dict[str, Decimal | None]:
    """Return the shares at risk by their names."""
    return {name: sums.share(of) for name, of in SHARES.items()}


@dataclass(frozen=True)
class Key:
    """Of what a sum is: who may see it, in which currency, by which dimension ("all" for the whole), which value."""

    audience: str  # "programme", or "bank": without what was not disclosed to it
    currency: str
    dimension: str
    value: str


WHOLE = ("programme", "all")


@dataclass
class Cube:
    """Sums by every dimension, for the programme and for the bank."""

    sums: dict[Key, Sums] = field(default_factory=dict)

    def add(self, currency: str, item: Balance, of: dict[str, str], disclosed: frozenset[str]) -> None:
        """Count a loan under its values; to the bank, a value that the applicant did not disclose is unknown."""
        for audience in ("programme", "bank"):
            self._under(Key(audience, currency, "all", "")).add(item)
            for name in DIMENSIONS:
                known = audience == "programme" or name in disclosed
                self._under(Key(audience, currency, name, of.get(name, "") if known else "")).add(item)

    def _under(self, key: Key) -> Sums:
        found = self.sums.get(key)
        if found is None:
            found = self.sums[key] = Sums()
        return found
