"""The process that makes a backup every night: at its hour, and at once after a night that was missed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from services.backup.creating import Created, create
from shared.clock import utc_now
from shared.database import system
from shared.events import Actor
from shared.heartbeat import keep_beating
from shared.safekeeping import keeping
from shared.safekeeping.refusals import SafekeepingError
from shared.safekeeping.showing import Steps
from shared.settings import Settings

log = structlog.get_logger(__name__)

NAME = "backup"
AGAIN = timedelta(minutes=15)  # after a failure
_LOOK = 20.0  # seconds


def hour(given: str) -> time:
    """Return the time of day of "02:30"; raises SafekeepingError."""
    try:
        return time.fromisoformat(given)
    except ValueError as error:
        raise SafekeepingError(f"TAMGA_BACKUP_AT is {given}: write it as hours and minutes, such as 02:30.") from error


def last_due(now: datetime, at: time, zone: ZoneInfo) -> datetime:
    """Return the newest moment up to `now` at which a backup was to be made."""
    local = now.astimezone(zone)
    today = datetime.combine(local.date(), at, zone)
    return today if today <= local else datetime.combine(local.date() - timedelta(days=1), at, zone)


def is_due(now: datetime, newest: datetime | None, failed: datetime | None, at: time, zone: ZoneInfo) -> bool:
    """Say whether to make a backup now: none is there since the last hour for it, and none failed a moment ago."""
    if failed and now - failed < AGAIN:
        return False
    return newest is None or newest < last_due(now, at, zone)


def run(known: Settings, stop: threading.Event, *, make: Callable[[Settings, Actor, Steps], Created] = create) -> None:
    """Make backups at their hours until `stop`; a failure is written down, noted, and tried again."""
    at, zone = hour(known.backup_at), ZoneInfo(known.time_zone)
    failed: datetime | None = None
    keep_beating(known.home, lambda: [NAME], stop)
    while not stop.is_set():
        kept = keeping.there(known.backups_folder)
        if is_due(utc_now(), kept[0].at if kept else None, failed, at, zone):
            failed = None
            try:
                log.info("backup made", **make(known, system(NAME), Steps()).as_json())
            except SafekeepingError as error:
                failed = utc_now()
                log.exception("no backup was made", problem=str(error))
        stop.wait(_LOOK)
