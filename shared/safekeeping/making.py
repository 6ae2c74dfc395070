"""Making a backup: one moment, every database as it was then, and whatever else belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage

from shared.safekeeping import bundle, keeping, manifest, programs
from shared.safekeeping.bundle import Progress
from shared.safekeeping.manifest import About
from shared.safekeeping.moment import Moment, one_moment

DATABASES = "databases/"


@dataclass(frozen=True)
class Extras:
    """What else belongs to a moment: small parts by their names, and facts to be told before all of it is read."""

    parts: Mapping[str, bytes]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Contents:
    """What is to be kept: `urls` are those of the databases' owners, `extras` are asked for at the moment."""

    version: str
    urls: Mapping[str, str]
    documents: Path
    extras: Callable[[Moment], Extras]


@dataclass(frozen=True)
class Made:
    """A backup that is on disk."""

    file: Path
    bytes: int
    about: About


def dump_of(name: str) -> str:
    """Return the part that has a database."""
    return f"{DATABASES}{name}.dump"


def make(
    folder: Path,
    key: pyrage.x25519.Identity,
    contents: Contents,
    *,
    begin: Callable[[About], None] = lambda _about: None,
    progress: Progress = lambda _name, _size: None,
) -> Made:
    """Write a new backup into a folder; it has its name only when all of it is on disk. Raises SafekeepingError."""
    with keeping.folder_alone(folder), one_moment(contents.urls) as moment:
        extras = contents.extras(moment)
        about = _about(contents.version, moment, extras)
        begin(about)
        file = folder / keeping.name_of(contents.version, about.at)
        draft = keeping.partial(file)
        try:
            with bundle.writing(draft, key, about, progress) as writer:
                for name, url in contents.urls.items():
                    major, snapshot = about.databases[name].server, moment.snapshots[name]
                    with programs.dumping(name, url, major, snapshot) as pieces:
                        writer.stream(dump_of(name), pieces)
                for name, content in extras.parts.items():
                    writer.data(name, content)
                # After the databases' moment: whatever they name is in the folder by now.
                writer.documents(contents.documents)
            keeping.settle(draft, file)
        finally:
            draft.unlink(missing_ok=True)
    return Made(file, file.stat().st_size, about)


def _about(version: str, moment: Moment, extras: Extras) -> About:
    databases = {name: manifest.seen(connection) for name, connection in moment.connections.items()}
    return About(
        version=version, at=moment.at, waited_seconds=round(moment.waited, 4), databases=databases,
        facts=dict(extras.facts),
    )  # fmt: skip
