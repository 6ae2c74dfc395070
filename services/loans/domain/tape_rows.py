"""One line of a repayment tape: what a bank writes, what is wrong with it, and how the loan stands by our own books.

Sums are those paid since the loan began, not those of the month: each line stands alone, so a corrected month does not
unsay the months after it, and a month that was left out loses no payment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.loans.domain.arrears import ZERO, Timetable
from shared.errors import Rule
from shared.money import Amount, decimals_of

REQUIRED = ("loan", "principal_paid", "interest_paid", "outstanding")
OPTIONAL = ("as_of", "currency", "fees_paid", "days_past_due", "restructured", "written_off", "paid_on")
COLUMNS = (
    *("as_of", "loan", "currency", "principal_paid", "interest_paid", "fees_paid"),
    *("outstanding", "days_past_due", "restructured", "written_off", "paid_on"),
)
AMOUNTS = ("principal_paid", "interest_paid", "fees_paid", "outstanding")
SETTLED = ("closed_repaid", "written_off")
MOST_DAYS = 36_500
_PLAIN = re.compile(r"\d{1,15}(\.\d{1,2})?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")
_NUMBER = re.compile(r"-[\d.,\s]+")
_YES, _NO = frozenset({"yes", "true", "1", "да", "y"}), frozenset({"", "no", "false", "0", "нет", "n"})
_AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)


@dataclass(frozen=True)
class Finding:
    """What is wrong, or differs, in a field: a gettext id with its values."""

    field: str
    rule: Rule

    def stored(self) -> dict[str, Any]:
        params = {name: str(value) for name, value in self.rule.params.items()}
        return {"field": self.field, "message": self.rule.message, "params": params}


@dataclass(frozen=True)
class Former:
    """What the tape before said was paid."""

    as_of: date
    principal: Decimal
    interest: Decimal
    fees: Decimal


@dataclass(frozen=True)
class Known:
    """A loan as our own books have it."""

    id: str
    currency: str
    payouts: str  # days and sums of what was paid out, as a timetable is written
    timetable: str
    whole: bool  # all that was agreed is paid out
    stage: str
    settled_on: date | None
    restructured: bool
    former: Former | None
    values: Mapping[str, str]
    disclosed: frozenset[str]

    def paid_out(self, day: date) -> Decimal:
        """Return what had been paid out by the end of a day."""
        return Timetable.read(self.payouts).due_before(date.fromordinal(day.toordinal() + 1))


@dataclass(frozen=True)
class Said:
    """What a line says of a loan; the sums are since the loan began."""

    currency: str
    principal_paid: Decimal = ZERO
    interest_paid: Decimal = ZERO
    fees_paid: Decimal = ZERO
    outstanding: Decimal | None = None
    days_past_due: int | None = None
    restructured: bool = False
    written_off: bool = False
    paid_on: date | None = None


@dataclass(frozen=True)
class Position:
    """How a loan stands on the tape's day by our books: what was paid against its own schedule."""

    outstanding: Decimal
    days: int
    owed: Decimal
    stage: str
    restructured: bool

    @property
    def written_off(self) -> bool:
        return self.stage == "written_off"


@dataclass
class Line:
    """A line with all that was found out about it; it has a position when nothing is wrong."""

    number: int
    given: dict[str, str]
    loan: str = ""
    said: Said | None = None
    position: Position | None = None
    carried: bool = False
    problems: list[Finding] = field(default_factory=list)
    differences: list[Finding] = field(default_factory=list)

    def wrong(self, name: str, rule: str, /, **params: Any) -> None:
        """Note a broken rule."""
        self.problems.append(Finding(name, Rule(rule, **params)))

    def differs(self, name: str, rule: str, /, **params: Any) -> None:
        """Note what both sides should look at."""
        self.differences.append(Finding(name, Rule(rule, **params)))


def header(cells: list[str]) -> tuple[list[str], list[Finding]]:
    """Return the columns that a first row names, and what is wrong with it."""
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
    wrong = [
        Finding(cell[:40] or "?", Rule("is no column of a tape; these are: %(names)s", names=", ".join(COLUMNS)))
        for name, cell in zip(names, cells, strict=True)
        if name not in COLUMNS
    ]
    wrong += [Finding(name, Rule("this column is missing")) for name in REQUIRED if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1 and name in COLUMNS})
    return names, wrong + [Finding(name, Rule("this column stands there twice")) for name in twice]


def read(line: Line, as_of: date, currency: str) -> None:
    """Read what a line says; `currency` is that of the loan, or of the programme where the loan is not known."""
    given = line.given
    for name, text in given.items():
        if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
            line.wrong(name, "looks like a formula: write plain text and digits")
            return
    if (said := given.get("currency", "").upper()) and said != currency:
        line.wrong("currency", "is %(said)s, but the loan is in %(currency)s", said=said[:10], currency=currency)
    principal, interest, fees, outstanding = (_amount(line, name, currency) for name in AMOUNTS)
    restructured, written_off = (_flag(line, name) for name in ("restructured", "written_off"))
    days, paid_on = _days(line), _paid_on(line, as_of)
    if not line.problems:
        line.said = Said(currency, principal, interest, fees, outstanding, days, restructured, written_off, paid_on)


def _amount(line: Line, name: str, currency: str) -> Decimal:
    text = line.given.get(name, "")
    if not text:
        if name in REQUIRED:
            line.wrong(name, "is required")
        return ZERO
    try:
        amount = Decimal(text) if _PLAIN.fullmatch(text) else _AMOUNT.validate_python(text)
    except ValidationError as error:
        problem = (error.errors()[0].get("ctx") or {}).get("error")
        rule = problem.args[0] if isinstance(problem, ValueError) and problem.args else "is not an amount"
        line.problems.append(Finding(name, rule if isinstance(rule, Rule) else Rule(str(rule).replace("%", "%%"))))
        return ZERO
    places = decimals_of(currency)
    if amount < 0:
        line.wrong(name, "must not be negative: %(said)s", said=str(amount)[:30])
    elif amount.adjusted() > 14 or amount != round(amount, places):
        line.wrong(name, "has more than the %(places)s decimals of %(currency)s", places=places, currency=currency)
    return amount


def _flag(line: Line, name: str) -> bool:
    text = line.given.get(name, "").lower()
    if text not in _YES | _NO:
        line.wrong(name, "must be yes or no")
    return text in _YES


def _days(line: Line) -> int | None:
    text = line.given.get("days_past_due", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:6]) > MOST_DAYS:
        line.wrong("days_past_due", "must be a whole number from 0 to %(most)s", most=MOST_DAYS)
        return None
    return int(text)


@cache
def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _paid_on(line: Line, as_of: date) -> date | None:
    text = line.given.get("paid_on", "")
    if not text:
        return None
    day = _day(text)
    if day is None:
        line.wrong("paid_on", "is not a day: write it as 2026-03-31")
    elif day > as_of:
        line.wrong("paid_on", "is after the day of the tape, %(as_of)s", as_of=as_of)
    return day


def examine(line: Line, known: Known, as_of: date, tolerance: Decimal = ZERO) -> None:
    """Hold what a line says against the loan: what can't be is a problem, what only differs is shown to both sides."""
    said, paid_out = line.said, known.paid_out(as_of)
    if said is None:
        return
    _possible(line, said, known, as_of, paid_out)
    if line.problems:
        return
    line.position = position(said, known, as_of, tolerance)
    if not line.carried:
        _compare(line, said, known, paid_out)


def position(said: Said, known: Known, as_of: date, tolerance: Decimal) -> Position:
    """Return how the loan stands: the days by its own schedule, the balance by what was paid out and paid back."""
    outstanding = known.paid_out(as_of) - said.principal_paid
    paid = said.principal_paid + said.interest_paid
    late = Timetable.read(known.timetable).arrears(paid, as_of, tolerance)
    restructured = said.restructured or known.restructured
    if said.written_off:
        stage = "written_off"
    elif not outstanding and not late.days and known.whole:
        stage = "closed_repaid"
    else:
        stage = "overdue" if late.days else "restructured" if restructured else "performing"
    return Position(outstanding, late.days, late.owed, stage, restructured)


def _possible(line: Line, said: Said, known: Known, as_of: date, paid_out: Decimal) -> None:
    if not paid_out:
        line.wrong("loan", "nothing of this loan had been paid out by %(as_of)s", as_of=as_of)
        return
    for name in ("principal_paid", "outstanding"):
        amount = getattr(said, name) or ZERO
        if amount > paid_out:
            rule = "%(said)s is more than the %(disbursed)s that were paid out by %(as_of)s"
            line.wrong(name, rule, said=f"{amount:,}", disbursed=f"{paid_out:,}", as_of=as_of)
    first = known.payouts.split(" ", 1)[0]
    if said.paid_on and said.paid_on.isoformat() < first:
        line.wrong("paid_on", "is before %(day)s, when the loan was paid out", day=first)
    settled = known.settled_on
    if settled is None or known.stage not in SETTLED or _month(settled) >= _month(as_of):
        return
    if known.stage == "written_off" and not said.written_off:
        line.wrong("written_off", "must be yes: the loan was written off by %(day)s", day=settled)
    if known.stage == "closed_repaid" and said.principal_paid < paid_out:
        left = paid_out - said.principal_paid
        line.wrong("principal_paid", "leaves %(left)s of a loan that was repaid by %(day)s", left=left, day=settled)


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _compare(line: Line, said: Said, known: Known, paid_out: Decimal) -> None:
    found = line.position
    if found is None:
        return
    if said.outstanding is not None and said.outstanding != found.outstanding:
        line.differs(
            "outstanding",
            "the tape says %(said)s; %(disbursed)s paid out - %(paid)s paid back = %(computed)s, which counts",
            said=f"{said.outstanding:,}",
            disbursed=f"{paid_out:,}",
            paid=f"{said.principal_paid:,}",
            computed=f"{found.outstanding:,}",
        )
    if said.days_past_due is not None and said.days_past_due != found.days:
        rule = "the tape says %(said)s days; by the schedule and what was paid it is %(computed)s, which counts"
        line.differs("days_past_due", rule, said=said.days_past_due, computed=found.days)
    if said.restructured and not known.restructured:
        rule = "no new terms are recorded: the days are counted by the first schedule"
        line.differs("restructured", rule)
    if known.former is not None:
        for name in ("principal_paid", "interest_paid", "fees_paid"):
            now, before = getattr(said, name), getattr(known.former, name.removesuffix("_paid"))
            if now < before:
                rule = "%(now)s is less than the %(before)s that had been paid by %(day)s"
                line.differs(name, rule, now=f"{now:,}", before=f"{before:,}", day=known.former.as_of)


def carried(number: int, known: Known, as_of: date, tolerance: Decimal = ZERO) -> Line:
    """Return the line of a loan that the tape leaves out: what was last known of it, and its schedule goes on."""
    before = known.former
    said = Said(
        known.currency,
        before.principal if before else ZERO,
        before.interest if before else ZERO,
        before.fees if before else ZERO,
        restructured=known.restructured,
        written_off=known.stage == "written_off",
    )
    line = Line(number, {}, known.id, said, carried=True)
    examine(line, known, as_of, tolerance)
    return line
