"""Processes of a system under measurement: started, told to begin, weighed, ended."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Process:
    """A child process; what it says on stderr is kept in a file, to be shown when it fails."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], facts: Mapping[str, Any]) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TAMGA_")}
        self.command = command
        self.child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=plain | {"PYTHONPATH": str(ROOT)} | dict(environment) | {"BENCH": json.dumps(dict(facts))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ready(self) -> None:
        """Wait until the process has imported and connected."""
        assert self.child.stdout
        if self.child.stdout.readline() != "ready\n":
            raise RuntimeError(f"{self.command[-2:]} did not become ready")

    def go(self) -> None:
        """Let it begin."""
        assert self.child.stdin
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def finish(self, seconds: float = 600) -> None:
        """Wait for its own end; raises when it failed."""
        if self.child.wait(seconds):
            raise RuntimeError(f"{self.command[-2:]} ended with {self.child.returncode}")

    def end(self) -> None:
        """Ask it to end, by force after a while."""
        self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def megabytes(self) -> float:
        """Return the memory of the process and its children; what they share counts once."""
        return sum(_proportional(pid) for pid in _family(self.child.pid)) / 1024


def _family(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(child))]


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
