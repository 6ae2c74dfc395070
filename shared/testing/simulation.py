"""A scheduler by seed that runs consumers on a real database and is as unkind to them as processes and networks are.

A simulated process is a greenlet. It stops only between transactions, where it holds no lock: there the scheduler
lets another process go on, ends this one for good, or takes its messages away as a lost connection does. Around
every commit the process may die, the line may break before the commit or swallow its answer, and everything that
was not acked is delivered again. Nothing is left to threads or to time, so a seed tells the whole story.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from greenlet import getcurrent, greenlet
from sqlalchemy import Connection, Engine
from sqlalchemy import exc as sql
from sqlalchemy.event import listen, remove

from shared.messaging.inbox import StorageDownError
from shared.messaging.wire import Raw

_MESSAGING = str(Path(__file__).parents[1] / "messaging")
_CRASH, _ERROR, _PAUSE = 0.08, 0.13, 0.45  # of a hundred boundaries: 8 crashes, 5 broken lines, 32 stops
_REST = timedelta(minutes=11)  # longer than any patience
_LONGEST = 3000  # boundaries until a schedule that does not come to rest is given up


class CrashError(BaseException):
    """The process dies here: nothing after this line happens, and nothing may catch it."""


class RestlessError(BaseException):
    """The faults are over and still something goes on; no handler of exceptions may hide it."""


class Consumer(Protocol):
    """What is simulated: the code that takes messages, and the timer that takes up what waits."""

    def receive(self, raws: list[Raw]) -> object:
        """Handle messages; returning means that they may be acked."""

    def sweep(self) -> int:
        """Take up what is due; returns how much that was."""


class Clock:
    """The processes' clock, which only the scheduler moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Process:
    """One worker process: idle, or stopped at a boundary in the middle of something."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: list[Raw] = []
        self.thread: greenlet | None = None

    @property
    def busy(self) -> bool:
        return self.thread is not None and not self.thread.dead

    def begin(self, act: Callable[[], object]) -> None:
        self.thread = greenlet(act)
        self.thread.switch()

    def resume(self) -> None:
        if self.thread:
            self.thread.switch()

    def crash(self) -> None:
        if self.thread:
            self.thread.throw(CrashError)


class Simulation:
    """One schedule. `unpublished` are the messages in the order in which the source commits them.

    With `crash_at` not below 0 there is one fault and no other: the process dies at the boundary of that number.
    """

    def __init__(
        self, seed: int, engine: Engine, consumer: Consumer, clock: Clock, *, unpublished: list[Raw], crash_at: int
    ) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.engine, self.consumer, self.clock, self.crash_at = engine, consumer, clock, crash_at
        self.unpublished, self.published, self.ready = list(unpublished), list[Raw](), list[Raw]()
        self.processes = [Process("one"), Process("two")] if crash_at < 0 else [Process("one")]
        self.main = getcurrent()
        self.calm = crash_at >= 0
        self.ack_first = False  # what a careless consumer does; for the test that this is noticed
        self.errors = 3
        self.boundaries = self.deliveries = 0
        self.crashes: Counter[str] = Counter()
        self.story: list[str] = []

    def run(self, steps: int = 9) -> None:
        """Go through `steps` steps with faults, and on without them until nothing moves any more."""
        with boundaries(self.engine, self._at):
            for _ in range(0 if self.calm else steps):
                self._step()
            self.calm = True
            self._come_to_rest()

    def act(self, act: Callable[[], object]) -> None:
        """Let one process do `act` until it has come through, crashing on the way; then come to rest."""
        self.calm, done = self.crash_at >= 0, list[object]()
        with boundaries(self.engine, self._at):
            while not done:
                self._begin(self.processes[0], "acts", lambda: done.append(act()))
                while self.processes[0].busy:
                    self.processes[0].resume()
        self.errors = 0  # one failure more, and what was replayed is back in quarantine
        self.run(steps=10)

    def _step(self) -> None:
        busy = [process for process in self.processes if process.busy]
        idle = [process for process in self.processes if not process.busy]
        choices: list[tuple[int, Callable[[], object]]] = [(2, self._tick)]
        choices += [(6, lambda: self._publish(self.chance.randint(1, 4)))] if self.unpublished else []
        choices += [(1, self._duplicate)] if self.published else []
        choices += [(7, lambda: self._deliver(self.chance.choice(idle)))] if idle and self.ready else []
        choices += [(3, lambda: self._sweep(self.chance.choice(idle)))] if idle else []
        choices += [(6, lambda: self._resume(self.chance.choice(busy)))] if busy else []
        choices += [(1, lambda: self._kill(self.chance.choice(busy)))] if busy else []
        choices += [(1, lambda: self._cut(self.chance.choice(busy)))] if busy else []
        [(_, choice)] = self.chance.choices(choices, weights=[weight for weight, _ in choices])
        choice()

    def _come_to_rest(self) -> None:
        for process in self.processes:
            while process.busy:
                self._resume(process)
        while True:
            if self.unpublished:
                self._publish(4)
            elif self.ready:
                self._deliver(self.processes[0])
            else:
                self.clock.now += _REST
                if not self._sweep(self.processes[0]):
                    return

    def _tick(self) -> None:
        self.clock.now += timedelta(seconds=self.chance.choice([0.2, 1, 5, 40, 700]))

    def _publish(self, count: int) -> None:
        new, self.unpublished = self.unpublished[:count], self.unpublished[count:]
        self.published += new
        self.ready += new

    def _duplicate(self) -> None:
        """Let a relay that died before it marked what it had published publish it again."""
        self._tell("published again")
        self.ready.append(self.chance.choice(self.published))

    def _deliver(self, process: Process) -> None:
        if not self.calm and self.chance.random() < 0.4:
            self.chance.shuffle(self.ready)
        count = self.chance.randint(1, 4)
        process.held, self.ready = self.ready[:count], self.ready[count:]
        self.deliveries += len(process.held)
        raws = list(process.held)
        self._begin(process, f"receives {_names(raws)}", lambda: self.consumer.receive(raws), acks=True)

    def _sweep(self, process: Process) -> int:
        taken = [1]  # for all that is known when the process dies

        def sweep() -> None:
            taken[0] = self.consumer.sweep()

        self._begin(process, "sweeps", sweep)
        return taken[0]

    def _begin(self, process: Process, what: str, act: Callable[[], object], *, acks: bool = False) -> None:
        def life() -> None:
            if acks and self.ack_first:
                process.held = []
            try:
                act()
                if acks:
                    self._at("ack")
            except CrashError:
                self._tell(f"{process.name} is dead")
            except (StorageDownError, sql.OperationalError) as error:
                self._tell(f"{process.name} gives back what it holds: {type(error).__name__}")
            else:
                process.held = []
                self._tell(f"{process.name} is done")
            self.ready, process.held = process.held + self.ready, []

        self._tell(f"{process.name} {what}")
        process.begin(life)

    def _resume(self, process: Process) -> None:
        self._tell(f"{process.name} goes on")
        process.resume()

    def _kill(self, process: Process) -> None:
        self.crashes["between transactions"] += 1
        process.crash()

    def _cut(self, process: Process) -> None:
        """Deliver again what the process holds and is still at work on: its connection is lost."""
        self._tell(f"{process.name} loses its connection to the broker")
        self.ready, process.held = process.held + self.ready, []

    def _at(self, where: str) -> None:
        """Be at a boundary: "begin" and "committed" of a transaction, its "commit", or the "ack"."""
        if getcurrent() is self.main:
            return
        self.boundaries += 1
        if self.boundaries > _LONGEST:
            raise RestlessError("did not come to rest")
        if self.boundaries == self.crash_at:
            self._crash(where)
        if self.calm:
            return
        roll = self.chance.random()
        if roll < _CRASH:
            self._crash(where)
        elif roll < _ERROR and self.errors and where != "ack":
            self.errors -= 1
            self._tell(f"line broken at {place(where)}")
            raise sql.OperationalError(where, {}, ConnectionError("the line broke"))
        elif roll < _PAUSE and where != "commit":
            self._tell(f"stops at {place(where)}")
            self.main.switch()

    def _crash(self, where: str) -> None:
        self.crashes[place(where)] += 1
        self._tell(f"crash at {place(where)}")
        raise CrashError

    def _tell(self, what: str) -> None:
        self.story.append(f"{self.clock.now:%H:%M:%S} {what}")


@contextmanager
def boundaries(engine: Engine, at: Callable[[str], None]) -> Iterator[None]:
    """Call `at` where transactions of `engine` begin, before they commit, and when they have committed."""
    given: Any = engine
    connect, committing = engine.connect, set[int]()

    def do_connect() -> Any:
        at("begin")
        connection: Any = connect()
        close = connection.close

        def do_close() -> None:
            close()
            if id(connection) in committing:
                committing.discard(id(connection))
                at("committed")

        connection.close = do_close
        return connection

    def commit(connection: Connection) -> None:
        try:
            at("commit")
        except BaseException:
            connection.connection.rollback()  # what the server does when it loses its client
            raise
        committing.add(id(connection))

    given.connect = do_connect
    listen(engine, "commit", commit)
    try:
        yield
    finally:
        remove(engine, "commit", commit)
        del given.connect


def place(where: str) -> str:
    """Return which of the messaging functions are at this boundary, such as "handle _release _attempt: commit"."""
    names: list[str] = []
    frame = sys._getframe(1)  # noqa: SLF001 - what a traceback would tell, without making one
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_code.co_filename.startswith(_MESSAGING):
            name = frame.f_code.co_name
            if name not in names[-1:]:
                names.append(name)
    return f"{' '.join(reversed(names))}: {where}" if names else where


def _names(raws: list[Raw]) -> str:
    headers = [raw.headers for raw in raws]
    return ", ".join(f"{h.get('cloudEvents_subject', '?')}/{h.get('cloudEvents_sequence', '?')[-3:]}" for h in headers)
