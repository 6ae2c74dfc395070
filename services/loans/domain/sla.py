"""Working days of a bank's country: when an answer is due, and what is left when the clock stops."""

from __future__ import annotations

from datetime import date, timedelta

from shared.workflow.clock import is_working_day, working_days


def due_after(start: date, days: int, country: str) -> date:
    """Return the working day that is `days` working days after `start`; the day of start does not count."""
    day, left = start, max(days, 1)
    while left:
        day += timedelta(days=1)
        left -= is_working_day(day, country)
    return day


def days_left(today: date, due: date, country: str) -> int:
    """Return the working days after `today` up to `due`; below zero when it has passed."""
    if due < today:
        return -working_days(due, today, country)
    return working_days(today, due, country)
