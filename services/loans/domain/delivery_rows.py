"""One line of a lead firm's report: a delivery with its payment, what is wrong with it, and the deduction it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.loans.domain.chain_terms import Good
from services.loans.domain.deduction import Split
from services.loans.domain.delivery import MAX_REFERENCE
from services.loans.domain.tripartite import LIVE, Tripartite
from shared.entity import canonical_hash
from shared.errors import Rule
from shared.money import Amount, Money

COLUMNS = ("agreement", "number", "good", "quantity", "price", "currency", "delivered_on", "paid_on")
REQUIRED = tuple(name for name in COLUMNS if name != "currency")
MOST = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")
_AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)
_PLACES = {"quantity": 3, "price": 4}


@dataclass(frozen=True)
class Finding:
    """What is wrong in a field."""

    field: str
    rule: Rule


@dataclass(frozen=True)
class Said:
    """What a line says, read."""

    good: Good
    quantity: Decimal
    price: Decimal
    delivered_on: date
    paid_on: date
    value: Money


@dataclass
class Row:
    """A line with all that was found out about it: new with its deduction, known already, or wrong."""

    line: int
    given: dict[str, str]
    said: Said | None = None
    split: Split | None = None
    known: str = ""  # the delivery that this line is already
    problems: list[Finding] = field(default_factory=list)

    def wrong(self, name: str, rule: str, /, **params: Any) -> None:
        """Note a broken rule."""
        self.problems.append(Finding(name, Rule(rule, **params)))

    @property
    def agreement(self) -> str:
        return self.given.get("agreement", "")

    @property
    def number(self) -> str:
        return self.given.get("number", "")


def header(cells: list[str]) -> tuple[list[str], dict[str, Rule]]:
    """Return the columns that a first row names, and what is wrong with it."""
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
    wrong = {
        f"file.{cell[:40] or '?'}": Rule("is no column of a report; these are: %(names)s", names=", ".join(COLUMNS))
        for name, cell in zip(names, cells, strict=True)
        if name not in COLUMNS
    }
    wrong |= {f"file.{name}": Rule("this column is missing") for name in REQUIRED if name not in names}
    twice = {name for name in names if name in COLUMNS and names.count(name) > 1}
    return names, wrong | {f"file.{name}": Rule("this column stands there twice") for name in sorted(twice)}


def read(row: Row, agreement: Tripartite | None, today: date) -> None:
    """Read a line against its agreement; what is wrong is noted by field, all of it at once."""
    given = row.given
    if not _plain(row):
        return
    if agreement is None:
        if row.agreement:
            row.wrong("agreement", "is not the reference of an agreement of your firm")
        return
    if agreement.stage not in LIVE:
        row.wrong("agreement", "is not in force: nothing can be reported under it")
    terms = agreement.terms
    good = terms.good(given.get("good", ""))
    if good is None and given.get("good"):
        row.wrong("good", "must be one of: %(names)s", names=", ".join(item.code for item in terms.goods))
    if (said := given.get("currency", "").upper()) and said != terms.currency:
        row.wrong(
            "currency", "is %(said)s, but the agreement is in %(currency)s", said=said[:10], currency=terms.currency
        )
    quantity, price = _amount(row, "quantity"), _amount(row, "price")
    delivered_on, paid_on = _days(row, agreement, today)
    if good is not None and price > 0 and not good.fits(price):
        _off_price(row, good, price)
    if row.problems or good is None or delivered_on is None or paid_on is None:
        return
    value = Money.of(quantity * price, terms.currency)
    if not value:
        row.wrong("quantity", "comes to nothing at this price")
        return
    row.said = Said(good, quantity, price, delivered_on, paid_on, value)


def _plain(row: Row) -> bool:
    """Note what is missing; tells whether the cells are plain text at all."""
    for name, text in row.given.items():
        if text.startswith(_FORMULA):
            row.wrong(name, "looks like a formula: write plain text and digits")
            return False
    for name in REQUIRED:
        if not row.given.get(name):
            row.wrong(name, "is required")
    if len(row.number) > MAX_REFERENCE:
        row.wrong("number", "has more than %(most)s characters", most=MAX_REFERENCE)
    return True


def _off_price(row: Row, good: Good, price: Decimal) -> None:
    if good.price_rule == "fixed":
        row.wrong("price", "is %(said)s; the price agreed is %(price)s", said=price, price=good.price)
    else:
        row.wrong("price", "is %(said)s; at least %(price)s is agreed", said=price, price=good.price)


def _amount(row: Row, name: str) -> Decimal:
    text = row.given.get(name, "")
    if not text:
        return Decimal(0)
    try:
        amount = _AMOUNT.validate_python(text)
    except ValidationError as error:
        problem = (error.errors()[0].get("ctx") or {}).get("error")
        rule = problem.args[0] if isinstance(problem, ValueError) and problem.args else "is not an amount"
        row.problems.append(Finding(name, rule if isinstance(rule, Rule) else Rule(str(rule).replace("%", "%%"))))
        return Decimal(0)
    places = _PLACES[name]
    if amount <= 0 or amount.adjusted() > 11:
        row.wrong(name, "must be above zero")
    elif amount != round(amount, places):
        row.wrong(name, "has more than %(places)s decimals", places=places)
    return amount


def _days(row: Row, agreement: Tripartite, today: date) -> tuple[date | None, date | None]:
    delivered, paid = _day(row, "delivered_on"), _day(row, "paid_on")
    first = max(agreement.terms.season_from, agreement.in_force_on or agreement.terms.season_from)
    last = min(agreement.terms.season_to, today)
    if delivered and not first <= delivered <= last:
        row.wrong("delivered_on", "must be between %(first)s and %(last)s", first=first, last=last)
    since = agreement.in_force_on or first
    if paid and not since <= paid <= today:
        row.wrong("paid_on", "must be between %(first)s and %(last)s", first=since, last=today)
    return delivered, paid


def _day(row: Row, name: str) -> date | None:
    text = row.given.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        row.wrong(name, "is not a day: write it as 2026-03-31")
        return None


def result_of(rows: list[Row]) -> str:
    """Return the hash of what a check came to: who lets it count lets that count, and nothing that came since."""
    made: list[Mapping[str, Any]] = [
        {
            "number": [row.agreement, row.number],
            "known": row.known,
            "deduction": str(row.split.deduction.amount) if row.split else "",
            "shares": [[item.loan, str(item.amount)] for item in row.split.shares] if row.split else [],
        }
        for row in rows
    ]
    return canonical_hash({"rows": made})
