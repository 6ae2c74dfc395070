"""What the last backup and the last drill came to: noted by who made them, told by page, command and figures alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

NAME = "backups.json"


class Backup(BaseModel):
    """One backup; when it failed, `problem` is the sentence that the operator read."""

    model_config = ConfigDict(frozen=True)

    at: datetime  # its end
    ok: bool
    file: str = ""  # its name, without folders
    size: int = 0  # bytes
    seconds: float = 0.0
    problem: str = ""


class Drill(BaseModel):
    """One restore of the newest backup beside the running stack, to see that it can be done."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    ok: bool
    rpo_seconds: float = 0.0  # how much of the latest work was not in the backup
    rto_seconds: float = 0.0  # how long the restore took
    problem: str = ""


class Backups(BaseModel):
    """What is known of backups; `good` is the last that succeeded, `last` the last try."""

    model_config = ConfigDict(frozen=True)

    last: Backup | None = None
    good: Backup | None = None
    drill: Drill | None = None
    kept: int | None = None  # how many there are, counted by whoever made or restored one here; None: not known


def note_of(home: Path) -> Backups:
    """Return what was noted in `home`; nothing where no backup was ever made."""
    file = home / NAME
    return Backups.model_validate_json(file.read_text()) if file.exists() else Backups()


def known_of(noted: Backups, told: Mapping[str, Any]) -> Backups:
    """Return what is noted here, or what the record tells of it where that is newer: backups may be made elsewhere."""
    backup, drill = told.get("backup"), told.get("drill")
    found: dict[str, Any] = {}
    if backup and (noted.good is None or datetime.fromisoformat(backup["at"]) > noted.good.at):
        found["good"] = Backup.model_validate(backup)
    if drill and (noted.drill is None or datetime.fromisoformat(drill["at"]) > noted.drill.at):
        found["drill"] = Drill.model_validate(drill)
    return noted.model_copy(update=found)


def note(home: Path, *, backup: Backup | None = None, drill: Drill | None = None, kept: int | None = None) -> Backups:
    """Add a backup or a drill that is over to the note in `home`; returns what is known now."""
    known = note_of(home)
    changes = {"drill": drill, "kept": kept, "last": backup, "good": backup if backup and backup.ok else None}
    found = known.model_copy(update={name: value for name, value in changes.items() if value is not None})
    draft = home / f"{NAME}.new"
    draft.write_text(found.model_dump_json(indent=2) + "\n")
    draft.replace(home / NAME)
    return found
