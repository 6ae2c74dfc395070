"""Worker and relay processes within milliseconds: forked from one process that has everything imported already.

A test that kills processes again and again would mostly wait for imports. Each is a process of its own all the same:
it connects, is killed and is drained as one that was started from a shell. Workers, which run on green threads, and
all others, which do not, come from two nurseries.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

_READY_MADE = ("backbone_process", "backbone", "behaviour")
GREEN, PLAIN = "green", "plain"
_NEEDED = {GREEN: ("consumer", "inbox", "batch"), PLAIN: ("relay", "publisher")}


class Child:
    """A process, with the methods of Popen that tests use."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float = 30) -> int:
        """Return the exit code once it has ended; raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("child", timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks others; whoever is left at its end is killed."""

    def __init__(self, kind: str) -> None:
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "shared.testing.nursery", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def close(self) -> None:
        """End it, by ending its input."""
        self._process.communicate(timeout=10)

    def ask(self, **question: Any) -> Any:
        """Put one question, and return the answer."""
        with self._asking:
            if self._process.stdin is None or self._process.stdout is None:
                raise RuntimeError("the nursery has no pipes")
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def child(self, facts: dict[str, Any]) -> Child:
        """Start a process; `facts` as in `backbone_process`, and `patience`: seconds until each further attempt."""
        return Child(self, self.ask(fork=facts, environment=dict(os.environ)))


@cache
def nursery(kind: str) -> Nursery:
    """Return this session's nursery of a kind, started at the first call."""
    only = Nursery(kind)
    atexit.register(only.close)
    return only


def _grow_up(facts: dict[str, Any]) -> int:
    """Be what the facts say, in the forked process."""
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    role = importlib.import_module("shared.testing.backbone_process")
    if "patience" in facts:
        timedelta = importlib.import_module("datetime").timedelta
        inbox = importlib.import_module("shared.messaging.inbox")
        inbox._PATIENCE = tuple(timedelta(seconds=seconds) for seconds in facts["patience"])  # type: ignore[attr-defined] # noqa: SLF001 - a test's clock
    role.FACTS.update(facts)
    code: int = role.ROLES.get(facts["role"], role.worker)()
    return code


def _fork(facts: dict[str, Any], environment: dict[str, str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    os.environ.clear()
    os.environ.update(environment)  # what the test has set since
    try:
        code = _grow_up(facts)
    finally:
        os._exit(code)


def _state(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def main() -> None:
    """Answer questions, a line each, until there are no more; then end everybody who is left."""
    kind = sys.argv[1]
    if kind == GREEN:
        importlib.import_module("shared.messaging.green")  # before anything else
    for name in _READY_MADE:
        importlib.import_module(f"shared.testing.{name}")
    for name in _NEEDED[kind]:
        importlib.import_module(f"shared.messaging.{name}")
    logs = importlib.import_module("structlog")  # its own default draws tracebacks for seconds
    logs.configure(processors=[logs.processors.format_exc_info, logs.processors.KeyValueRenderer()])
    alive: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        if "fork" in question:
            answer: int | None = _fork(question["fork"], question["environment"])
            alive.add(answer or 0)
        else:
            answer = _state(question["poll"])
            alive -= {question["poll"]} if answer is not None else set()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
