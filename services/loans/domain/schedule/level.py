"""The equal instalment: what repays a balance over periods of different length, and how its last one is evened out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

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


def level(terms: Terms, owed: Decimal, extra: Decimal, fractions: Sequence[Decimal]) -> Decimal:
    """Return the equal instalment, rounded and evened out.

    `owed` is repaid over periods with these interest fractions; `extra` (usually below zero) is by how much the first
    period's interest differs, because some of it was paid out within that period.
    """
    exact = equal_instalment(owed + extra / (1 + fractions[0]), fractions)
    found = max(terms.rounded(exact, terms.unit()), terms.unit())
    return evened(terms, found, owed, extra, fractions)


def evened(terms: Terms, found: Decimal, owed: Decimal, extra: Decimal, fractions: Sequence[Decimal]) -> Decimal:
    """Return an instalment whose last one differs less from it, when one is near; else the same.

    Where the last instalment differs by more smallest coins than half the number of instalments, the difference is
    spread over all of them once; that is kept only when the last one then differs by less.
    """
    count = len(fractions)
    off = _last(terms, found, owed, extra, fractions) - found
    if count < 2 or abs(off) / terms.cent <= count // 2:
        return found
    tried = terms.rounded(found + terms.rounded(off / count), terms.unit())
    if tried in {found, ZERO}:
        return found
    return tried if abs(_last(terms, tried, owed, extra, fractions) - tried) < abs(off) else found


def _last(terms: Terms, instalment: Decimal, owed: Decimal, extra: Decimal, fractions: Sequence[Decimal]) -> Decimal:
    """Return what is left for the last instalment when all before are `instalment`."""
    cent, rounding, balance = terms.cent, terms.rounding, owed
    for fraction in fractions[:-1]:
        interest = (balance * fraction + extra).quantize(cent, rounding=rounding)
        extra = ZERO
        if instalment > interest:
            balance -= min(instalment - interest, balance)
    return balance + (balance * fractions[-1] + extra).quantize(cent, rounding=rounding)
