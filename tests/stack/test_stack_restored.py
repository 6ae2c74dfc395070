"""Everything is lost, and comes back: last, for it ends the stack that the other tests look at and makes it anew."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from running_stack import RunningStack

pytestmark = pytest.mark.timeout(900)


def _make(stack: RunningStack, *arguments: str) -> float:
    """Run an operator's command and return how long it took; it must end well."""
    began = time.monotonic()
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=stack.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"make {' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return time.monotonic() - began


def _told(stack: RunningStack, *command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stack.within("watch", "tamga", *command, "--json"))
    return found


def test_what_was_backed_up_comes_back_after_every_volume_is_gone(
    stack: RunningStack, people: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """A backup, all volumes destroyed, restored: the log holds what it held, nothing is missing, people sign in."""
    before = _told(stack, "audit", "verify")
    saving = _make(stack, "backup", f"TO={tmp_path}")
    [kept] = tmp_path.glob("tamga-*.backup")
    stack.docker("compose", "down", "--volumes", "--timeout", "30")
    restoring = _make(stack, "restore", f"FILE={kept}")
    starting = _make(stack, "up")
    after = _told(stack, "audit", "verify")
    assert after["events"] >= before["events"] > 400
    accounted = _told(stack, "reconcile")
    assert (accounted["unaccounted"], accounted["contradictory"]) == (0, 0)
    person = next(iter(people.values()))
    # The proxy's own authority went with its volume.
    vars(stack).pop("trusted", None)
    with stack.browser(headers={"origin": stack.address}) as browser:
        answer = browser.post("/sign-in", data={"email": person["email"], "password": person["password"]})
    assert answer.status_code == 303
    size = kept.stat().st_size / 1e6
    sys.stdout.write(
        f"\nBackup {saving:.0f} s, {size:.1f} MB; restored in {restoring:.0f} s, healthy after {starting:.0f} s more.\n"
    )
