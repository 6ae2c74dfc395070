"""What a schedule is made from, and what may not be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Literal, NamedTuple

from shared.errors import InvalidError, Rule

Amortisation = Literal["equal_instalment", "equal_principal", "bullet"]
Interest = Literal["declining", "flat"]
DayCount = Literal["per_period", "30/360", "ACT/360", "ACT/365F"]
Unit = Literal["day", "week", "month", "year"]
Prepayment = Literal["fewer_instalments", "lower_instalment", "next_instalments"]
PrepaymentsAre = Literal["payments", "extra"]
PrepaymentInterest = Literal["to_the_day", "by_period"]
Move = Literal["next", "previous", "same_month"]

PRECISION = 34
MAX_PERIODS = 3660  # ten years of daily instalments
CENT = Decimal("0.01")
ZERO = Decimal(0)
LIMIT = Decimal(10) ** 15
Dated = tuple[tuple[date, Decimal], ...]


class TermsError(InvalidError, ValueError):
    """Terms from which no schedule can be made; `figures` has what was given, by field."""

    def __init__(self, fields: dict[str, str], figures: dict[str, str] | None = None) -> None:
        super().__init__(fields)
        self.figures = figures or {}
        self.args = ("; ".join(f"{name} {rule}" for name, rule in fields.items()),)


class Every(NamedTuple):
    """The length of a period: so many days, weeks, months or years."""

    number: int = 1
    unit: Unit = "month"


MONTHLY = Every()


class Holidays(NamedTuple):
    """A due date on no working day of `country` moves; `same_month` is the next one unless that is another month."""

    country: str
    move: Move = "next"


@dataclass(frozen=True)
class Terms:
    """What a schedule is made from.

    `annual_rate` is a fraction (0.14). `principal` is what is paid out on `start`, each of `tranches` is more on its
    day. During `grace_principal` periods only interest is due; interest of the first `grace_interest_payment` periods
    is charged but falls due after them; in the first `grace_interest_charged` none is charged. `multiple` is what an
    equal instalment is rounded to, `instalment` one that was agreed instead of computed. Each of `prepayments` is what
    is paid on that day: on a due date with the instalment in it, between them ahead of it; or, as `extra`, on top of
    every instalment. `down_payment` is the fraction repaid on the day of each payout; `first_fraction` the part of the
    first period for which there is interest.
    """

    principal: Decimal
    annual_rate: Decimal
    periods: int
    start: date
    amortisation: Amortisation = "equal_instalment"
    interest: Interest = "declining"
    every: Every = MONTHLY
    day_count: DayCount = "per_period"
    grace_principal: int = 0
    grace_interest_payment: int = 0
    grace_interest_charged: int = 0
    multiple: Decimal | None = None
    instalment: Decimal | None = None
    tranches: Dated = ()
    prepayments: Dated = ()
    prepayment: Prepayment = "fewer_instalments"
    prepayments_are: PrepaymentsAre = "payments"
    prepayment_interest: PrepaymentInterest = "to_the_day"
    rate_changes: Dated = ()
    down_payment: Decimal = ZERO
    first_fraction: Decimal | None = None
    holidays: Holidays | None = None
    cent: Decimal = CENT
    rounding: str = ROUND_HALF_EVEN

    def __post_init__(self) -> None:
        wrong = dict(_wrong(self))
        if wrong:
            raise TermsError(
                {name: rule for name, (rule, _) in wrong.items()}, {k: str(v) for k, (_, v) in wrong.items()}
            )

    def unit(self) -> Decimal:
        """Return what an equal instalment is rounded to: its multiple, or the smallest coin."""
        return self.multiple or self.cent

    def rounded(self, amount: Decimal, unit: Decimal | None = None) -> Decimal:
        return rounded(amount, unit or self.cent, self.rounding)

    def disbursed(self) -> Decimal:
        """Return all that is paid out."""
        return self.principal + sum((amount for _, amount in self.tranches), ZERO)


def rounded(amount: Decimal, unit: Decimal = CENT, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Return `amount` rounded to a whole number of `unit`."""
    return (amount / unit).quantize(Decimal(1), rounding=rounding) * unit


_Wrong = Iterator[tuple[str, tuple[Rule, object]]]


def _wrong(terms: Terms) -> _Wrong:
    """Give (field, (broken rule, the figure given))."""
    with localcontext() as context:
        context.prec = PRECISION
        yield from _inexact(terms)
        yield from _amounts(terms)
        yield from _lengths(terms)
        yield from _dated(terms)


def _inexact(terms: Terms) -> _Wrong:
    given = [("principal", terms.principal), ("multiple", terms.multiple), ("instalment", terms.instalment)]
    for name in ("tranches", "prepayments"):
        given += [(name, amount) for _, amount in getattr(terms, name)]
    for name, amount in given:
        if amount is not None and abs(amount) >= LIMIT:
            yield name, (Rule("is too large an amount"), amount)
        elif amount is not None and amount != amount.quantize(terms.cent):
            places = -int(terms.cent.as_tuple().exponent)
            yield name, (Rule("has more than the %(places)s decimals of the currency", places=places), amount)


def _amounts(terms: Terms) -> _Wrong:
    if terms.principal < 0 or terms.disbursed() <= 0:
        yield "principal", (Rule("must be above zero"), terms.principal)
    if not 0 <= terms.annual_rate <= 10:
        yield "annual_rate", (Rule("must be between 0 and 1,000 per cent"), terms.annual_rate * 100)
    if not 0 <= terms.down_payment < 1:
        yield "down_payment", (Rule("must be at least 0 and below 100 per cent"), terms.down_payment * 100)
    if terms.multiple is not None and terms.multiple <= 0:
        yield "multiple", (Rule("must be above zero"), terms.multiple)
    if terms.first_fraction is not None and not 0 < terms.first_fraction <= 2:
        yield "first_fraction", (Rule("must be above 0 and at most 2 periods"), terms.first_fraction)
    if terms.instalment is not None:
        if terms.instalment <= 0:
            yield "instalment", (Rule("must be above zero"), terms.instalment)
        if terms.amortisation != "equal_instalment":
            yield "instalment", (Rule("can be agreed for equal instalments alone"), terms.instalment)


def _lengths(terms: Terms) -> _Wrong:
    if not 1 <= terms.periods <= MAX_PERIODS:
        yield "periods", (Rule("must be between 1 and %(most)s", most=MAX_PERIODS), terms.periods)
    if not 1 <= terms.every.number <= 366:
        yield "every", (Rule("must be at least one day, week, month or year, and at most 366"), terms.every.number)
    for name in ("grace_principal", "grace_interest_payment", "grace_interest_charged"):
        given = getattr(terms, name)
        if given and not 0 <= given < terms.periods:
            rule = Rule("must leave at least one of the %(periods)s periods in which to repay", periods=terms.periods)
            yield name, (rule, given)


def _dated(terms: Terms) -> _Wrong:
    for name in ("tranches", "prepayments", "rate_changes"):
        for on, amount in getattr(terms, name):
            if amount < 0 or (amount == 0 and name != "rate_changes"):
                yield name, (Rule("on %(on)s must be above zero", on=on), amount)
            if on < terms.start:
                yield name, (Rule("must not be before the first day, %(start)s", start=terms.start), on)
    if any(rate > 10 for _, rate in terms.rate_changes):
        worst = max(rate for _, rate in terms.rate_changes)
        yield "rate_changes", (Rule("must be between 0 and 1,000 per cent"), worst * 100)
    days = [on for on, _ in terms.rate_changes]
    if len(set(days)) < len(days):
        twice = next(on for on in days if days.count(on) > 1)
        yield "rate_changes", (Rule("must not give two rates from one day"), twice)
