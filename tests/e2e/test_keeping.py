"""A whole Tamga at work is kept, and comes to life again in another place from the file and the key alone."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from whole import ROOT, Running, wait_ready

from shared.infrastructure.system import free_port
from shared.safekeeping.moment import LONGEST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def told_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what a command said as JSON; it must have ended well."""
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def another(running: Running) -> Iterator[Running]:
    """Give a place where no Tamga has ever been."""
    home = Path(tempfile.mkdtemp(prefix="tamga-again-", dir="/tmp"))
    home.chmod(0o755)
    port = free_port()
    environment = running.environment | {"TAMGA_HOME": str(home), "TAMGA_PORT": str(port)}
    try:
        yield Running(home, f"http://127.0.0.1:{port}", running.people, environment, running.collector)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def started(place: Running) -> Iterator[None]:
    """Start Tamga in a place and stop it again."""
    log = place.home.with_suffix(".log")
    with log.open("wb") as output:
        command = [sys.executable, "-m", "services", "run"]
        process = subprocess.Popen(command, cwd=ROOT, env=place.environment, stdout=output, stderr=output)
    try:
        wait_ready(process, place.home, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
        log.unlink()
    assert code == 0


def all_arrived(place: Running) -> dict[str, Any]:
    """Return the accounts once nothing is under way any more."""
    deadline = time.monotonic() + 60
    while True:
        found = place.tamga("reconcile", "--json")
        accounts: dict[str, Any] = json.loads(found.stdout)
        if not accounts["open"] or time.monotonic() > deadline:
            return accounts
        time.sleep(1)


@pytest.mark.usefixtures("told")
def test_backups_of_a_house_at_work_come_to_life_again(running: Running) -> None:
    """Three backups while the story is acted: each is sound, and the second lives on elsewhere with nothing lost."""
    command = [sys.executable, "-m", "services", "demo", "--json", "--pause", "0.05"]
    with subprocess.Popen(command, cwd=ROOT, env=running.environment, stdout=subprocess.DEVNULL) as acting:
        made = []
        while len(made) < 3 and acting.poll() is None:
            made.append(told_of(running.tamga("backup", "create", "--json")))
        acting.wait(300)
    assert (len(made), acting.returncode) == (3, 0)
    assert all(one["waited_seconds"] < LONGEST and not one["unrecorded"] for one in made)
    folder = running.home / "backups"
    assert made[0]["events"] < made[-1]["events"], "nothing was done meanwhile"
    for one in made:
        found = told_of(running.tamga("drill", str(folder / one["file"]), "--json"))
        assert (found["ok"], found["problems"]) == (True, [])
    refused = running.tamga("restore", str(folder / made[1]["file"]))
    assert (refused.returncode, "running here already" in refused.stderr) == (2, True)
    lines = {line["key"]: line for line in json.loads(running.tamga("status", "--json").stdout)["lines"]}
    assert (lines["backup"]["state"], lines["drill"]["state"]) == ("good", "good")

    with another(running) as place:
        elsewhere = place.home / made[1]["file"]
        shutil.copy(folder / made[1]["file"], elsewhere)
        key = shutil.copy(running.home / "backup_key", place.home / "copy-of-the-key")
        done = told_of(place.tamga("restore", str(elsewhere), "--key", str(key), "--json"))
        assert (done["events"], done["findings"], done["lost_entries"]) == (made[1]["events"], [], 0)
        with started(place):
            accounts = all_arrived(place)
            assert (accounts["unaccounted"], accounts["contradictory"], accounts["open"]) == (0, 0, 0)
            assert sum(one["unrecorded"] for one in accounts["accounts"]) == 0
            assert told_of(place.tamga("audit", "verify", "--json"))["ok"]
