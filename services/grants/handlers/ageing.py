"""The ageing report of a programme's queue: who has had what for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping

from services.grants.domain.ageing import Age, Row, age_of, rows
from services.grants.domain.application import Application
from services.grants.domain.pack import Pack
from services.grants.domain.search import parse
from services.grants.handlers.base import Frame, Packs
from services.grants.handlers.listing import programme_of
from services.grants.handlers.queue import workflows
from services.grants.storage import ageing as stored
from services.grants.storage import queue
from services.grants.storage.conditions import Asking
from shared.web.identity import Identity

READ = "grants.ageing.read"
OLDEST = 20


@dataclass(frozen=True)
class Report:
    """The report of one programme on one day."""

    programme: str
    pack: Pack
    today: date
    rows: list[Row]
    oldest: list[tuple[RowMapping, Age, Frame]]


def report(connection: Connection, who: Identity, programme: str, now: datetime) -> Report | None:
    """Return the report of a programme that `who` may see; None for who has none. Four statements for any number."""
    chosen = programme_of(connection, who, READ, programme)
    packs = Packs(connection, chosen)
    pack = packs.newest
    if chosen is None or pack is None:
        return None
    today = now.astimezone(ZoneInfo(pack.calendar.zone)).date()
    stages = [stage.id for flow in workflows(pack) for stage in flow.stages]
    order = {stage: place for place, stage in enumerate(dict.fromkeys(stages))}
    counted = stored.counted(connection, chosen, pack.calendar.zone, today)
    found = rows(counted, order, today, pack.calendar.country)
    oldest = stored.oldest(connection, chosen, OLDEST)
    return Report(chosen, pack, today, found, ages(connection, packs, oldest, now))


def ages(
    connection: Connection, packs: Packs, found: Sequence[RowMapping], now: datetime
) -> list[tuple[RowMapping, Age, Frame]]:
    """Return how long each of these cases is where it is, in one statement for all."""
    states = queue.details(connection, [row["id"] for row in found])
    result = []
    for row in found:
        application = Application.stored(states[row["id"]], row["version"])
        frame = Frame.of(packs, application)
        result.append((row, age_of(application, frame.workflow, frame.calendar, now), frame))
    return result


def every(
    connection: Connection, who: Identity, programme: str, now: datetime
) -> Iterator[list[tuple[RowMapping, Age, Frame]]]:
    """Give all open cases with their ages by the chunk, the oldest first."""
    chosen = programme_of(connection, who, READ, programme)
    if chosen is None:
        return
    packs = Packs(connection, chosen)
    asking = Asking(user=who.user, roles=who.roles, now=now, zone=ZoneInfo("UTC"))
    for chunk in queue.every(connection, chosen, parse(""), asking, sort="since"):
        yield ages(connection, packs, chunk, now)
