"""What would be published now: each record with what is wrong with it, what changed since the last file, totals."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from services.grants.domain.publishing.node import Node
from services.grants.domain.publishing.problems import Format, Problem
from shared.errors import InvalidError, Rule
from shared.money import Money, total

Content = dict[str, Any] | Node


@dataclass(frozen=True)
class Entry:
    """A record as it would be published, and every rule that it breaks; `amount` is None for the programme itself."""

    reference: str
    title: str
    path: str
    content: Content
    problems: tuple[Problem, ...] = ()
    amount: Money | None = None
    paid: Money | None = None


@dataclass(frozen=True)
class Change:
    """What of a record is not as it was in the last file: {place: (before, now)}."""

    reference: str
    places: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Difference:
    """What a draft adds to the last file, takes from it, and changes in it."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True)
class Draft:
    """All records of a programme in one format. `head` is the programme's own record, without which nothing goes."""

    programme: str
    format: Format
    entries: tuple[Entry, ...]
    head: Entry | None = None

    @property
    def good(self) -> tuple[Entry, ...]:
        """Return the records that break no rule."""
        return () if self.head and self.head.problems else tuple(item for item in self.entries if not item.problems)

    @property
    def bad(self) -> tuple[Entry, ...]:
        """Return the records that can't be published now, the programme's own first."""
        head = (self.head,) if self.head and self.head.problems else ()
        return (*head, *(item for item in self.entries if item.problems))

    def records(self) -> dict[str, dict[str, str]]:
        """Return {reference: {place: value}} of what is good."""
        chosen = (*((self.head,) if self.head else ()), *self.good) if self.good else ()
        return {item.reference: dict(flat(item.content)) for item in chosen}

    def fingerprint(self) -> str:
        """Return a hash of every record and of what is left out: it tells whether a page still shows what is there."""
        seen = [self.records(), [item.reference for item in self.bad]]
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()

    def difference(self, last: Mapping[str, Mapping[str, str]]) -> Difference:
        """Return how the draft differs from the records of the last file."""
        now = self.records()
        common = [name for name in now if name in last]
        changes = [Change(name, _changed(last[name], now[name])) for name in common]
        return Difference(
            added=tuple(name for name in now if name not in last),
            removed=tuple(name for name in last if name not in now),
            changed=tuple(change for change in changes if change.places),
        )


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    places = dict.fromkeys([*before, *now])
    return {
        place: (before.get(place, ""), now.get(place, ""))
        for place in places
        if before.get(place, "") != now.get(place, "")
    }


def flat(content: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Give (place, value) of everything that stands in a record."""
    if isinstance(content, Node):
        yield from content.flat()
    elif isinstance(content, Mapping):
        for name, value in content.items():
            yield from flat(value, f"{at}.{name}" if at else str(name))
    elif isinstance(content, Sequence) and not isinstance(content, str):
        for index, value in enumerate(content):
            yield from flat(value, f"{at}[{index}]")
    else:
        yield at, str(content)


@dataclass(frozen=True)
class Totals:
    """What was agreed and what was paid in one currency."""

    agreed: Money
    paid: Money
    records: int


def totals(entries: Sequence[Entry]) -> dict[str, Totals]:
    """Return the totals of each currency by itself: amounts of two currencies are never added."""
    found: dict[str, Totals] = {}
    for currency in sorted({item.amount.currency for item in entries if item.amount}):
        mine = [item for item in entries if item.amount and item.amount.currency == currency]
        agreed = total((item.amount for item in mine if item.amount), currency)
        found[currency] = Totals(agreed, total((item.paid for item in mine if item.paid), currency), len(mine))
    return found


@dataclass(frozen=True)
class Rates:
    """Rates that somebody states: how much of `currency` one unit of each other was on `day`, as `source` says."""

    currency: str
    day: date | None
    source: str
    rates: dict[str, Decimal] = field(default_factory=dict)


def converted(found: Mapping[str, Totals], stated: Rates, today: date) -> Totals:
    """Return all totals in one currency at the stated rates; raises InvalidError for what is not stated."""
    problems: dict[str, str] = {}
    if stated.day is None:
        problems["on"] = Rule("is needed: the day of the rates")
    elif stated.day > today:
        problems["on"] = Rule("can't be in the future")
    if not stated.source.strip():
        problems["rate_source"] = Rule("is needed: where the rates are published")
    for currency in found:
        rate = stated.rates.get(currency)
        if currency != stated.currency and (rate is None or not rate.is_finite() or rate <= 0):
            rule = Rule("is needed: how much %(to)s one %(of)s was on the day", to=stated.currency, of=currency)
            problems[f"rate_{currency}"] = rule
    if problems:
        raise InvalidError(problems)
    rates = stated.rates | {stated.currency: Decimal(1)}
    agreed = (Money.of(item.agreed.amount * rates[name], stated.currency) for name, item in found.items())
    paid = (Money.of(item.paid.amount * rates[name], stated.currency) for name, item in found.items())
    count = sum(item.records for item in found.values())
    return Totals(total(agreed, stated.currency), total(paid, stated.currency), count)
