"""`tamga backup create`: make a backup, read it again, let old ones go, and say so on record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import pyrage
import structlog
from sqlalchemy.exc import DBAPIError

from services.backup import people_keys, place
from shared.clock import utc_now
from shared.commands import here
from shared.database import Context, UnitOfWork, engine_for
from shared.events import Actor, Event
from shared.events.audit import BackupCreated
from shared.operations import backups
from shared.safekeeping import bundle, keeping, making
from shared.safekeeping.manifest import About, Manifest
from shared.safekeeping.refusals import SafekeepingError
from shared.safekeeping.restoring import reason
from shared.safekeeping.showing import Bar, Steps
from shared.settings import Settings

log = structlog.get_logger(__name__)

ENTITY = "backup:installation"


@dataclass(frozen=True)
class Created:
    """A backup that is on disk and was read again; `unrecorded` says why it is not on record."""

    file: str
    bytes: int
    events: int
    documents: int
    seconds: float
    waited_seconds: float
    removed: list[str]
    first: bool
    unrecorded: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def create(known: Settings, by: Actor, steps: Steps) -> Created:
    """Make a backup; raises SafekeepingError. The note for the operator's page has either."""
    try:
        made = _create(known, by, steps)
    except SafekeepingError as error:
        failed = backups.Backup(at=utc_now(), ok=False, seconds=steps.seconds, problem=str(error))
        note(known, backup=failed)
        raise
    kept = len(keeping.there(known.backups_folder))
    good = backups.Backup(at=utc_now(), ok=True, file=made.file, size=made.bytes, seconds=made.seconds)
    note(known, backup=good, kept=kept)
    return made


def note(known: Settings, **what: Any) -> None:
    """Note what came of it for the operator's page; where that can't be written the act itself is not undone by it."""
    try:
        backups.note(known.home, **what)
    except OSError as error:
        log.error("the operator's page will not know of it", folder=str(known.home), reason=error.strerror)  # noqa: TRY400 - no traceback for a full disk


def _create(known: Settings, by: Actor, steps: Steps) -> Created:
    contents, folder = place.contents_of(known), known.backups_folder
    place.ensure_key(known)
    key, first = place.key_of(known), not keeping.there(folder)
    try:
        with steps.step("Written") as bar:
            made = making.make(folder, key, contents, begin=partial(expect, bar), progress=bar.advance)
        with steps.step("Read again") as bar:
            whole = _read_again(made, key, bar)
    except DBAPIError as error:
        raise of_database(error) from error
    people_keys.keep(known, key)
    removed = _prune(known)
    created = Created(
        file=made.file.name,
        bytes=made.bytes,
        events=made.about.events,
        documents=whole.documents,
        seconds=round(steps.seconds, 2),
        waited_seconds=made.about.waited_seconds,
        removed=removed,
        first=first,
    )
    return _recorded(known, by, created, made.about)


def expect(bar: Bar, about: About) -> None:
    """Tell a bar about how many bytes there will be."""
    bar.expect(sum(database.bytes for database in about.databases.values()))


def _read_again(made: making.Made, key: pyrage.x25519.Identity, bar: Bar) -> Manifest:
    """Return the manifest of a new backup; what can't be read is no backup and does not stay."""
    try:
        return bundle.read(made.file, key, begin=partial(expect, bar), progress=bar.advance)[1]
    except SafekeepingError:
        made.file.unlink()
        raise


def _prune(known: Settings) -> list[str]:
    days, weeks = known.backup_keep_days, known.backup_keep_weeks
    old = keeping.superfluous(keeping.there(known.backups_folder), utc_now(), days=days, weeks=weeks)
    for one in old:
        one.file.unlink()
    return [one.file.name for one in old]


def _recorded(known: Settings, by: Actor, created: Created, about: About) -> Created:
    event = BackupCreated(
        file=created.file,
        at=about.at,
        tamga_version=about.version,
        bytes=created.bytes,
        events=created.events,
        milliseconds=round(created.seconds * 1000),
        waited_ms=round(created.waited_seconds * 1000),
        removed=created.removed,
    )
    return replace(created, unrecorded=record(known.database_url("audit"), event, by))


def record(url: str, event: Event, by: Actor) -> str:
    """Put an act on record in the audit service's database; returns why that failed, or nothing."""
    engine = engine_for(url, pool_size=1, application_name="tamga backup")
    try:
        with UnitOfWork(engine, "audit", Context(actor=by)) as uow:
            uow.record(event, entity=ENTITY)
    except DBAPIError as error:
        return reason(error)
    finally:
        engine.dispose()
    return ""


def of_database(error: DBAPIError) -> SafekeepingError:
    """Return what a failure of a database means for who wanted a backup."""
    return SafekeepingError(
        f"A database does not do its part ({reason(error)}): start it, or see its log;"
        f" `{here('tamga status')}` says how it is."
    )
