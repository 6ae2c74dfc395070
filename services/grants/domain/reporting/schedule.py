"""When reports are due: the periods of a grant, each with its last day for the report."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Literal

from shared.entity import Part
from shared.events.reporting_rules import Reporting
from shared.workflow.clock import is_working_day

# A remainder that is shorter than this has no report of its own.
SHORTEST = 28
MOST = 60


class Planned(Part):
    """One report as the agreement asks for it; days are local and inclusive."""

    number: int
    kind: Literal["periodic", "final"]
    period_from: date
    period_to: date
    due: date


def months_later(day: date, months: int) -> date:
    """Return the same day some months later, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def working_day(day: date, country: str) -> date:
    """Return `day`, or the next day on which people work."""
    while not is_working_day(day, country):
        day += timedelta(days=1)
    return day


def working_days_later(day: date, count: int, country: str) -> date:
    """Return the day on which the `count`th working day after `day` ends."""
    for _ in range(count):
        day = working_day(day + timedelta(days=1), country)
    return day


def planned(start: date, end: date, rules: Reporting, country: str) -> list[Planned]:
    """Return the reports of a grant that runs from `start` to `end`; the last one is final."""
    end = max(start, end)
    found: list[Planned] = []
    for number, (since, until) in enumerate(_periods(start, end, rules.every_months), 1):
        final = until == end
        days = rules.final_within_days if final else rules.within_days
        due = working_day(until + timedelta(days=days), country)
        kind: Literal["periodic", "final"] = "final" if final else "periodic"
        found.append(Planned(number=number, kind=kind, period_from=since, period_to=until, due=due))
    return found


def _periods(start: date, end: date, months: int | None) -> list[tuple[date, date]]:
    if months is None:
        return [(start, end)]
    found: list[tuple[date, date]] = []
    since = start
    for number in range(1, MOST + 1):
        following = months_later(start, number * months)
        until = following - timedelta(days=1)
        if until + timedelta(days=SHORTEST) > end or number == MOST:
            return [*found, (since, end)]
        found.append((since, until))
        since = following
    return found
