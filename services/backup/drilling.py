"""`tamga drill`: the newest backup restored beside what runs, looked through, timed, and thrown away."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.backup import place
from services.backup.creating import note, record
from services.backup.reviving import Backup, Revived, revived
from shared.clock import utc_now
from shared.database import engine_for, reading
from shared.events import Actor
from shared.events.audit import BackupDrilled
from shared.operations import backups
from shared.safekeeping.refusals import SafekeepingError
from shared.safekeeping.showing import Steps
from shared.settings import Settings

_SINCE = text("SELECT count(*) AS events, max(recorded_at) AS newest FROM outbox WHERE recorded_at > :at")


@dataclass(frozen=True)
class Drilled:
    """What a drill found: would we have everything again, how much would be lost, and how long would it take."""

    file: str
    at: str
    age_seconds: int
    rpo_seconds: int
    lost_events: int
    rto_seconds: float
    events: int
    documents: int
    log_size: int
    log_root: str
    sent_again: int
    problems: list[str]
    unrecorded: str = ""

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"ok": self.ok}


def drill(known: Settings, backup: Backup, by: Actor, steps: Steps) -> Drilled:
    """Try out a backup; raises SafekeepingError. The note for the operator's page has either."""
    try:
        found = _drill(known, backup, steps)
    except SafekeepingError as error:
        note(known, drill=backups.Drill(at=utc_now(), ok=False, problem=str(error)))
        raise
    drilled = backups.Drill(
        at=utc_now(),
        ok=found.ok,
        rpo_seconds=found.rpo_seconds,
        rto_seconds=found.rto_seconds,
        problem="; ".join(found.problems[:5]),
    )
    note(known, drill=drilled)
    event = BackupDrilled(
        file=found.file,
        at=datetime.fromisoformat(found.at),
        ok=found.ok,
        problems=found.problems[:20],
        rpo_seconds=found.rpo_seconds,
        rto_seconds=round(found.rto_seconds),
    )
    return replace(found, unrecorded=record(known.database_url("audit"), event, by))


def _drill(known: Settings, backup: Backup, steps: Steps) -> Drilled:
    server, live = place.server_of(known), place.live_names(known)
    server.major()
    names = {service: f"{name}_drill" for service, name in live.items()}
    with server.alone(), revived(known, server, names, backup, steps) as found:
        lost, newest = _since(known, found.about.at)
        problems = found.problems + _other_than_told(found)
        return Drilled(
            file=backup.file.name,
            at=found.about.at.isoformat(),
            age_seconds=round((utc_now() - found.about.at).total_seconds()),
            rpo_seconds=round((newest - found.about.at).total_seconds()) if newest else 0,
            lost_events=lost,
            rto_seconds=round(steps.seconds, 2),
            events=found.about.events,
            documents=found.whole.documents,
            log_size=found.verified.size,
            log_root=found.verified.root,
            sent_again=found.sent_again,
            problems=problems,
        )


def _other_than_told(found: Revived) -> list[str]:
    """Return how the restored log differs from what the backup says of it."""
    told = found.about.facts.get("log", {})
    same = (told.get("size"), told.get("root")) == (found.verified.size, found.verified.root)
    return [] if same else [f"the log has {found.verified.size} entries of {told.get('size')}, or another root"]


def _since(known: Settings, at: datetime) -> tuple[int, datetime | None]:
    """Return how many events were committed after a moment, and when the newest of them was."""
    events, newest = 0, None
    for url in known.database_urls.values():
        engine = engine_for(url, pool_size=1, application_name="tamga drill")
        try:
            with reading(engine) as connection:
                row = connection.execute(_SINCE, {"at": at}).one()
        finally:
            engine.dispose()
        events += row.events
        newest = max(filter(None, (newest, row.newest)), default=None)
    return events, newest
