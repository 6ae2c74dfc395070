"""Working days: whose turn it is, since when, until when. A pause stops the clock, a holiday does not count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import holidays

if TYPE_CHECKING:
    from shared.workflow.model import Sla, Workflow


@dataclass(frozen=True)
class Visit:
    """One stay in a stage; `until` is None while it lasts."""

    stage: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Turn:
    """Whose turn it is and how the clock stands. `due` is None without an SLA and while the clock is paused."""

    stage: str
    holder: str | None
    since: datetime
    due: date | None
    days_used: int
    paused: bool
    late: bool


@lru_cache(maxsize=64)
def _calendar(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


@lru_cache(maxsize=16_384)  # lists ask for the same weeks of the same country for each of their rows
def is_working_day(day: date, country: str) -> bool:
    """Return whether people work on `day` in `country` (ISO 3166 code): not at weekends, not on public holidays."""
    return bool(_calendar(country).is_working_day(day))


@lru_cache(maxsize=4096)
def working_days(start: date, end: date, country: str) -> int:
    """Return the working days after `start` up to and with `end`."""
    return sum(is_working_day(day, country) for day in _between(start, end))


def _between(start: date, end: date) -> Iterator[date]:
    """Give the days after `start` up to and with `end`."""
    return (date.fromordinal(day) for day in range(start.toordinal() + 1, end.toordinal() + 1))


def _after(start: date) -> Iterator[date]:
    while True:
        start += timedelta(days=1)
        yield start


def due(entered_at: datetime, history: Sequence[Visit], sla: Sla, country: str, zone: str = "UTC") -> date | None:
    """Return the local date by which a stage entered at `entered_at` is due; None while the clock is paused.

    The day of entry does not count; a day that ends in one of `sla.pauses_in` does not count either.
    """
    pauses = _pauses(entered_at, history, sla, zone)
    if any(end is None for _, end in pauses):
        return None
    left = sla.working_days
    for day in _after(_local(entered_at, zone)):
        if _counts(day, pauses, country):
            left -= 1
        if left == 0:
            return day
    raise AssertionError("days never end")


def turn(workflow: Workflow, history: Sequence[Visit], *, country: str, zone: str = "UTC", now: datetime) -> Turn:
    """Return whose turn it is by the visits of a case so far, the last of which is the present one.

    A stage left only for its pausing stages keeps its clock: days used before the pause stay used.
    """
    visit = history[-1]
    stage = workflow.stage(visit.stage)
    held_in = next((item for item in workflow.stages if item.sla and visit.stage in item.sla.pauses_in), None)
    since, sla = _episode(history, stage.sla), stage.sla
    if sla is None:
        used = working_days(_local(visit.since, zone), _local(now, zone), country)
        return Turn(visit.stage, stage.holder, visit.since, None, used, held_in is not None, late=False)
    pauses = _pauses(since, history, sla, zone)
    today = _local(now, zone)
    start = _local(since, zone)
    counted = (_counts(day, pauses, country) for day in _between(start, today)) if pauses else ()
    used = sum(counted) if pauses else working_days(start, today, country)
    end = due(since, history, sla, country, zone)
    late = end is not None and today > end
    return Turn(visit.stage, stage.holder, visit.since, end, used, held_in is not None, late)


def _episode(history: Sequence[Visit], sla: Sla | None) -> datetime:
    stage, since = history[-1].stage, history[-1].since
    for visit in reversed(history):
        if visit.stage == stage:
            since = visit.since
        elif sla is None or visit.stage not in sla.pauses_in:
            break
    return since


def _pauses(since: datetime, history: Sequence[Visit], sla: Sla, zone: str) -> list[tuple[date, date | None]]:
    return [
        (_local(visit.since, zone), _local(visit.until, zone) if visit.until else None)
        for visit in history
        if visit.stage in sla.pauses_in and visit.since >= since
    ]


def _counts(day: date, pauses: Sequence[tuple[date, date | None]], country: str) -> bool:
    if pauses and any(start <= day and (end is None or day < end) for start, end in pauses):
        return False
    return is_working_day(day, country)


def _local(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()
