"""Heartbeat files: a process that hangs falls silent, which the list of processes would not show."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

BEAT_SECONDS = 2.0
STALE_SECONDS = 15.0


def heartbeat_file(home: Path, name: str) -> Path:
    """Return the file whose age says whether `name` ("worker.grants", "relay.audit") is alive."""
    return home / "heartbeats" / name


def beat(home: Path, name: str) -> None:
    """Say that `name` is alive at this moment."""
    path = heartbeat_file(home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def is_alive(home: Path, name: str, *, now: float | None = None) -> bool:
    """Say whether `name` gave a sign of life within the last quarter of a minute."""
    path = heartbeat_file(home, name)
    return path.exists() and (now if now is not None else time.time()) - path.stat().st_mtime < STALE_SECONDS


def keep_beating(home: Path, names: Callable[[], list[str]], stopped: threading.Event) -> threading.Thread:
    """Beat for what `names` returns until `stopped`; asked anew every time, so that the dead fall silent."""

    def run() -> None:
        while not stopped.is_set():
            for name in names():
                beat(home, name)
            stopped.wait(BEAT_SECONDS)

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    return thread
