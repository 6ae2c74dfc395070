"""`tamga run` for real: from an empty folder to healthy, through crashes, and down without leaving anything."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from rich.console import Console

from services.launcher import Launcher
from services.launcher.parts import Preparation
from services.launcher.screen import Screen
from shared.infrastructure.system import free_port
from shared.messaging.link import channel_of
from shared.messaging.topology import depths
from shared.testing.stand import Stand

ROOT = Path(__file__).resolve().parents[2]
READY = "Ctrl-C stops everything"
PATIENCE = 100

pytestmark = pytest.mark.slow  # each starts a whole Tamga


class Run:
    """One `tamga run` in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home, self.port, self.log = home, free_port(), home.with_suffix(".log")
        dropped = ("TAMGA_AMQP_URL", "TAMGA_DATABASE_URL")
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        self.environment = kept | {"TAMGA_HOME": str(home), "TAMGA_PORT": str(self.port), "COLUMNS": "80"}
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `tamga` command beside it."""
        command = [sys.executable, "-m", "services", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    def start(self) -> str:
        """Start it and wait until it says that it is ready; returns what it said."""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services", "run"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: READY in self.said() or self.ended())
        assert READY in self.said(), self.said() + self.logs()
        return self.said()

    def ended(self) -> bool:
        """Say whether the process is gone."""
        return self.process is not None and self.process.poll() is not None

    def said(self) -> str:
        """Return all that it printed."""
        return self.log.read_text()

    def logs(self) -> str:
        """Return the last lines of every part's log."""
        return "".join(f"\n{file.name}: {file.read_text()[-1500:]}" for file in (self.home / "log").glob("*.log"))

    def stop(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def processes(self) -> dict[int, str]:
        """Return every process that has to do with this folder, by what its command or environment says."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                about = command + (entry / "environ").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if str(self.home) in about and int(entry.name) != os.getpid():
                found[int(entry.name)] = command
        return found

    def pid_of(self, part: str) -> int:
        """Return the process id of one of Tamga's own parts."""
        return next(pid for pid, command in self.processes().items() if f"-m services.{part}" in command)


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until `condition` holds or the time is up."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Give a Tamga that runs; whatever happens, nothing of it is left."""
    # Not pytest's own temporary folder: that one is closed to the servers' users.
    folder = Path(tempfile.mkdtemp(prefix="tamga-run-"))
    folder.chmod(0o755)
    started = Run(folder / "home")
    try:
        started.start()
        yield started
    finally:
        if started.process is not None and started.process.poll() is None:
            started.process.send_signal(signal.SIGTERM)
            started.process.wait(PATIENCE)
        shutil.rmtree(folder)


def test_the_first_start_shows_every_person_once_and_keeps_passwords_for_the_owner(run: Run) -> None:
    """Each demonstration person's password is in the terminal and in a file that nobody else can read."""
    people = json.loads((run.home / "people.json").read_text())
    assert len(people) >= 8
    assert all(person["password"] in run.said() for person in people)
    for private in ("people.json", "secrets.json", "runtime.json", "keys/identity-private.pem"):
        assert (run.home / private).stat().st_mode & 0o077 == 0, private


def test_every_part_is_healthy(run: Run) -> None:
    """`tamga status --json` finds all five apps, the workers and all relays well, and exits with 0."""
    answer = run.command("status", "--json")
    found = json.loads(answer.stdout)
    assert answer.returncode == 0
    assert found["ok"] is True
    assert {f"web {name}" for name in ("portal", "grants", "loans", "notifications", "audit")} <= set(found["parts"])


def test_the_pages_answer(run: Run) -> None:
    """The sign-in page is served at the address that was printed."""
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/sign-in", timeout=10) as answer:
        assert answer.status == 200
        assert "<form" in answer.read().decode()


def test_a_second_start_in_the_same_folder_is_refused(run: Run) -> None:
    """Two launchers on one folder would fight over the data: the second says so and ends with 1."""
    answer = run.command("run")
    assert answer.returncode == 1
    assert "running here already" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_parts_that_end_come_back(run: Run) -> None:
    """Killed processes are started again, and so is the worker that ends with its queue, which is there again."""
    broker = json.loads((run.home / "runtime.json").read_text())["amqp_admin_url"]
    parts = ("web", "work", "relay", "signer")
    before = {part: run.pid_of(part) for part in parts}
    with channel_of(broker) as channel:
        channel.queue_delete("loans")
    for part in ("web", "relay", "signer"):
        os.kill(before[part], signal.SIGKILL)
    wait_for(lambda: all(f"{part} works again after" in run.said() for part in parts))
    assert "web was ended by SIGKILL: starting it again" in run.said()
    assert "work ended with code 1" in run.said()
    assert "queues and bindings were applied again" in run.said()
    assert all(run.pid_of(part) != before[part] for part in parts)
    wait_for(lambda: run.command("status").returncode == 0)
    assert run.command("status").returncode == 0
    restarts = next(
        line for line in json.loads(run.command("status", "--json").stdout)["lines"] if line["key"] == "restarts"
    )
    assert (restarts["state"], restarts["facts"]["ends"]) == ("look", dict.fromkeys(parts, 1))
    wait_for(lambda: depths(broker, ["loans"])["loans"].consumers > 0)
    assert depths(broker, ["loans"])["loans"].consumers > 0
    assert run.said().count("work ended") == 1


def test_a_topology_that_cannot_be_applied_again_stops_nothing(tmp_path: Path) -> None:
    """With the broker away the launcher says so in one line and goes on: what it restarts waits for the broker."""
    url = f"amqp://guest:guest@127.0.0.1:{free_port()}//"
    (tmp_path / "log").mkdir()
    said = io.StringIO()
    launcher = Launcher(tmp_path, 0, Screen(Console(file=said, width=400)), Mock())
    launcher._apply_topology(Preparation(tmp_path, {"home": str(tmp_path), "amqp_admin_url": url}, ""))
    assert said.getvalue().startswith("Exchange, queues and bindings could not be applied again: ")
    assert "nobody answers there" in said.getvalue()


def test_ctrl_c_ends_everything_and_the_next_start_finds_the_data(run: Run) -> None:
    """SIGINT leaves no process and no runtime file; a second start finds everybody and makes nobody new."""
    assert run.stop(signal.SIGINT) == 0
    ended = [line.split()[1] for line in run.said().splitlines() if " has ended " in line]
    assert ended == ["web", "work", "relay", "signer", "broker", "database"]
    assert run.processes() == {}
    assert not (run.home / "runtime.json").exists()
    people = (run.home / "people.json").read_text()
    said = run.start()
    assert "there already" in said
    assert "people.json" in said
    assert (run.home / "people.json").read_text() == people


def test_a_killed_launcher_takes_everything_with_it(run: Run) -> None:
    """SIGKILL can't be handled: the kernel itself ends the children, so no orphan holds ports or data."""
    if run.process is None or run.ended():
        run.start()
    assert run.process is not None
    run.process.kill()
    run.process.wait(PATIENCE)
    wait_for(lambda: run.processes() == {}, seconds=45)
    assert run.processes() == {}


def test_a_taken_port_is_one_sentence_and_nothing_is_left(stand: Stand) -> None:
    """When another program has the port: exit code 1, one sentence that names the way out, no process."""
    run = Run(stand.folder / "port-taken")
    taken = int(run.environment["TAMGA_PORT"])
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", taken))
        holder.listen()
        answer = run.command("run")
    assert answer.returncode == 1
    assert answer.stderr.strip() == (
        f"Port {taken} is taken by another program: stop it, or choose another with TAMGA_PORT={taken + 1}."
    )
    assert run.processes() == {}


def test_a_broker_that_does_not_answer_is_one_sentence(stand: Stand) -> None:
    """A given URL with nobody behind it is named, before anything is started."""
    run = Run(stand.folder / "no-broker")
    run.environment["TAMGA_AMQP_URL"] = f"amqp://guest:guest@127.0.0.1:{free_port()}//"
    answer = run.command("run")
    assert answer.returncode == 1
    assert "TAMGA_AMQP_URL" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert run.processes() == {}
