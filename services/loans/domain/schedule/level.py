"""The equal instalment: what repays a balance over periods of different length, and how its last one is evened out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from services.loans.domain.schedule.terms import ZERO, Terms


def equal_instalment(principal: Decimal, fractions: Sequence[Decimal]) -> Decimal:
    """Return the unrounded instalment that repays `principal` over periods with these interest fractions.

    P·Π(1+f) / F with F₁ = 1 and Fₖ = Fₖ₋₁·(1+fₖ) + 1.
    """
    growth, value = Decimal(1), ZERO
    for fraction in fractions:
        growth *= 1 + fraction
        value = value * (1 + fraction) + 1
    return principal * growth / value


class Owed(NamedTuple):
    """What equal instalments are to repay.

    `weights` are each period's rate × units, of which a year has `a_year`. `extra` (usually below zero) is by how much
    the first period's interest × `a_year` differs, because some of it was paid out within that period.
    """

    amount: Decimal
    weights: Sequence[Decimal]
    a_year: int
    extra: Decimal = ZERO


def level(terms: Terms, owed: Owed) -> Decimal:
    """Return the equal instalment, rounded and evened out."""
    fractions = [weight / owed.a_year for weight in owed.weights]
    exact = equal_instalment(owed.amount + owed.extra / owed.a_year / (1 + fractions[0]), fractions)
    return evened(terms, max(terms.rounded(exact, terms.unit()), terms.unit()), owed)


def evened(terms: Terms, found: Decimal, owed: Owed) -> Decimal:
    """Return an instalment whose last one differs less from it, when one is near; else the same.

    Where the last instalment differs by more smallest coins than half the number of instalments, the difference is
    spread over all of them once; that is kept only when the last one then differs by less.
    """
    count = len(owed.weights)
    off = _last(terms, found, owed) - found
    if count < 2 or abs(off) / terms.cent <= count // 2:
        return found
    tried = terms.rounded(found + terms.rounded(off / count), terms.unit())
    if tried in {found, ZERO}:
        return found
    return tried if abs(_last(terms, tried, owed) - tried) < abs(off) else found


def _last(terms: Terms, instalment: Decimal, owed: Owed) -> Decimal:
    """Return what is left for the last instalment when all before are `instalment`."""
    cent, rounding = terms.cent, terms.rounding
    balance, weights, a_year, extra = owed
    for weight in weights[:-1]:
        interest = ((balance * weight + extra) / a_year).quantize(cent, rounding=rounding)
        extra = ZERO
        if instalment > interest:
            balance -= min(instalment - interest, balance)
    return balance + ((balance * weights[-1] + extra) / a_year).quantize(cent, rounding=rounding)
