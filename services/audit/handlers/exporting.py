"""Exporting what a search of the log shows: asked for on a page, made beside it, with its progress in a file.

An export reads one snapshot, through a cursor, and writes into a file of its own: however large, it takes the same
memory. Who asked, what for and what came of it are events. A file is kept for KEPT; then only the record of it stays.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Engine

from services.audit.asking import parse
from services.audit.domain.export import DOSSIER, Export
from services.audit.handlers import dossier, proof_bundle, reading
from services.audit.handlers.export_rows import Tick, lines, say, table
from services.audit.handlers.printed_export import printed
from services.audit.handlers.signing import UnsignedError, signed_at_least
from services.audit.keys import Keys
from services.audit.query import filters_of
from services.audit.storage import exports, scan, tree
from services.audit.storage.opening import Opener
from services.audit.storage.subjects import subjects_of
from shared.clock import Clock, utc_now
from shared.database import Context, UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.exports.tables import TYPES, pieces
from shared.i18n import current_locale
from shared.settings import Settings

log = structlog.get_logger(__name__)
KEPT = timedelta(days=7)
STALE = 60.0  # seconds without a sign of life after which an export is taken for dead
PRINTED = 2_000  # rows of a PDF; more would be a book that nobody reads
ZIP = "application/zip"
MEDIA = TYPES | {"jsonl": "application/x-ndjson", "pdf": "application/pdf", "bundle": ZIP, DOSSIER: ZIP}
HEADERS = {"cache-control": "private, no-store"}
_EVERY = 500  # rows from one sign of life to the next
_PATIENCE = 10.0  # seconds for the request that asked to be committed
_PIECE = 1 << 20


@dataclass(frozen=True)
class Progress:
    """How far an export is: rows written, and whether whoever writes it is still there."""

    rows: int = 0
    stale: bool = False


class Files:
    """The exports' files, in a folder beside the log's keys."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.home / "exports"

    def path(self, item: Export) -> Path:
        return self.folder / f"{item.id}.file"

    def progress_file(self, item: Export) -> Path:
        return self.folder / f"{item.id}.rows"

    def there(self, item: Export) -> bool:
        """Say whether the file can still be had."""
        return item.stage == "ready" and self.path(item).exists()

    def progress(self, item: Export) -> Progress:
        """Return how far an export is."""
        file = self.progress_file(item)
        if not file.exists():
            return Progress()
        text = file.read_text()
        return Progress(int(text) if text.isdigit() else 0, time.time() - file.stat().st_mtime > STALE)

    def say(self, item: Export, rows: int) -> None:
        """Leave a sign of life."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.progress_file(item).write_text(str(rows))

    def sweep(self) -> None:
        """Take out what is older than KEPT."""
        oldest = time.time() - KEPT.total_seconds()
        for file in self.folder.glob("*.*") if self.folder.exists() else ():
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)


def ask(uow: UnitOfWork, settings: Settings, *, search: str, format_: str, purpose: str, locale: str) -> Export:
    """Ask for an export of what the log, as it is now, shows for a search; raises InvalidError by field."""
    now, actor = uow.now(), uow.context.actor
    filters = filters_of(parse(search), settings, now)
    item = Export.ask(
        id=str(uow.ids()),
        search=search,
        filters=filters.recorded(),
        format=format_,
        purpose=purpose,
        locale=locale,
        by=actor.id,
        by_name=actor.name or actor.id,
        leaves=tree.head(uow.connection).size,
        asked_at=now,
    )
    if not item.leaves:
        raise ConflictError("The log is empty")
    Files(settings).sweep()
    return exports.repository(uow).add(item)


def begun(uow: UnitOfWork, state: Any, **about: str) -> Export:
    """Ask for an export on behalf of who is there, and begin to make it; `state` is that of the web app."""
    item = ask(uow, state.settings, **about)
    begin(state.engine, state.settings, item.id, uow.context, clock=state.clock)
    return item


def found(uow: UnitOfWork, export_id: str) -> Export:
    """Return an export; raises NotFoundError."""
    item = exports.repository(uow).find(export_id[:80])
    if item is None:
        raise NotFoundError("There is no such record")
    return item


def fetch(uow: UnitOfWork, settings: Settings, export_id: str) -> tuple[Export, Path]:
    """Return an export with its file, and record that it was fetched; raises NotFoundError once it is gone."""
    item = found(uow, export_id)
    if not Files(settings).there(item):
        raise NotFoundError("This file is not kept any more: ask for the export again")
    reading.viewed(uow, f"export:{item.id}", "export")
    return item, Files(settings).path(item)


def begin(engine: Engine, settings: Settings, export_id: str, context: Context, *, clock: Clock = utc_now) -> None:
    """Make an export beside the request that asked for it."""
    facts = {"args": (engine, settings, export_id, context), "kwargs": {"clock": clock}}
    threading.Thread(target=_quietly, name=f"export {export_id[-6:]}", daemon=True, **facts).start()  # type: ignore[arg-type]


def _quietly(*arguments: Any, clock: Clock) -> None:
    try:
        make(*arguments, clock=clock)
    except Exception:
        log.exception("an export could not be made")


def make(
    engine: Engine,
    settings: Settings,
    export_id: str,
    context: Context,
    *,
    clock: Clock = utc_now,
    progress: Callable[[int], None] = lambda _: None,
) -> Export:
    """Write the file of an export and record what came of it."""
    item, files = _committed(engine, export_id, context), Files(settings)
    locale = current_locale.set(item.locale)
    try:
        rows = _written(engine, settings, item, files, clock, progress)
        problem = ""
    except (ConflictError, InvalidError, NotFoundError) as error:
        rows, problem = 0, str(next(iter(error.fields.values()))) if isinstance(error, InvalidError) else str(error)
    finally:
        current_locale.reset(locale)
    with UnitOfWork(engine, "audit", context, clock=clock) as uow:
        item = exports.repository(uow).get(item.id)
        if problem:
            item.fail(problem, uow.now())
        else:
            path = files.path(item)
            item.finish(rows=rows, size=path.stat().st_size, sha256=_sha256(path), now=uow.now())
    return item


def _committed(engine: Engine, export_id: str, context: Context) -> Export:
    until = time.monotonic() + _PATIENCE
    while True:
        with UnitOfWork(engine, "audit", context) as uow:
            item = exports.repository(uow).find(export_id)
        if item is not None:
            return item
        if time.monotonic() > until:
            raise NotFoundError("There is no such record")
        time.sleep(0.05)


def _written(  # noqa: PLR0917 - what it takes
    engine: Engine, settings: Settings, item: Export, files: Files, clock: Clock, progress: Callable[[int], None]
) -> int:
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count % _EVERY == 1:
            files.say(item, count)
            progress(count)

    files.say(item, 0)
    draft = files.path(item).with_suffix(".part")
    try:
        with engine.begin() as connection:
            keys = Keys.of(settings)
            checkpoint = signed_at_least(connection, keys, item.leaves, clock=clock)
    except UnsignedError as error:
        raise ConflictError("The log can't be signed at the moment: %(why)s", why=str(error)) from error
    if checkpoint is None:
        raise ConflictError("The log is empty")
    opener, zone = Opener(subjects_of(settings), say("[erased on %(at)s by %(by)s]")), ZoneInfo(settings.time_zone)
    filters = filters_of(parse(item.search), settings, item.asked_at)
    leaves = min(item.leaves, checkpoint.size)
    with scan.snapshot(engine) as connection:

        def rows() -> Iterator[Any]:
            return exports.matches(connection, filters, leaves)

        if item.format in {"bundle", DOSSIER}:
            verifier = keys.verifier
            about: dict[str, Any] = {"rows": rows, "zone": zone, "now": clock(), "tick": tick}
            if item.format == DOSSIER:
                made = dossier.gather(connection, filters.case, item.asked_at.astimezone(zone).date(), leaves)
                about["more"] = dossier.archived(made, checkpoint, opener, zone, item)
            written = proof_bundle.write(connection, item, checkpoint, verifier, opener, draft, **about)
        else:
            written = _plain(item, rows(), opener, zone, checkpoint, draft, tick)
    if not written:
        draft.unlink(missing_ok=True)
        raise ConflictError("Nothing matches this search")
    draft.replace(files.path(item))
    return written


def _plain(  # noqa: PLR0917 - what it takes
    item: Export, rows: Iterator[Any], opener: Opener, zone: ZoneInfo, checkpoint: tree.Signed, draft: Path, tick: Tick
) -> int:
    written = 0

    def counted() -> Iterator[Any]:
        nonlocal written
        for row in rows:
            written += 1
            tick()
            yield row

    if item.format == "pdf":
        some = list(islice(counted(), PRINTED + 1))
        if len(some) > PRINTED:
            rule = Rule("a PDF has at most %(most)s entries: narrow the search, or choose another format", most=PRINTED)
            raise InvalidError({"format": rule})
        draft.write_bytes(printed(item, some, opener, zone, checkpoint) if some else b"")
        return written
    with draft.open("wb") as file:
        parts = (
            lines(counted(), opener)
            if item.format == "jsonl"
            else pieces(replace(table(counted(), opener, zone, headings=True), about=checkpoint.note), item.format)
        )
        for piece in parts:
            file.write(piece)
    return written


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
