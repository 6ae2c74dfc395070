"""The rules of the IATI standard's own ruleset for activities, which no schema checks, each by the place it names.

Source: the standard ruleset of IATI 2.03 (activities). A rule that our activities can't break because they never have
the element (policy markers, forecasts, legacy data) does not stand here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation

from services.grants.domain.publishing.node import Node
from services.grants.domain.publishing.problems import Mend, Problem
from shared.errors import Rule

Found = Iterator[Problem]
_ID = re.compile(r"[^/&|?]+")
_MONEY = ("transaction", "budget", "planned-disbursement")


def problems(activity: Node, today: date) -> list[Problem]:
    """Return every rule that an activity breaks."""
    return [problem for rule in RULES for problem in rule(activity, today)]


def _wrong(field: str, message: str, value: str = "", mend: Mend = "record", **params: object) -> Problem:
    return Problem(field, Rule(message, **params), value, mend)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def own_identifier(activity: Node, _today: date) -> Found:
    """Give a problem when the activity's identifier does not start with that of the organisation that reports."""
    ref, ours = activity.of("ref", "reporting-org"), activity.says("iati-identifier")
    if ref and not ours.startswith(ref):
        yield _wrong("iati-identifier", "must start with %(ref)s", ours, "programme", ref=ref)


def clean_identifiers(activity: Node, _today: date) -> Found:
    """Give a problem for each identifier with a character that breaks addresses: / & | ?."""
    refs = [
        ("iati-identifier", activity.says("iati-identifier")),
        ("reporting-org", activity.of("ref", "reporting-org")),
    ]
    for path in (("participating-org",), ("transaction", "provider-org"), ("transaction", "receiver-org")):
        refs += [("/".join(path), org.of("ref")) for org in activity.all(*path)]
    for field, ref in refs:
        if ref and not _ID.fullmatch(ref):
            yield _wrong(field, "holds one of / & | ?", ref, "programme")


def percentages(activity: Node, _today: date) -> Found:
    """Give a problem where shares of sectors or of places do not make 100, or one is below nothing."""
    places = [*activity.all("recipient-country"), *activity.all("recipient-region")]
    groups: dict[str, list[Node]] = {"recipient-country": places} if places else {}
    for sector in activity.all("sector"):
        groups.setdefault(f"sector {sector.of('vocabulary') or '1'}", []).append(sector)
    for name, items in groups.items():
        field, given = name.split()[0], [item.of("percentage") for item in items]
        if len(items) == 1 and not given[0]:
            continue
        yield from _shares(field, given)


def _shares(field: str, given: list[str]) -> Found:
    try:
        shares = [Decimal(share) for share in given]
    except InvalidOperation:
        yield _wrong(field, "each needs its share in per cent", ", ".join(given), "programme")
        return
    if any(share < 0 for share in shares):
        yield _wrong(field, "a share is below nothing", ", ".join(given), "programme")
    if (together := sum(shares, Decimal(0))) != 100:
        message = "add up to %(together)s %%, not 100 %%"
        yield _wrong(field, message, ", ".join(given), "programme", together=f"{together:f}")


def one_level(activity: Node, _today: date) -> Found:
    """Give a problem when sectors or places stand at both levels, at none, or at some transactions only."""
    transactions = list(activity.all("transaction"))
    for field, names in {"sector": ("sector",), "recipient-country": ("recipient-country", "recipient-region")}.items():
        above = any(activity.first(name) for name in names)
        below = sum(1 for item in transactions if any(item.first(name) for name in names))
        if above and below:
            yield _wrong(field, "stands at the activity and at a transaction; one level only", mend="programme")
        elif not above and not (below and below == len(transactions)):
            yield _wrong(field, "is required at the activity or at every transaction", mend="programme")


def days_in_order(activity: Node, _today: date) -> Found:
    """Give a problem where a start lies after its end: planned, actual, of a budget, of a result's period."""
    given = {item.of("type"): item.of("iso-date") for item in activity.all("activity-date")}
    if not (given.keys() & {"1", "2"}):
        yield _wrong("activity-date", "a start is required, planned or actual")
    pairs = [("activity-date", given.get(first, ""), given.get(last, "")) for first, last in (("1", "3"), ("2", "4"))]
    for path in (("budget",), ("planned-disbursement",), ("result", "indicator", "period")):
        pairs += [
            ("/".join(path), item.of("iso-date", "period-start"), item.of("iso-date", "period-end"))
            for item in activity.all(*path)
        ]
    for field, start, end in pairs:
        first, last = _day(start), _day(end)
        if first and last and first > last:
            yield _wrong(field, "starts on %(start)s, after its end", end, start=start)


def nothing_ahead(activity: Node, today: date) -> Found:
    """Give a problem for what is told as done and lies ahead: actual days, transactions, the last change."""
    told = [("activity-date", item.of("iso-date")) for item in activity.all("activity-date") if item.of("type") in "24"]
    told += [
        ("transaction/transaction-date", item.of("iso-date"))
        for item in activity.all("transaction", "transaction-date")
    ]
    told += [("transaction/value", item.of("value-date")) for item in activity.all("transaction", "value")]
    told.append(("last-updated-datetime", activity.of("last-updated-datetime")))
    for field, text in told:
        day = _day(text)
        if day and day > today:
            yield _wrong(field, "lies ahead of today, %(today)s", text, today=today.isoformat())


def budgets_of_a_year(activity: Node, _today: date) -> Found:
    """Give a problem for each budget that is longer than a year."""
    for budget in activity.all("budget"):
        start, end = _day(budget.of("iso-date", "period-start")), _day(budget.of("iso-date", "period-end"))
        if start and end and (end - start).days > 366:
            message = "is longer than a year: from %(start)s on"
            yield _wrong("budget", message, end.isoformat(), start=start.isoformat())


def named_organisations(activity: Node, _today: date) -> Found:
    """Give a problem for each organisation without identifier and name."""
    for path in (("participating-org",), ("transaction", "provider-org"), ("transaction", "receiver-org")):
        for org in activity.all(*path):
            if not org.of("ref") and not org.says("narrative"):
                yield _wrong("/".join(path), "needs an identifier or a name", mend="programme")


def dated_money(activity: Node, _today: date) -> Found:
    """Give a problem for each amount without the day of its value, or without a currency at any level."""
    for name in _MONEY:
        for value in activity.all(name, "value"):
            if not value.of("value-date"):
                yield _wrong(f"{name}/value", "needs the day of its value", value.text)
            if not value.of("currency") and not activity.of("default-currency"):
                yield _wrong(f"{name}/value", "needs a currency", value.text)


def own_vocabularies(activity: Node, _today: date) -> Found:
    """Give a problem for a sector of the publisher's own list without its name."""
    for sector in activity.all("sector"):
        if sector.of("vocabulary") in {"98", "99"} and not sector.says("narrative"):
            yield _wrong("sector", "of one's own list needs a name", sector.of("code"), "programme")


RULES: tuple[Callable[[Node, date], Found], ...] = (
    own_identifier,
    clean_identifiers,
    percentages,
    one_level,
    days_in_order,
    nothing_ahead,
    budgets_of_a_year,
    named_organisations,
    dated_money,
    own_vocabularies,
)
