"""A whole Tamga as its operator starts it, and how people sign in to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from shared.testing.collector import Collector

ROOT = Path(__file__).parents[2]
READY_SECONDS = 120


@dataclass(frozen=True)
class Running:
    """A running Tamga: its folder, its address, its people by key."""

    home: Path
    url: str
    people: dict[str, dict[str, Any]]
    environment: dict[str, str]
    collector: Collector

    def tamga(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the `tamga` command beside it."""
        command = [sys.executable, "-m", "services", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=110
        )


def wait_ready(process: subprocess.Popen[bytes], home: Path, log: Path) -> None:
    """Wait until `tamga run` says that it is up; says why when it is not."""
    deadline = time.monotonic() + READY_SECONDS
    while "Ctrl-C stops everything" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            logs = "\n".join(f"--- {file.name}\n{file.read_text()[-2000:]}" for file in (home / "log").glob("*.log"))
            raise AssertionError(f"Tamga did not come up:\n{log.read_text()}\n{logs}")
        time.sleep(0.2)


def left_over(home: Path) -> list[str]:
    """Return the processes that still belong to the Tamga of that folder."""
    marker = str(home).encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            texts = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if marker in texts and int(entry.name) != os.getpid():
            found.append(f"{entry.name}: {(entry / 'cmdline').read_bytes().replace(bytes(1), b' ').decode()}")
    return found


def sign_in(page: Page, running: Running, key: str) -> None:
    """Sign a person in through the page."""
    person = running.people[key]
    page.goto(running.url + "/sign-in")
    page.get_by_label("E-mail").fill(person["email"])
    page.locator("input[name=password]").fill(person["password"])
    page.locator("form[action='/sign-in'] button").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
