"""A whole Tamga, started as its operator would start it, in a folder of its own; and a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from whole import ROOT, Running, left_over, wait_ready

from shared.infrastructure.system import free_port
from shared.testing.collector import Collector, collecting

STOP_SECONDS = 60
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Give a collector of traces."""
    with collecting() as listening:
        yield listening


@pytest.fixture(scope="session")
def running(collector: Collector) -> Iterator[Running]:
    """Give a Tamga started by `tamga run`; at the end a Ctrl-C must stop every process of it."""
    home = Path(tempfile.mkdtemp(prefix="tamga-e2e-", dir="/tmp"))
    home.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAMGA_")}
    port = free_port()
    environment |= {"TAMGA_HOME": str(home), "TAMGA_PORT": str(port), "TAMGA_OTEL_ENDPOINT": collector.url}
    environment["TAMGA_WATCH_SECONDS"] = "3"
    log = home.with_suffix(".log")
    with log.open("wb") as output:
        command = [sys.executable, "-m", "services", "run"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        wait_ready(process, home, log)
        people = {entry["key"]: entry for entry in json.loads((home / "people.json").read_text())}
        yield Running(home, f"http://127.0.0.1:{port}", people, environment, collector)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            code: int | str = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = "had to be killed"
        left = left_over(home)
        shutil.rmtree(home, ignore_errors=True)
        said = log.read_text()
        log.unlink()
    assert code == 0, said
    assert left == [], "processes were left behind"


@pytest.fixture(scope="session")
def told(running: Running) -> dict[str, Any]:
    """Give what `tamga demo --json` said after acting the whole story."""
    done = running.tamga("demo", "--json", "--pause", "0.05")
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give Debian's Chromium. Playwright keeps an event loop running, which no other test file must meet."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        chromium.close()
