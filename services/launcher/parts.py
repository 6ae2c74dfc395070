"""The child processes of `tamga run`: started, watched, restarted when they crash, drained in order."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.clock import utc_now
from shared.infrastructure import system
from shared.infrastructure.gate import WAITING
from shared.infrastructure.system import InfrastructureError
from shared.operations.processes import Running

LARGEST_LOG = 5 * 1024 * 1024
LONGEST_PAUSE = 30.0
CALM_SECONDS = 60.0


def environment(home: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment of Tamga's own processes."""
    # Compiled modules are kept whatever the shell says: four processes start at once, and the next start is quicker.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return (
        kept
        | {
            "TAMGA_HOME": str(home),
            WAITING: "1",
            "PYTHONUNBUFFERED": "1",
            # Few allocation arenas: threads of a small machine share them, and memory stays low.
            "MALLOC_ARENA_MAX": "2",
        }
        | (extra or {})
    )


def fresh_log(home: Path, name: str) -> Path:
    """Return a part's log file; one that has grown large is kept once as `.1`."""
    log = home / "log" / f"{name}.log"
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    return log


@dataclass
class Part:
    """One of Tamga's own processes: `python -m services.<name>`."""

    name: str
    home: Path
    extra: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    ends: int = 0
    ended_at: datetime | None = None
    since: datetime = field(default_factory=utc_now)
    _pause: float = 0.0
    _started: float = 0.0
    _due: float | None = None
    _ended: float | None = None  # when it ended, until it works again

    @property
    def log(self) -> Path:
        """Return the file with what the part says."""
        return self.home / "log" / f"{self.name}.log"

    def start(self) -> None:
        """Start the process."""
        log = fresh_log(self.home, self.name)
        command = [sys.executable, "-m", f"services.{self.name}"]
        self.since = utc_now()
        # If the launcher itself is killed the broker goes too: draining would only wait for it, and nothing is lost.
        variables = environment(self.home, self.extra)
        self.process = system.start(command, log=log, folder=Path.cwd(), environment=variables, death_signal="KILL")
        self._started, self._due = time.monotonic(), None

    def running(self) -> Running | None:
        """Return the process that runs now."""
        if self.process is None or self.crashed():
            return None
        return Running(pid=self.process.pid, since=self.since)

    def failed(self) -> bool:
        """Say whether it ended by itself, for a reason that may still be there; a signal is somebody else's doing."""
        return self.process is not None and (self.process.returncode or 0) > 0

    def crashed(self) -> bool:
        """Say whether the process has ended though nobody asked it to."""
        return self.process is not None and self.process.poll() is not None

    def notice_end(self) -> str | None:
        """Plan a restart when the process has crashed since the last look; returns what happened in words, or None."""
        if self._due is not None or self.process is None or (code := self.process.poll()) is None:
            return None
        now = time.monotonic()
        calm = now - self._started > CALM_SECONDS
        self._pause = 0.0 if calm else min(max(self._pause * 2, 1.0), LONGEST_PAUSE)
        self._due = now + self._pause
        self._ended = self._ended or now
        self.ends, self.ended_at = self.ends + 1, utc_now()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        when = f" in {self._pause:.0f} s" if self._pause else ""
        return f"{self.name} {how}: starting it again{when} (see {self.log})."

    def is_due(self) -> bool:
        """Say whether it is time for the restart."""
        return self._due is not None and time.monotonic() >= self._due

    def notice_recovery(self, works: Callable[[], bool]) -> str | None:
        """Return in words that it works again and how long that took, once, when it does."""
        if self._ended is None or self._due is not None or not works():
            return None
        took, self._ended = time.monotonic() - self._ended, None
        return f"{self.name} works again after {took:.1f} s."

    def ask_to_stop(self) -> None:
        """Send SIGTERM: what is under way is finished."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait_stopped(self, hurried: Callable[[], bool], seconds: float = 40) -> bool:
        """Wait until it has ended; by force when time is up or somebody is in a hurry. Returns whether it was that."""
        if self.process is None:
            return False
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if hurried() or time.monotonic() > deadline:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                return True
            time.sleep(0.05)
        return False


class Preparation:
    """The process that makes databases, keys, people and topology ready; see services/prepare.py."""

    def __init__(self, home: Path, settings: dict[str, Any], database_admin_url: str) -> None:
        self.log = fresh_log(home, "prepare")
        guard = shutil.which("setpriv")
        command = [*([guard, "--pdeathsig", "TERM"] if guard else []), sys.executable, "-m", "services.prepare"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=environment(home),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._tell(json.dumps({"settings": settings, "database_admin_url": database_admin_url}))

    def _tell(self, line: str) -> None:
        if self.process.stdin is None:
            raise RuntimeError("the preparation has no input")
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise self._died() from error

    def order(self, step: str) -> None:
        """Say that `step` can be done now; the answers come in the order of the orders."""
        self._tell(step)

    def answer(self) -> dict[str, Any]:
        """Wait for the next step's answer; raises InfrastructureError when it failed."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise self._died()
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise InfrastructureError(f"Could not prepare the {answer['failed']} (see {self.log}).")
        return answer

    def _died(self) -> InfrastructureError:
        self.process.wait()
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        return InfrastructureError(f"The preparation ended early: {lines[-1].strip()} (see {self.log}).")

    def close(self) -> None:
        """Let the process end."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
