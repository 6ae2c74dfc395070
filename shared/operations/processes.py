"""What the launcher of one machine notes of the processes that it started; elsewhere there is no such note."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shared.heartbeat import heartbeat_file, is_alive

NAME = "processes.json"
SEEN = "processes-seen"
# Whose process a sign of life is, by the first word of its name ("worker.grants").
_PROCESSES = {"worker": "work", "relay": "relay", "web": "web", "signer": "signer"}


class Running(BaseModel):
    """A process that was started at a moment."""

    model_config = ConfigDict(frozen=True)

    pid: int
    since: datetime

    def lives(self) -> bool:
        """Say whether it is there at this moment; one that has ended and waits to be buried is not."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(") ")[2][:1] not in {"Z", "X"}


class Processes(BaseModel):
    """When Tamga was started, what runs, how often each process has ended and when last, and the broker if it is ours.

    `seen_at` is when somebody last took note of what had ended.
    """

    model_config = ConfigDict(frozen=True)

    since: datetime
    running: dict[str, Running] = {}
    ends: dict[str, int] = {}
    ended_at: dict[str, datetime] = {}
    broker_since: datetime | None = None
    broker_log: str = ""
    seen_at: datetime | None = None

    def state_of(self, home: Path, name: str) -> str:
        """Return how what gives a sign of life is: "ok", "starting", or what is wrong."""
        process = self.running.get(_PROCESSES[name.partition(".")[0]])
        if process is None or not process.lives():
            return "ended"
        file = heartbeat_file(home, name)
        if not file.exists() or file.stat().st_mtime < process.since.timestamp():
            return "starting"  # the sign is of the process before it
        return _by_heartbeat(home, name)


def note_of(home: Path) -> Processes | None:
    """Return the launcher's note, or None where there is none."""
    file, seen = home / NAME, home / SEEN
    if not file.exists():
        return None
    note = Processes.model_validate_json(file.read_text())
    return note.model_copy(update={"seen_at": datetime.fromisoformat(seen.read_text())}) if seen.exists() else note


def take_note(home: Path, now: datetime) -> None:
    """Remember that somebody has seen which processes ended: up to now they need nobody any more."""
    (home / SEEN).write_text(now.isoformat())


def state_of(home: Path, name: str) -> str:
    """Return how what gives a sign of life is at this moment; where the launcher noted nothing, its sign alone says."""
    try:
        note = note_of(home)
    except ValueError:
        note = None  # torn: that the look itself says
    return note.state_of(home, name) if note else _by_heartbeat(home, name)


def _by_heartbeat(home: Path, name: str) -> str:
    return "ok" if is_alive(home, name) else "no sign of life"
