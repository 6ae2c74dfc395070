"""One schedule, period by period: what was paid out, what interest that bears, what falls due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.loans.domain.schedule.dated import NONE, Dated, Items, refused
from services.loans.domain.schedule.level import Owed, level
from services.loans.domain.schedule.periods import a_year, averaged, nominal, periods
from services.loans.domain.schedule.terms import ZERO, Terms, TermsError
from shared.errors import Rule

_Weighed = list[tuple[Decimal, Decimal]]  # (amount, rate × units from its day to the end of the period)


class Instalment(NamedTuple):
    """One row: `principal` + `interest` = `due`, and the balance after it (with what is paid out on that day)."""

    number: int
    on: date
    principal: Decimal
    interest: Decimal
    balance: Decimal

    @property
    def due(self) -> Decimal:
        return self.principal + self.interest


class Run:
    """The making of one schedule. `rows` are its result, `early` what was paid between due dates: day, amount, row."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.spans = periods(terms)
        self._bearing = self.spans if terms.interest == "declining" else averaged(self.spans)
        self.dated = Dated(terms, self.spans)
        self._a_year = a_year(terms)
        self.rows: list[Instalment] = []
        self.early: list[tuple[date, Decimal, date]] = []
        self._rate = terms.annual_rate
        self._agreed = terms.instalment
        self._balance = ZERO  # what is owed
        self._gross = ZERO  # what has been paid out, which flat interest is for
        self._deferred = ZERO  # interest charged whose payment is put off
        self._spread = ZERO  # ... and how much of it each flat instalment takes
        self._credit = ZERO  # paid in advance of the next instalments
        self._level = ZERO  # the equal instalment, or the equal part of the principal
        self._stale = True  # ... has to be computed anew
        self._by_instalment = terms.interest == "declining" and terms.amortisation == "equal_instalment"
        self._in_months = (
            terms.multiple is not None
            and terms.multiple > terms.cent
            and terms.day_count.startswith("ACT")
            and terms.every.unit in {"month", "year"}
        )

    def make(self) -> list[Instalment]:
        """Make the rows; raises TermsError for a payment of more than is owed."""
        self._pay_out(self.terms.start, self.dated.first)
        for index in range(len(self.spans)):
            self._period(index)
            if self._finished(index):
                break
        return self.rows

    def _finished(self, index: int) -> bool:
        """Tell whether nothing is left; agreed flat interest runs to its end unless the loan is repaid ahead."""
        if self._balance or index < self.dated.last_payout:
            return False
        return self.terms.interest == "declining" or bool(self.terms.prepayments)

    def _row(self, on: date, principal: Decimal, interest: Decimal) -> None:
        self.rows.append(Instalment(len(self.rows) + 1, on, principal, interest, self._balance))

    def _pay_out(self, on: date, amount: Decimal) -> None:
        self._add(amount)
        self._down_payment(on, amount)

    def _add(self, amount: Decimal) -> None:
        self._balance = (self._balance + amount).quantize(self.terms.cent)
        self._gross += amount

    def _down(self, amount: Decimal) -> Decimal:
        terms = self.terms
        if not terms.down_payment:
            return ZERO
        return min(terms.rounded(amount * terms.down_payment, terms.unit()), amount).quantize(terms.cent)

    def _down_payment(self, on: date, amount: Decimal) -> None:
        down = self._down(amount)
        if down:
            self._balance -= down
            self._row(on, down, ZERO.quantize(self.terms.cent))

    def _period(self, index: int) -> None:
        rates = self.dated.rates.get(index, NONE)
        payouts, ahead = self.dated.payouts.get(index, NONE), self.dated.ahead.get(index, NONE)
        balance, gross, early = self._balance, self._gross, ZERO
        whole = self._weight(index, None, rates)
        within: _Weighed = []
        if payouts or ahead:
            within = [(amount, self._weight(index, on, rates)) for on, amount in payouts]
            by_period = self.terms.prepayment_interest == "by_period"
            paid = [
                (-amount, ZERO if by_period else min(self._weight(index, on, rates), whole)) for on, amount in ahead
            ]
            early = self._take(index, payouts, ahead)
        if rates:
            self._rate = rates[-1][1]
        if self._stale or payouts or (rates and self._by_instalment):
            self._renew(index, self._balance + early, whole, within)
        if self.terms.interest == "flat":
            charged = _interest(gross, whole, within)
        else:
            charged = _interest(balance, whole, within if not early and not payouts else self._net(within) + paid)
        self._fall_due(index, self._balance + early, early, self.terms.rounded(charged / self._a_year))

    def _net(self, within: _Weighed) -> _Weighed:
        return [(amount - self._down(amount), fraction) for amount, fraction in within]

    def _weight(self, index: int, on: date | None, rates: Items) -> Decimal:
        """Return rate × units for what is owed from `on` (None: from the start) to the end of the period."""
        if index < self.terms.grace_interest_charged:
            return ZERO
        span, rate = self._bearing[index], self._rate
        if not rates:
            return rate * (span.part if on is None else span.left(on))
        day, total = on or span.start, ZERO
        for since, new in rates:
            if since > day:
                total += rate * (span.left(day) - span.left(since))
                day = since
            rate = new
        total += rate * span.left(day)
        return total * span.part / span.whole if on is None and span.whole else total

    def _take(self, index: int, payouts: Items, ahead: Items) -> Decimal:
        """Pay out and take in what comes within the period, day by day; return what was paid ahead of its end."""
        for on, is_payment, amount in sorted([(a, 0, b) for a, b in payouts] + [(a, 1, b) for a, b in ahead]):
            if not is_payment:
                self._pay_out(on, amount)
                continue
            if amount > self._balance:
                raise _too_much(on, self._balance, amount)
            self._balance -= amount
            self.early.append((on, amount, self.spans[index].end))
        return sum((amount for _, amount in ahead), ZERO)

    def _renew(self, index: int, owed: Decimal, whole: Decimal, within: _Weighed) -> None:
        """Compute the equal instalment, or the equal part of the principal, over the periods that remain."""
        terms, first = self.terms, max(index, self.terms.grace_principal)
        self._stale = False
        left = terms.periods - first
        if not self._by_instalment:
            self._level = terms.rounded(owed / left)
        elif self._agreed is None and owed:
            extra = ZERO
            if self._in_months:
                free = max(terms.grace_interest_charged - first, 0)
                weights = [ZERO] * free + [self._rate * nominal(terms)] * (left - free)
            else:
                weights = [self._weight(k, None, NONE) for k in range(first, terms.periods)]
                if first == index:
                    weights[0] = whole
                    extra = sum((amount * (part - whole) for amount, part in self._net(within)), ZERO)
            self._level = level(terms, Owed(owed, weights, self._a_year, extra))

    def _fall_due(self, index: int, owed: Decimal, early: Decimal, charged: Decimal) -> None:
        terms, last = self.terms, index == self.terms.periods - 1
        normal = owed if last else min(self._planned(index, charged), owed)
        if self._credit and not last:
            used = min(self._credit, normal)
            self._credit -= used
            normal -= used
        extra = terms.prepayments_are == "extra"
        principal = min(normal + early, owed) if extra else max(normal, early)
        closes = last or (principal == owed and self._ends_early(index))
        interest = self._interest_due(index, charged, closes=closes)
        paid = self.dated.with_due.get(index)
        if paid is not None:
            due = ZERO if extra else principal - early + interest
            more = max(paid - due, ZERO)
            if more > owed - principal:
                raise _too_much(self.spans[index].end, owed - principal + due, paid)
            principal += more
            if principal == owed and self._ends_early(index):
                interest += self._deferred
                self._deferred = ZERO
        self._balance = owed - principal
        self._enter(index, principal, interest)
        if principal > normal and self._balance:
            self._ahead(principal - normal)

    def _ends_early(self, index: int) -> bool:
        flat_runs_on = self.terms.interest == "flat" and not self.terms.prepayments
        return index >= self.dated.last_payout and not flat_runs_on

    def _enter(self, index: int, principal: Decimal, interest: Decimal) -> None:
        """Write the row; what is paid out on that day comes after its instalment, and counts in its balance."""
        cent, on = self.terms.cent, self.spans[index].end
        payout = self.dated.at_due.get(index)
        if payout is not None:
            self._add(payout)
            self._stale = True
        self._row(on, principal.quantize(cent), interest.quantize(cent))
        if payout is not None:
            self._down_payment(on, payout)

    def _planned(self, index: int, charged: Decimal) -> Decimal:
        """Return the principal that an instalment before the last has in it."""
        terms = self.terms
        if index < terms.grace_principal or terms.amortisation == "bullet":
            return ZERO
        if self._agreed is not None:
            if self._agreed <= charged:
                rule = Rule("must be above the interest in it, %(interest)s", interest=charged)
                raise refused("instalment", rule, self._agreed)
            return self._agreed - charged
        if self._by_instalment:
            return max(self._level - charged, ZERO)
        if terms.interest == "flat" and terms.multiple is not None:
            parts = terms.rounded(self._level, terms.multiple) + terms.rounded(charged, terms.multiple)
            return max(parts - charged, ZERO)
        return self._level

    def _interest_due(self, index: int, charged: Decimal, *, closes: bool) -> Decimal:
        """Return what of the interest charged falls due: deferred interest together, flat instalments share it."""
        terms, grace = self.terms, self.terms.grace_interest_payment
        if not grace:
            return charged
        if index == grace and terms.interest == "flat" and terms.amortisation == "equal_instalment":
            self._spread = terms.rounded(self._deferred / (terms.periods - grace))
        self._deferred += charged
        if closes or (index >= grace and not self._spread):
            due = self._deferred
        elif index < grace:
            due = ZERO
        else:
            due = min(charged + self._spread, self._deferred)
        self._deferred -= due
        return due

    def _ahead(self, excess: Decimal) -> None:
        """Let a payment beyond what was due do what was agreed; fewer instalments come by themselves."""
        if self.terms.prepayment == "next_instalments":
            self._credit += excess
        elif self.terms.prepayment == "lower_instalment":
            self._agreed = None
            self._stale = True


def _interest(balance: Decimal, weight: Decimal, within: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """Return the interest times the units of a year: dividing last keeps halves of a coin exact."""
    interest = balance * weight
    for amount, part in within:
        interest += amount * part
    return interest


def _too_much(on: date, most: Decimal, paid: Decimal) -> TermsError:
    return refused("prepayments", Rule("on %(on)s must be at most the %(most)s that are owed", on=on, most=most), paid)
