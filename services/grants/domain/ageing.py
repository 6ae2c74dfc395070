"""How long cases have been where they are: whose turn, since when, working days used of those given, and the pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.grants.domain.application import Application, Calendar
from shared.workflow import Visit, Workflow, working_days

# The last working day of each class of age; the class after the last one has no end.
CLASSES = (2, 5, 10, 20)


@dataclass(frozen=True)
class Pause:
    """A time in which the clock stood still: its stage, its days, and how many working days did not count."""

    stage: str
    since: datetime
    until: datetime | None
    working_days: int


@dataclass(frozen=True)
class Age:
    """Whose turn a case is, since when, and how its clock stands. `given` is None for a stage without a limit.

    While the clock stands still, `used` and `given` are those of the stage that waits.
    """

    stage: str
    holder: str | None
    since: datetime
    used: int
    given: int | None
    due: date | None
    paused: bool
    late: bool
    pauses: tuple[Pause, ...]


def age_of(application: Application, workflow: Workflow, calendar: Calendar, now: datetime) -> Age:
    """Return how long the case is where it is."""
    turn, visits = application.turn(workflow, calendar, now), application.visits()
    waiting = next((item for item in workflow.stages if item.sla and visits[-1].stage in item.sla.pauses_in), None)
    clocked = waiting if turn.paused and waiting else workflow.stage(visits[-1].stage)
    pausing = clocked.sla.pauses_in if clocked.sla else ()
    episode = _episode(visits, clocked.id, pausing)
    zone = ZoneInfo(calendar.zone)
    pauses = tuple(
        Pause(
            visit.stage,
            visit.since,
            visit.until,
            _days(visit.since, visit.until or now, zone, calendar.country),
        )
        for visit in episode
        if visit.stage in pausing
    )
    used = turn.days_used
    if turn.paused and waiting:
        used = sum(_days(v.since, v.until or now, zone, calendar.country) for v in episode if v.stage == waiting.id)
    given = clocked.sla.working_days if clocked.sla else None
    return Age(turn.stage, turn.holder, turn.since, used, given, turn.due, turn.paused, turn.late, pauses)


def _episode(visits: Sequence[Visit], stage: str, pausing: Sequence[str]) -> list[Visit]:
    """Return the visits of a stage up to now that only its pauses interrupt."""
    found: list[Visit] = []
    for visit in reversed(visits):
        if visit.stage != stage and visit.stage not in pausing:
            break
        found.insert(0, visit)
    return found


def _days(since: datetime, until: datetime, zone: ZoneInfo, country: str) -> int:
    return working_days(since.astimezone(zone).date(), until.astimezone(zone).date(), country)


@dataclass(frozen=True)
class Row:
    """The open cases of one stage whose turn is one role's; `classes` counts them by age, as `CLASSES` says."""

    stage: str
    holder: str
    count: int
    late: int
    paused: int
    median: int
    most: int
    classes: tuple[int, ...]


def rows(
    counted: Sequence[tuple[str, str, date, int, int, int]], order: Mapping[str, int], today: date, country: str
) -> list[Row]:
    """Return the report of (stage, holder, day since, cases, late, paused), by the order of the stages.

    An age is the working days since the case came to its stage; what stood still is told case by case.
    """
    groups: dict[tuple[str, str], list[tuple[int, int, int, int]]] = {}
    for stage, holder, since, count, late, paused in counted:
        age = working_days(since, today, country)
        groups.setdefault((stage, holder), []).append((age, count, late, paused))
    found = [_row(stage, holder, ages) for (stage, holder), ages in groups.items()]
    return sorted(found, key=lambda row: (order.get(row.stage, len(order)), row.holder))


def _row(stage: str, holder: str, ages: list[tuple[int, int, int, int]]) -> Row:
    ages = sorted(ages)
    total = sum(count for _, count, _, _ in ages)
    classes = [0] * (len(CLASSES) + 1)
    median, seen = 0, 0
    for age, count, _, _ in ages:
        classes[sum(age > last for last in CLASSES)] += count
        if seen * 2 < total:
            median = age
        seen += count
    late, paused = sum(item[2] for item in ages), sum(item[3] for item in ages)
    return Row(stage, holder, total, late, paused, median, ages[-1][0], tuple(classes))
