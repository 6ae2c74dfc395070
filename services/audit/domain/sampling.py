r"""Samples that nobody can choose and anybody can draw again: chance comes from the root of a checkpoint of the log.

Every number of chance is the SHA-256 of three lines, read as a whole number:
`printf 'tamga-sample/1\n%s\n%s\n' ROOT NAME | sha256sum`, ROOT being the checkpoint's root in hexadecimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

HEADER = "tamga-sample/1"
START = "start"  # the name whose number says where a sample by amount begins
_WHOLE = 1 << 256
_UNITS = 1000  # no currency has more than three decimals


class SamplingError(ValueError):
    """This can't be sampled so."""


@dataclass(frozen=True)
class Item:
    """What may be drawn: a case by its number or an event by its id; `leaf` is its first entry in the log.

    `programme` and `case` ("" for none) decide nothing: they are for whoever reads the sample.
    """

    name: str
    stratum: str
    leaf: int
    amount: Decimal | None = None
    programme: str = ""
    case: str = ""

    @property
    def units(self) -> int:
        """The amount in thousandths of its currency; raises SamplingError for a finer one."""
        scaled = (self.amount or Decimal(0)) * _UNITS
        if scaled != scaled.to_integral_value():
            raise SamplingError(f"{self.name} has an amount of more than three decimals")
        return int(scaled)


@dataclass(frozen=True)
class Drawn:
    """An item of the sample: the number of chance that chose it, and how often it was hit (by amount, perhaps more).

    `before` is how many thousandths of money lie before it, by amount.
    """

    item: Item
    number: str
    hits: int = 1
    before: int = 0


def number(root: bytes, name: str) -> bytes:
    """Return the number of chance that belongs to a name under a checkpoint, as 32 bytes; raises SamplingError."""
    if len(root) != 32:
        raise SamplingError("a checkpoint's root has 32 bytes")
    return sha256(f"{HEADER}\n{root.hex()}\n{name}\n".encode()).digest()


def shares(counts: dict[str, int], size: int) -> dict[str, int]:
    """Return how many to draw from each stratum: by its part of all, what is left over by the largest remainders.

    Equal remainders go by the strata's names; a stratum never gives more than it has.
    """
    whole = sum(counts.values())
    size = min(size, whole)
    if not size:
        return dict.fromkeys(counts, 0)
    given = {name: count * size // whole for name, count in counts.items()}
    order = sorted(counts, key=lambda name: (-(counts[name] * size % whole), name))
    for name in order[: size - sum(given.values())]:
        given[name] += 1
    return given


def by_chance(items: Iterable[Item], root: bytes, size: int) -> list[Drawn]:
    """Draw from each stratum its share: the items with the smallest numbers, in the order of strata and numbers."""
    _positive(size)
    strata: dict[str, list[Item]] = {}
    for item in items:
        strata.setdefault(item.stratum, []).append(item)
    parts = shares({name: len(found) for name, found in strata.items()}, size)
    drawn = []
    for name in sorted(strata):
        numbered = sorted((number(root, item.name).hex(), item.leaf, item) for item in strata[name])
        drawn += [Drawn(item, chance) for chance, _, item in numbered[: parts[name]]]
    return drawn


def by_amount(items: Sequence[Item], root: bytes, size: int) -> list[Drawn]:
    """Draw by monetary units: every unit of money has the same chance, whatever is larger than the step is drawn.

    The amounts lie end to end, in the order of stratum and leaf; their sum is T thousandths. The number named "start",
    times T, over 2^256, is the beginning S; hit k (from 0) falls on the thousandth (S + k * T) / size.
    Items without a positive amount can't be hit.
    """
    _positive(size)
    line = sorted((item for item in items if item.units > 0), key=lambda item: (item.stratum, item.leaf, item.name))
    whole = sum(item.units for item in line)
    chance, start = number(root, START), beginning(root, whole)
    drawn, end, hit = [], 0, 0
    for item in line:
        end += item.units
        before = hit
        while hit < size and start + hit * whole < end * size:
            hit += 1
        if hit > before:
            drawn.append(Drawn(item, chance.hex(), hit - before, end - item.units))
    return drawn


def beginning(root: bytes, whole: int) -> int:
    """Return S, in thousandths, of amounts of `whole` thousandths together: where a sample by amount begins."""
    return int.from_bytes(number(root, START)) * whole // _WHOLE


def _positive(size: int) -> None:
    if size < 1:
        raise SamplingError("a sample has at least one item")
