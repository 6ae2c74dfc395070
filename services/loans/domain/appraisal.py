"""What a row of yearly flows is worth, and what an offer truly costs: NPV, IRR, MIRR, payback, effective rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from itertools import pairwise

from services.loans.domain.schedule import Terms, effective_rate
from services.loans.domain.schedule.truecost import rate_of

_PRECISION = 34
_STEPS = 90  # halvings of [0.001, 100]: far below the twentieth decimal
_LEAST, _MOST = Decimal("0.001"), Decimal(100)  # 1/(1+rate) of 100,000 % and of -99 %
_TOUCHES = Decimal("1E-16")


@dataclass(frozen=True)
class Worth:
    """The appraisal of flows by year (year 0 first); fractions, not percentages; None where there is no answer."""

    npv: Decimal
    irr: Decimal | None
    mirr: Decimal | None
    profitability: Decimal | None
    payback: Decimal | None
    discounted_payback: Decimal | None


def npv(flows: Sequence[Decimal], rate: Decimal) -> Decimal:
    """Return Σ flow / (1+rate)^year, the first flow at year 0."""
    value = Decimal(0)
    for flow in reversed(flows):
        value = value / (1 + rate) + flow
    return value


def irr(flows: Sequence[Decimal]) -> Decimal | None:
    """Return the rate at which `npv` is zero, or None where there is none or more than one (`all_rates`)."""
    found = all_rates(flows)
    return found[0] if len(found) == 1 else None


def all_rates(flows: Sequence[Decimal]) -> list[Decimal]:
    """Return every rate above -99 % and up to 100,000 % at which `npv` is zero, lowest first.

    One change of sign among the flows has one rate at most. With more, the worth is a polynomial in 1/(1+rate), whose
    roots lie between the roots of its slope.
    """
    signs = [flow > 0 for flow in flows if flow]
    changes = sum(a != b for a, b in pairwise(signs))
    if not changes:
        return []
    with localcontext() as context:
        context.prec = _PRECISION
        if changes == 1:
            timed = [(Decimal(year), flow) for year, flow in enumerate(flows) if flow]
            found = rate_of(timed, Decimal("0.1"))
            return [] if found is None else [found]
        return sorted(1 / root - 1 for root in _roots(list(flows), _LEAST, _MOST))


def _value(coefficients: Sequence[Decimal], at: Decimal) -> Decimal:
    total = Decimal(0)
    for coefficient in reversed(coefficients):
        total = total * at + coefficient
    return total


def _roots(coefficients: list[Decimal], low: Decimal, high: Decimal) -> list[Decimal]:
    """Return where Σ cₖ·xᵏ is zero between `low` and `high`, lowest first; touching counts once."""
    while coefficients and not coefficients[-1]:
        coefficients = coefficients[:-1]
    if len(coefficients) < 2:
        return []
    slope = [coefficient * power for power, coefficient in enumerate(coefficients)][1:]
    turns = _roots(slope, low, high)
    tiny = max(abs(coefficient) for coefficient in coefficients) * _TOUCHES
    found = [turn for turn in turns if abs(_value(coefficients, turn)) <= tiny]
    for start, end in pairwise([low, *turns, high]):
        below, above = _value(coefficients, start), _value(coefficients, end)
        if abs(below) > tiny and abs(above) > tiny and (below > 0) != (above > 0):
            found.append(_halved(coefficients, start, end, rising=above > 0))
    return sorted(found)


def _halved(coefficients: Sequence[Decimal], low: Decimal, high: Decimal, *, rising: bool) -> Decimal:
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if (_value(coefficients, middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def mirr(flows: Sequence[Decimal], finance: Decimal, reinvest: Decimal) -> Decimal | None:
    """Return (future value of inflows at `reinvest` / present value of outflows at `finance`)^(1/years) - 1."""
    years = len(flows) - 1
    out = -npv([min(flow, Decimal(0)) for flow in flows], finance)
    into = sum(
        (max(flow, Decimal(0)) * (1 + reinvest) ** (years - year) for year, flow in enumerate(flows)), Decimal(0)
    )
    if years < 1 or out <= 0 or into <= 0:
        return None
    return (into / out) ** (Decimal(1) / years) - 1


def payback(flows: Sequence[Decimal]) -> Decimal | None:
    """Return the years until the flows have paid back, in parts of a year, or None when they never do."""
    left = Decimal(0)
    for year, flow in enumerate(flows):
        if year and left < 0 <= left + flow:
            return year - 1 + -left / flow
        left += flow
    return None


def appraise(flows: Sequence[Decimal], rate: Decimal, reinvest: Decimal) -> Worth:
    """Return the worth of `flows` at the discount and finance rate `rate`."""
    with localcontext() as context:
        context.prec = _PRECISION
        value = npv(flows, rate)
        first = -flows[0] if flows else Decimal(0)
        discounted = [flow / (1 + rate) ** year for year, flow in enumerate(flows)]
        return Worth(
            npv=value,
            irr=irr(flows),
            mirr=mirr(flows, rate, reinvest),
            profitability=(value + first) / first if first > 0 else None,
            payback=payback(flows),
            discounted_payback=payback(discounted),
        )


def offer_cost(amount: Decimal, rate: Decimal, months: int, fee: Decimal, start: date) -> Decimal | None:
    """Return the effective annual cost of a bank's offer with equal monthly instalments, its fee paid at once."""
    terms = Terms(principal=amount, annual_rate=rate, periods=months, start=start)
    return effective_rate(terms, ((start, fee),))
