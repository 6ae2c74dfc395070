"""What the launcher of one machine notes of the processes that it started; elsewhere there is no such note."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

NAME = "processes.json"


class Processes(BaseModel):
    """When Tamga was started, how often each process has ended and was started again, and the broker if it is ours."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    restarts: dict[str, int] = {}
    restarted_at: dict[str, datetime] = {}
    broker_since: datetime | None = None
    broker_log: str = ""


def note_of(home: Path) -> Processes | None:
    """Return the launcher's note, or None where there is none."""
    file = home / NAME
    return Processes.model_validate_json(file.read_text()) if file.exists() else None
