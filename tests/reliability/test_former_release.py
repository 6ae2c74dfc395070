"""The release before this one, its own code in its own processes, on this one's tables and beside this one's processes.

What runs is what that release was made of when it was recorded (`shared.testing.released`): its way of committing,
relaying and handling, its SQL and its wire format.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.testing import released
from shared.testing.backbone import Backbone, eventually
from shared.testing.scenario import Scenario

pytestmark = pytest.mark.slow  # the former release's processes beside this one's

PATIENCE = 60  # seconds; both releases' processes import everything at once
LOAD = 100  # events
Former = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the former release's code."""
    return released.unpack(tmp_path_factory.mktemp("former"))


@pytest.fixture
def former(code: Path, backbone: Backbone) -> Iterator[Former]:
    """Give `former(role, **facts)`, which starts a process of the former release; ends what is left of them."""
    with ExitStack() as left:

        def start(role: str, **facts: Any) -> subprocess.Popen[bytes]:
            environment = released.environment(code, **backbone.facts(role, facts))
            command = [sys.executable, "-m", "shared.testing.backbone_process"]
            process = left.enter_context(subprocess.Popen(command, env=environment, cwd=code))
            left.callback(process.kill)
            return process

        yield start


def end(*processes: Any) -> None:
    """Ask processes to end, as a deployment does, and see that they do."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=PATIENCE)


@contextmanager
def committing(backbone: Backbone) -> Iterator[None]:
    """Commit with this release until the block ends, no faster than what is committed is handled."""
    stop = threading.Event()

    def commit() -> None:
        while not stop.wait(0.05):
            if backbone.depth().messages + backbone.unpublished() < LOAD:
                for number in range(5):
                    backbone.commit(f"e{number}", "ok", "ok")

    thread = threading.Thread(target=commit, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=PATIENCE)


def test_what_runs_is_the_former_release(code: Path) -> None:
    """Its modules come from the record, not from this checkout."""
    print_it = "import shared.messaging.relay as r, shared.version as v; print(r.__file__, v.release())"
    command = [sys.executable, "-c", print_it]
    said = subprocess.run(command, env=released.environment(code), cwd=code, capture_output=True, text=True, check=True)
    assert said.stdout.split() == [str(code / "shared/messaging/relay.py"), released.facts()["release"]]


def test_the_former_release_does_its_work_on_these_tables(scenario: Scenario, former: Former) -> None:
    """Commits, relays, applies, puts off, parks, quarantines: each of its statements finds what it needs."""
    backbone = scenario.backbone
    relay, worker, writer = former("relay"), former("worker"), former("commit", die=LOAD)
    backbone.commit("a", "ok", "once", "ok")
    backbone.commit("b", "ok", "poison", "ok", "ok")
    assert writer.wait(timeout=PATIENCE) == -signal.SIGKILL
    assert backbone.count("SELECT count(*) FROM effect WHERE entity = 'state'", at="source") == LOAD
    scenario.expects(quarantined=1, parked=2)
    scenario.settle(PATIENCE)
    end(relay, worker)
    assert (relay.returncode, worker.returncode) == (0, 0)


def test_both_releases_side_by_side_under_load_and_back_again(scenario: Scenario, former: Former) -> None:
    """Old alone, new beside it, new taken back, new again, old gone, both committing: none lost, twice or disordered.

    Once this release leads the relay and once the former one does; messages of each reach workers of both.
    """
    backbone = scenario.backbone
    applied = "SELECT count(*) FROM effect"

    def moves_on() -> None:
        wanted = backbone.count(applied) + scenario.many(LOAD)
        eventually(lambda: backbone.count(applied) >= wanted, seconds=PATIENCE)

    def join() -> list[Any]:
        processes = [backbone.child("relay"), backbone.worker()]
        eventually(lambda: backbone.depth().consumers == 2, seconds=PATIENCE)
        return processes

    old = [former("relay"), former("worker"), former("commit", die=LOAD)]
    with committing(backbone):
        moves_on()
        new = join()
        moves_on()
        end(*new)
        moves_on()
        new = join()
        end(*old[:2])
        moves_on()
    assert old[2].wait(timeout=PATIENCE) == -signal.SIGKILL
    scenario.fault_over()
    scenario.settle(PATIENCE)
    end(*new)
    assert [process.returncode for process in (*old[:2], *new)] == [0, 0, 0, 0]
