"""When each instalment falls due, and which part of a year its interest is for."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.loans.domain.schedule.terms import Every, Holidays, Terms, TermsError
from shared.errors import Rule
from shared.workflow.clock import is_working_day

_A_YEAR = {"day": 365, "week": 52, "month": 12, "year": 1}  # periods a year, where each counts the same
_DAYS_OF_360 = {"day": 1, "week": 7, "month": 30, "year": 360}
_YEAR_OF = {"ACT/360": 360, "ACT/365F": 365}


class Period(NamedTuple):
    """From `start` to `end`, when the instalment falls due; `whole` is what of a year interest is for.

    It is counted in units of which `a_year` tells how many a year has: 1 of 12, 31 of 365. `part` is the same for
    what is owed from the start on: less in a broken first period.
    """

    start: date
    end: date
    part: Decimal
    whole: Decimal

    def left(self, on: date) -> Decimal:
        """Return the units from `on` to the end, by days: parts of a period add up to the whole."""
        days = (self.end - self.start).days
        return self.whole * (self.end - on).days / days if days else Decimal(0)


def add_months(start: date, months: int) -> date:
    """Return `start` that many months later; the 31st becomes the last day of a shorter month."""
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    day = start.day if start.day <= 28 else min(start.day, monthrange(year, month + 1)[1])
    return date(year, month + 1, day)


def due(start: date, every: Every, number: int) -> date:
    """Return when instalment `number` falls due; always counted from the first day, so that a 31st comes back."""
    if every.unit == "day":
        return start + timedelta(days=number * every.number)
    if every.unit == "week":
        return start + timedelta(weeks=number * every.number)
    return add_months(start, number * every.number * (12 if every.unit == "year" else 1))


def moved(on: date, holidays: Holidays) -> date:
    """Return the working day to which a due date on none moves."""
    step = timedelta(days=-1 if holidays.move == "previous" else 1)
    day = on
    while not is_working_day(day, holidays.country):
        day += step
    if holidays.move == "same_month" and (day.year, day.month) != (on.year, on.month):
        return moved(on, Holidays(holidays.country, "previous"))
    return day


def a_year(terms: Terms) -> int:
    """Return how many units of the periods a year has. Interest is owed × rate × units / these, divided last."""
    return _A_YEAR[terms.every.unit] if terms.day_count == "per_period" else _YEAR_OF.get(terms.day_count, 360)


def nominal(terms: Terms) -> Decimal:
    """Return the units of a whole period where months have 30 days, or periods all count the same."""
    each = 1 if terms.day_count == "per_period" else _DAYS_OF_360[terms.every.unit]
    return Decimal(terms.every.number * each)


def periods(terms: Terms) -> list[Period]:
    """Return the periods; a due date that moved off a holiday changes interest only where days are counted."""
    counted, alike = terms.day_count in _YEAR_OF, nominal(terms)
    result, before = [], terms.start
    try:
        for number in range(1, terms.periods + 1):
            end = due(terms.start, terms.every, number)
            if terms.holidays is not None:
                end = max(moved(end, terms.holidays), before)
            whole = Decimal((end - before).days) if counted else alike
            broken = terms.first_fraction if number == 1 else None
            result.append(Period(before, end, whole if broken is None else whole * broken, whole))
            before = end
    except NotImplementedError as error:
        country = terms.holidays.country if terms.holidays else ""
        raise TermsError({"holidays": Rule("has no calendar of working days")}, {"holidays": country}) from error
    except (ValueError, OverflowError) as error:
        rule = Rule("must end before the year 10,000")
        raise TermsError({"periods": rule}, {"periods": str(terms.periods)}) from error
    return result


def averaged(spans: list[Period]) -> list[Period]:
    """Return the periods with their units shared out evenly: flat interest is the same in every instalment."""
    share = sum((span.part for span in spans), Decimal(0)) / len(spans)
    return [span._replace(part=share, whole=share) for span in spans]
