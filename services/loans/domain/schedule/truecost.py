"""What a loan truly costs in a year: the rate at which what is received and what is paid are worth the same."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, localcontext
from typing import Literal

from services.loans.domain.schedule.dated import refused
from services.loans.domain.schedule.engine import Run
from services.loans.domain.schedule.terms import PRECISION, ZERO, Dated, Terms
from shared.errors import Rule

By = Literal["period", "days"]
_A_YEAR = {"day": 365, "week": 52, "month": 12, "year": 1}
_DAYS_A_YEAR = 365
_STEPS = 200
_EXACT = Decimal("1E-22")
_LEAST, _MOST = Decimal("0.001"), Decimal(10) ** 6  # what 1 can become in a year: -99.9 % to 100 million per cent


def effective_rate(terms: Terms, fees: Dated = (), by: By | None = None) -> Decimal | None:
    """Return the effective yearly cost of a loan on these terms as a fraction; None where no rate fits."""
    with localcontext() as context:
        context.prec = PRECISION
        run = Run(terms)
        run.make()
        return cost_of(run, fees, by)


def cost_of(run: Run, fees: Dated = (), by: By | None = None) -> Decimal | None:
    """Return the effective yearly cost of a made schedule as a fraction, fees on their days included.

    By `period`, each counts as the same part of a year (1/12), as interest by periods does; by `days` each flow is
    discounted over its days/365. Without `by`: days where the terms count actual days, else periods.
    """
    terms = run.terms
    chosen = by or ("days" if terms.day_count.startswith("ACT") else "period")
    a_year = Decimal(_DAYS_A_YEAR) if chosen == "days" else Decimal(_A_YEAR[terms.every.unit]) / terms.every.number
    with localcontext() as context:
        context.prec = PRECISION
        time_of = _times(run, chosen)
        timed = [(time_of(on), amount) for on, amount in _flows(run, fees).items() if amount]
        rate = rate_of(timed, terms.annual_rate / a_year, a_year)
        return None if rate is None else (1 + rate) ** a_year - 1


def _flows(run: Run, fees: Dated) -> dict[date, Decimal]:
    """Return the borrower's flows by day: received above zero, paid below."""
    terms, end = run.terms, run.spans[-1].end
    flows = dict.fromkeys([terms.start], terms.principal)
    for on, amount in terms.tranches:
        flows[on] = flows.get(on, ZERO) + amount
    for on, amount in fees:
        if amount < 0:
            raise refused("fees", Rule("on %(on)s must not be below zero", on=on), amount)
        if not terms.start <= on <= end:
            raise refused("fees", Rule("must be between %(start)s and %(end)s", start=terms.start, end=end), on)
        flows[on] = flows.get(on, ZERO) - amount
    for row in run.rows:
        flows[row.on] = flows.get(row.on, ZERO) - row.due
    for on, amount, counted_on in run.early:
        flows[on] = flows.get(on, ZERO) - amount
        flows[counted_on] = flows.get(counted_on, ZERO) + amount
    return flows


def _times(run: Run, by: By) -> Callable[[date], Decimal]:
    """Return what says when a day is: in days from the first, or in periods, the first of which may be broken."""
    spans, ends = run.spans, [span.end for span in run.spans]
    first = spans[0].part / spans[0].whole if spans[0].whole else Decimal(1)

    def in_periods(on: date) -> Decimal:
        index = bisect_left(ends, on)
        at, span = first + index, spans[index]
        if on == span.end:
            return at
        left = Decimal((span.end - on).days) / (span.end - span.start).days
        return max(at - left, ZERO)

    return in_periods if by == "period" else lambda on: Decimal((on - run.terms.start).days)


def rate_of(flows: Sequence[tuple[Decimal, Decimal]], guess: Decimal, a_year: Decimal = Decimal(1)) -> Decimal | None:
    """Return the rate per unit of time, of which a year has `a_year`, at which (time, amount)s are worth nothing.

    Newton's steps within a bracket that halves where they leave it. None where the worth does not change its sign.
    """
    part = min(1 / a_year, Decimal(1))
    low, high = _LEAST**part - 1, _MOST**part - 1
    at_low, at_high = _worth(flows, low)[0], _worth(flows, high)[0]
    if not at_low or not at_high or (at_low > 0) == (at_high > 0):
        return None
    rate = guess
    for _ in range(_STEPS):
        worth, slope = _worth(flows, rate)
        if not worth:
            return rate
        if (worth > 0) == (at_low > 0):
            low = rate
        else:
            high = rate
        after = rate - worth / slope if slope else low
        if not low < after < high:
            after = (low + high) / 2
        if abs(after - rate) < _EXACT:
            return after
        rate = after
    return rate


def _worth(flows: Sequence[tuple[Decimal, Decimal]], rate: Decimal) -> tuple[Decimal, Decimal]:
    """Return Σ amount·(1+rate)^-time and its slope."""
    worth = slope = ZERO
    growth = 1 + rate
    for time, amount in flows:
        whole = int(time)
        part = amount / growth ** (whole if whole == time else time)
        worth += part
        slope -= part * time
    return worth, slope / growth
