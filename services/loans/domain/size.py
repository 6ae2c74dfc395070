"""The size class of a firm by the criteria of the programme: which figures, how many of them, in which years.

The criteria are the pack's: those of the EU (Recommendation 2003/361/EC, Articles 2 and 4) ask for the employees and
one of the two amounts, many laws for any two of three; and a class changes after so many years in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Criterion = Literal["employees", "turnover", "balance_total"]
CRITERIA: tuple[Criterion, ...] = ("employees", "turnover", "balance_total")
LARGE = "large"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(_Strict):
    """What a figure may come to: below it, or up to it."""

    below: Decimal | None = Field(default=None, gt=0)
    at_most: Decimal | None = Field(default=None, gt=0)

    def holds(self, value: Decimal) -> bool:
        return (self.below is None or value < self.below) and (self.at_most is None or value <= self.at_most)


class SizeClass(_Strict):
    code: Literal["micro", "small", "medium"]
    limits: dict[Criterion, Limit]


class SizeRule(_Strict):
    """The criteria: each of `all_of` must hold and `count` of `any_of`; `years` in a row change a class."""

    law: str
    currency: str
    all_of: list[Criterion] = []
    any_of: list[Criterion] = []
    count: int = 0
    years: int = Field(default=2, ge=1, le=5)
    classes: list[SizeClass]


@dataclass(frozen=True)
class Figures:
    """A year's figures; None where nobody has stated one, or it is in another currency."""

    year: int
    employees: Decimal | None
    turnover: Decimal | None
    balance_total: Decimal | None


@dataclass(frozen=True)
class YearSize:
    """A year by its own figures: its class (None: not to be told), and which criteria of the class hold."""

    figures: Figures
    by_figures: str | None
    held: dict[str, bool | None]
    stands: str | None  # the class that the firm has by the end of that year


@dataclass(frozen=True)
class Size:
    """The class, and how it came about, year by year; `pending` is a class that another such year would bring."""

    code: str | None
    pending: str | None
    years: list[YearSize]


def size_of(rule: SizeRule, figures: Sequence[Figures]) -> Size:
    """Return the size class that those years give, oldest first.

    The first year that can be told gives the class; it changes when each of the last `rule.years` years has another
    one, and becomes that of the newest.
    """
    stands: str | None = None
    found: list[YearSize] = []
    differing = 0
    for item in sorted(figures, key=lambda one: one.year):
        own, held = _by_figures(rule, item)
        differing = differing + 1 if own and own != stands else 0
        if own and (stands is None or differing >= rule.years):
            stands, differing = own, 0
        found.append(YearSize(item, own, held, stands))
    last = found[-1].by_figures if found else None
    return Size(stands, last if differing and last != stands else None, found)


def _by_figures(rule: SizeRule, figures: Figures) -> tuple[str | None, dict[str, bool | None]]:
    """Return the smallest class whose criteria hold, and which of its criteria do (of the largest where none does)."""
    held: dict[str, bool | None] = {}
    for item in rule.classes:
        held = {name: _held(item.limits[name], getattr(figures, name)) for name in CRITERIA if name in item.limits}
        if _fits(rule, held, unknown=False):
            return item.code, held
        if _fits(rule, held, unknown=True):
            return None, held  # what is not known decides
    return LARGE, held


def _held(limit: Limit, value: Decimal | None) -> bool | None:
    return None if value is None else limit.holds(value)


def _fits(rule: SizeRule, held: dict[str, bool | None], *, unknown: bool) -> bool:
    """Tell whether the criteria are met, with what is not known taken as holding or as not."""
    taken = {name: unknown if value is None else value for name, value in held.items()}
    enough = sum(taken.get(name, False) for name in rule.any_of) >= rule.count
    return enough and all(taken.get(name, False) for name in rule.all_of)
