"""A stack that runs in containers, for the tests that `make ci-compose` runs against it; without one, none of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from running_stack import RunningStack

FOLDER = os.environ.get("TAMGA_STACK")
collect_ignore_glob = [] if FOLDER else ["test_*.py"]


@pytest.fixture(scope="session")
def stack() -> RunningStack:
    """Give the running stack."""
    return RunningStack(Path(FOLDER or "."))


@pytest.fixture(scope="session")
def story(stack: RunningStack) -> dict[str, Any]:
    """Play the programme's story once, as `make demo` does; returns what it prints."""
    done = subprocess.run(
        ["deploy/demo", "--yes", "--json", "--pause", "0"],
        cwd=stack.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{\n") :])
    return told


@pytest.fixture(scope="session")
def people(stack: RunningStack, story: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the story's people by key, with their passwords."""
    assert story
    listed = json.loads(stack.within("watch", "cat", "/var/lib/tamga/people.json"))
    return {person["key"]: person for person in listed}
