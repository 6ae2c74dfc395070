"""A backup as living databases again, under other names: filled, brought to this release, verified, accounted for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyrage
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from services.audit.handlers import verification
from services.audit.keys import Keys
from services.backup import place
from services.backup.creating import expect
from services.cards import consumers
from shared import migrations
from shared.database import reading
from shared.documents import DocumentStore
from shared.engine import encode_json
from shared.messaging.reconcile import Report, reconcile
from shared.safekeeping import bundle, making, manifest, programs
from shared.safekeeping.bundle import DOCUMENTS, Nowhere, Sink
from shared.safekeeping.manifest import About, Manifest
from shared.safekeeping.refusals import SafekeepingError, of_disk
from shared.safekeeping.restoring import Server
from shared.safekeeping.showing import Steps
from shared.settings import SERVICES, Settings
from shared.version import newer, release


@dataclass(frozen=True)
class Backup:
    """A file and its key."""

    file: Path
    key: pyrage.x25519.Identity

    def check(self, major: int, steps: Steps) -> tuple[About, Manifest]:
        """Read all of it, before anything is touched; raises SafekeepingError unless it can be restored here."""
        with steps.step("Checked") as bar:

            def begin(about: About) -> None:
                self._must_fit(about, major)
                expect(bar, about)

            return bundle.read(self.file, self.key, begin=begin, progress=bar.advance)

    def _must_fit(self, about: About, major: int) -> None:
        unknown = [
            service
            for service, database in about.databases.items()
            if service not in SERVICES or (database.revision and not migrations.knows(service, database.revision))
        ]
        if newer(about.version, release()) or unknown:
            raise SafekeepingError(
                f"{self.file.name} was made by Tamga {about.version} and this is {release()}, which is older:"
                f" install {about.version} or a later release, then restore."
            )
        theirs = max(database.server for database in about.databases.values())
        if theirs > major:
            raise SafekeepingError(
                f"{self.file.name} comes from PostgreSQL {theirs} and this server is {major}:"
                f" start one of version {theirs} or later."
            )


@dataclass
class Revived:
    """Databases that were filled from a backup, what was found in them, and the keys that came with them."""

    about: About
    whole: Manifest
    keys: Path  # a folder
    engines: Mapping[str, Engine]
    verified: verification.Report
    accounts: Report
    waiting: int  # committed events that nobody had published yet
    problems: list[str] = field(default_factory=list)

    @property
    def sent_again(self) -> int:
        """Return how many deliveries were on their way, and have to be made again."""
        return self.accounts.unaccounted


@contextmanager
def revived(
    known: Settings,
    server: Server,
    names: Mapping[str, str],
    backup: Backup,
    steps: Steps,
    *,
    documents: Path | None = None,
) -> Iterator[Revived]:
    """Check a backup and give it as databases of these names, which are gone at the end unless they got other names.

    Documents go into `documents` if that is given. Raises SafekeepingError.
    """
    major = server.major()
    read = backup.check(major, steps)
    with tempfile.TemporaryDirectory(prefix="tamga-restore-") as folder, ExitStack() as made:
        home = Path(folder)
        with steps.step("Databases made"):
            made.enter_context(server.scratch(names))
        urls = {service: server.owner_url(service, name) for service, name in names.items()}
        with steps.step("Restored") as bar:
            receive = partial(_receive, urls=urls, major=major, home=home, documents=documents)
            bundle.read(backup.file, backup.key, begin=partial(expect, bar), receive=receive, progress=bar.advance)
        engines = {
            service: create_engine(url, poolclass=NullPool, json_serializer=encode_json)
            for service, url in urls.items()
        }
        yield _examined(known, read, home, engines, steps)


def _receive(
    name: str, *, urls: Mapping[str, str], major: int, home: Path, documents: Path | None
) -> AbstractContextManager[Sink]:
    """Return what takes a part of the backup."""
    for service, url in urls.items():
        if name == making.dump_of(service):
            return programs.loading(service, url, major)
    if name.startswith(place.KEYS):
        return _file(home / name)
    if name.startswith(DOCUMENTS) and documents:
        return _file(DocumentStore(documents).path(name.removeprefix(DOCUMENTS)))
    return nullcontext(Nowhere())


@contextmanager
def _file(target: Path) -> Iterator[Sink]:
    """Give a sink into a file that is there as a whole or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as draft:
                yield draft
                draft.flush()
                os.fsync(draft.fileno())
            Path(name).replace(target)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise of_disk(target.parent, error) from error


def _examined(
    known: Settings, read: tuple[About, Manifest], home: Path, engines: Mapping[str, Engine], steps: Steps
) -> Revived:
    """Bring the databases to this release and look through them."""
    about, whole = read
    problems = _differences(about, engines)
    with steps.step("Brought to this release"):
        _migrate(engines)
    with steps.step("Log verified"):
        keys = Keys.of(known.model_copy(update={"home": home, "signer": ""}))
        # What was on its way at that moment is no hole.
        verified = verification.verify(engines["audit"], keys, clock=lambda: about.at)
    with steps.step("Accounted for"):
        accounts = reconcile(engines, consumers(), {}, grace=0)
    problems += [finding.sentence() for finding in verified.findings]
    if accounts.contradictory:
        problems.append(f"{accounts.contradictory} events are in two states at once")
    if strange := sum(account.unrecorded for account in accounts.accounts):
        problems.append(f"{strange} events were handled that their source does not know of")
    return Revived(about, whole, keys.folder, engines, verified, accounts, _waiting(engines), problems)


def _differences(about: About, engines: Mapping[str, Engine]) -> list[str]:
    found = []
    for service, engine in engines.items():
        with reading(engine) as connection:
            rows, expected = manifest.counted(connection), about.databases[service].rows
        tables = sorted({name for name, _ in rows.items() ^ expected.items()})
        found += [f"{service}.{name} has {rows.get(name)} rows of {expected.get(name)}" for name in tables]
    return found


def _migrate(engines: Mapping[str, Engine]) -> None:
    for service, engine in engines.items():
        try:
            with engine.begin() as connection:
                migrations.upgrade(service, connection, months_ahead=1)  # the start makes the rest
        except SQLAlchemyError as error:
            raise SafekeepingError(
                f"The database {service} can't be brought to release {release()} ({str(error).splitlines()[0]}):"
                " restore with the release that made the backup."
            ) from error


def _waiting(engines: Mapping[str, Engine]) -> int:
    waiting = 0
    for engine in engines.values():
        with reading(engine) as connection:
            waiting += connection.exec_driver_sql("SELECT count(*) FROM outbox WHERE published_at IS NULL").scalar_one()
    return waiting
