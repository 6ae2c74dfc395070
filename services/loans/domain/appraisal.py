"""What a row of yearly flows is worth, and what an offer truly costs: NPV, IRR, MIRR, payback, effective rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from itertools import pairwise

from services.loans.domain.schedule import Terms, effective_rate

_PRECISION = 34
_STEPS = 120  # halvings of [-0.99, 10]: far below the sixteenth decimal


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
    """Return the rate at which `npv` is zero, between -99 % and 1,000 %, or None when it has no single sign change."""
    signs = [flow > 0 for flow in flows if flow]
    if sum(a != b for a, b in pairwise(signs)) != 1:
        return None
    with localcontext() as context:
        context.prec = _PRECISION
        low, high = Decimal("-0.99"), Decimal(10)
        rising = npv(flows, low) < 0
        if (npv(flows, high) < 0) == rising:
            return None
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if (npv(flows, middle) < 0) == rising:
                low = middle
            else:
                high = middle
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
