"""The folder of backups: their names, which is the newest, and which of them nobody needs any more."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.commands import here
from shared.safekeeping.refusals import SafekeepingError, of_disk

KEEP_DAYS, KEEP_WEEKS = 14, 8
_NAME = re.compile(r"tamga-(?P<version>[^/]+)-(?P<at>\d{8}T\d{6}Z)\.backup")
_STAMP = "%Y%m%dT%H%M%SZ"
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Kept:
    """A backup that is there, as its name tells."""

    file: Path
    version: str
    at: datetime

    @property
    def bytes(self) -> int:
        return self.file.stat().st_size


def stamp(at: datetime) -> str:
    """Return a moment as names of files and databases have it."""
    return at.astimezone(UTC).strftime(_STAMP)


def name_of(version: str, at: datetime) -> str:
    """Return the name of a backup."""
    return f"tamga-{version}-{stamp(at)}.backup"


def partial(file: Path) -> Path:
    """Return the name under which a backup is written: nobody takes that for one."""
    return file.with_name(f".{file.name}{_PARTIAL}")


def there(folder: Path) -> list[Kept]:
    """Return the backups in a folder, newest first."""
    found = [(file, _NAME.fullmatch(file.name)) for file in folder.glob("tamga-*.backup")]
    kept = [
        Kept(file, match["version"], datetime.strptime(match["at"], _STAMP).replace(tzinfo=UTC))
        for file, match in found
        if match
    ]
    return sorted(kept, key=lambda one: one.at, reverse=True)


def newest(folder: Path) -> Kept:
    """Return the newest backup of a folder; raises SafekeepingError when there is none."""
    found = there(folder)
    if not found:
        raise SafekeepingError(f"There is no backup in {folder}: make one with `{here('tamga backup create')}`.")
    return found[0]


def superfluous(kept: Iterable[Kept], now: datetime, *, days: int = KEEP_DAYS, weeks: int = KEEP_WEEKS) -> list[Kept]:
    """Return what is older than `days` and not the newest of one of the last `weeks` weeks."""
    of_weeks: dict[tuple[int, int], Kept] = {}
    for one in sorted(kept, key=lambda one: one.at):
        of_weeks[one.at.isocalendar()[:2]] = one
    needed = {one.file for one in of_weeks.values() if now - one.at <= timedelta(weeks=weeks)}
    newest_of_all = max((one.at for one in of_weeks.values()), default=now)
    return [
        one
        for one in kept
        if now - one.at > timedelta(days=days) and one.file not in needed and one.at != newest_of_all
    ]


@contextmanager
def folder_alone(folder: Path) -> Iterator[None]:
    """Hold the folder against a second backup, and clear what a killed one has left. Raises SafekeepingError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise of_disk(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SafekeepingError(f"Another backup is being written to {folder}: wait until it is done.") from error
        for left in folder.glob(f".tamga-*{_PARTIAL}"):
            left.unlink()
        yield


def settle(draft: Path, file: Path) -> None:
    """Give a finished backup its name, for good."""
    draft.rename(file)
    handle = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
