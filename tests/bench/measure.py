"""Measuring one system: how many acts a second, how late, how much memory; and whether all of them are there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.processes import Process
from tests.bench.systems import Peer
from tests.bench.tamga import Tamga

PATIENCE = 240.0
POLL = 0.05
Say = Callable[[str], None]
SAY = "{:34} {:>10,.0f} events/s".format


class MismatchError(RuntimeError):
    """A system did not store what it was given."""


@dataclass(frozen=True)
class Rate:
    """How fast a system was, and how much memory its processes had."""

    events: int
    seconds: float
    megabytes: float = 0.0

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    def with_more(self, more: Rate) -> Rate:
        """Return the rate over this and another time."""
        return Rate(self.events + more.events, self.seconds + more.seconds, max(self.megabytes, more.megabytes))


@dataclass
class Measured:
    """Everything that was measured of one system."""

    name: str
    whole: Rate | None = None
    carried: Rate | None = None
    committed: Rate | None = None
    paced: Rate | None = None  # what came about of the given pace while latency was measured
    latencies: list[float] = field(default_factory=list)
    audited: list[float] = field(default_factory=list)

    def with_more(self, more: Measured) -> Measured:
        """Return what was measured of the system in this turn and another one."""
        return Measured(
            self.name,
            _both(self.whole, more.whole),
            _both(self.carried, more.carried),
            _both(self.committed, more.committed),
            _both(self.paced, more.paced),
            sorted(self.latencies + more.latencies),
            sorted(self.audited + more.audited),
        )


def _both(one: Rate | None, other: Rate | None) -> Rate | None:
    return one.with_more(other) if one and other else None


def eventually(check: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait until `check` is true; raises MismatchError when it never is."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise MismatchError(f"{what}: not within {seconds:.0f} s")
        time.sleep(POLL)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which that share of sorted `values` lies."""
    return values[min(len(values) - 1, int(len(values) * share))]


def await_stored(system: Tamga | Peer, count: int) -> float:
    """Wait until a system has stored `count` events; returns the most memory it had meanwhile."""
    deadline, memory, weighed = time.monotonic() + PATIENCE, 0.0, time.monotonic()
    while (stored := system.stored()) < count:
        if time.monotonic() > deadline:
            raise MismatchError(f"{system.name}: {stored} of {count} events after {PATIENCE:.0f} s")
        if time.monotonic() - weighed > 1:
            memory, weighed = max(memory, system.megabytes()), time.monotonic()
        time.sleep(POLL)
    return memory


def check(system: Tamga | Peer, count: int) -> None:
    """Raise MismatchError unless exactly the acts are stored, each once."""
    found = (system.stored(), system.distinct())
    if found != (count, count):
        raise MismatchError(f"{system.name}: {count} acts, {found[0]} rows, {found[1]} different")


def go(processes: list[Process]) -> float:
    """Let processes begin together when all are ready; returns when that was."""
    for process in processes:
        process.ready()
    began = time.monotonic()
    for process in processes:
        process.go()
    return began


def timed(system: Tamga | Peer, processes: list[Process], count: int, *, before: int = 0) -> Rate:
    """Let `processes` go and return how fast `count` further events were stored."""
    began = go(processes)
    memory = await_stored(system, before + count)
    seconds = time.monotonic() - began
    check(system, before + count)
    return Rate(count, seconds, max(memory, system.megabytes()))


def committed(system: Tamga, count: int, *, first: int = 0) -> Rate:
    """Commit acts with nothing else running; returns how fast that was."""
    processes = system.committing(count, first=first)
    began = go(processes)
    for process in processes:
        process.finish()
    return Rate(count, time.monotonic() - began)
