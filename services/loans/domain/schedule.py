"""Repayment schedules: what is due when, exact to the cent.

Basis: instalments over unequal periods, P·Π(1+f) / F with F₁ = 1 and F = F·(1+f)+1, where f is a
period's interest fraction; the last instalment takes what rounding left over.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Literal

Amortisation = Literal["equal_instalment", "equal_principal"]
Interest = Literal["declining", "flat"]

_PRECISION = 34
_CENT = Decimal("0.01")
_MONTHS_A_YEAR = 12


@dataclass(frozen=True)
class Terms:
    """What a schedule is made from.

    `annual_rate` is a fraction (0.14), `every_months` the length of a period, `multiple` what an equal
    instalment is rounded to. During `grace_principal` periods only interest is due; interest of the
    first `grace_interest_payment` periods is charged but falls due in the period after them.
    """

    principal: Decimal
    annual_rate: Decimal
    periods: int
    start: date
    amortisation: Amortisation = "equal_instalment"
    interest: Interest = "declining"
    every_months: int = 1
    grace_principal: int = 0
    grace_interest_payment: int = 0
    multiple: Decimal = _CENT
    cent: Decimal = _CENT
    rounding: str = ROUND_HALF_EVEN

    def __post_init__(self) -> None:
        if self.principal <= 0 or self.annual_rate < 0 or self.multiple <= 0:
            raise ValueError("principal and multiple must be above zero and the rate not below it")
        if self.periods < 1 or self.every_months < 1:
            raise ValueError("a schedule has at least one period of at least one month")
        if not 0 <= self.grace_principal < self.periods or not 0 <= self.grace_interest_payment < self.periods:
            raise ValueError("grace leaves at least one period in which to repay")


@dataclass(frozen=True)
class Instalment:
    """One row: `principal` + `interest` = `due`, and the balance after it."""

    number: int
    on: date
    principal: Decimal
    interest: Decimal
    balance: Decimal

    @property
    def due(self) -> Decimal:
        return self.principal + self.interest


def add_months(start: date, months: int) -> date:
    """Return `start` that many months later; the 31st becomes the last day of a shorter month."""
    years, month = divmod(start.month - 1 + months, _MONTHS_A_YEAR)
    year = start.year + years
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def rounded(amount: Decimal, multiple: Decimal = _CENT, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Return `amount` rounded to a whole number of `multiple`."""
    return (amount / multiple).quantize(Decimal(1), rounding=rounding) * multiple


def equal_instalment(principal: Decimal, fractions: Sequence[Decimal]) -> Decimal:
    """Return the unrounded instalment that repays `principal` over periods with these interest fractions."""
    growth, value = Decimal(1), Decimal(0)
    for fraction in fractions:
        growth *= 1 + fraction
        value = value * (1 + fraction) + 1
    return principal * growth / value


def schedule(terms: Terms) -> list[Instalment]:
    """Return the rows of a loan paid out whole on `terms.start`, interest per period of `every_months`/12 years."""
    with localcontext() as context:
        context.prec = _PRECISION
        fraction = terms.annual_rate * terms.every_months / _MONTHS_A_YEAR
        principals = _principals(terms, fraction)
        return _rows(terms, fraction, principals)


def _principals(terms: Terms, fraction: Decimal) -> list[Decimal] | None:
    """Return the fixed principal parts, or None where each follows from an equal instalment."""
    if terms.amortisation == "equal_instalment" and terms.interest == "declining":
        return None
    repaying = terms.periods - terms.grace_principal
    part = rounded(terms.principal / repaying, terms.cent, terms.rounding)
    if terms.amortisation == "equal_instalment":
        interest = rounded(terms.principal * fraction, terms.cent, terms.rounding)
        part = max(rounded(part + interest, terms.multiple, terms.rounding) - interest, terms.cent)
    return [Decimal(0)] * terms.grace_principal + [part] * repaying


def _rows(terms: Terms, fraction: Decimal, principals: list[Decimal] | None) -> list[Instalment]:
    repaying = terms.periods - terms.grace_principal
    level = equal_instalment(terms.principal, [fraction] * repaying)
    level = max(rounded(level, terms.multiple, terms.rounding), terms.multiple)
    rows, balance, deferred = [], terms.principal, Decimal(0)
    for number in range(1, terms.periods + 1):
        base = terms.principal if terms.interest == "flat" else balance
        interest = rounded(base * fraction, terms.cent, terms.rounding)
        if number == terms.periods:
            principal = balance
        elif number <= terms.grace_principal:
            principal = Decimal(0)
        else:
            principal = max(level - interest, Decimal(0)) if principals is None else principals[number - 1]
            principal = min(principal, balance)
        balance -= principal
        deferred += interest
        paid = Decimal(0) if number <= terms.grace_interest_payment else deferred
        deferred -= paid
        on = add_months(terms.start, number * terms.every_months)
        rows.append(Instalment(number, on, principal.quantize(terms.cent), paid.quantize(terms.cent), +balance))
    return rows
