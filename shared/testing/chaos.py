"""A schedule of faults by seed on a world under load: processes killed, lines cut, the broker stopped, filled, alarmed.

Every fault is real, and each is over after a while; what follows then is the same as after any other night: all
comes to rest, and nothing is lost, done twice or out of order.
"""

from __future__ import annotations

import heapq
import itertools
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from amqp.exceptions import AMQPError, MessageNacked
from sqlalchemy import text

from shared.database import Context, UnitOfWork, system
from shared.events.portal import UserDeactivated
from shared.messaging.wire import Raw, headers_of
from shared.testing.backbone import SOURCE, Backbone
from shared.testing.lines import Lines, through
from shared.testing.messages import send
from shared.testing.node import PrivateBroker

_PATIENCE = (0.3, 0.6, 1, 2, 4, 8, 8, 8)  # seconds between a worker's attempts
_HOLD = 1.0  # seconds until a relay tries again what the broker refused
_ENTITIES = 40
_LOADS = 3
_ROOM = 30.0  # seconds until a full queue has room again, once everybody works
_BREATH = 0.02  # seconds between a source's commits: the lines' threads live in this process too
PROCESSES = ("relay 1", "relay 2", "worker 1", "worker 2")
_REPEATED = text(
    'SELECT id, type, version, entity, sequence, position, "time", correlation_id, causation_id, traceparent,'
    ' programme, "case", outcome, body::text AS body FROM outbox WHERE published_at IS NOT NULL AND row = ANY(:rows)'
)
_VIOLATIONS = text("""
SELECT count(*) - count(DISTINCT event_id) AS twice,
  (SELECT count(*) FROM (SELECT sequence - lag(sequence) OVER (PARTITION BY entity ORDER BY at, ctid) AS step
                         FROM effect) AS e WHERE step <> 1) AS disordered
FROM effect
""")


class Running(Protocol):
    """A process that can be killed."""

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...
    def wait(self, timeout: float = ...) -> int: ...


@dataclass(frozen=True)
class Fault:
    """One fault: how long after the one before it begins and how long it lasts, in seconds."""

    after: float
    kind: str
    lasts: float


@dataclass
class Done:
    """What was injected and what of it must be seen at the end."""

    faults: Counter[str] = field(default_factory=Counter)
    poison: int = 0
    behind_poison: int = 0
    junk: list[bytes] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # processes that ended on their own


class Chaos:
    """One run; `pace` is the mean of the seconds between two faults.

    Its methods named in KINDS inject a fault and may return what ends it.
    """

    KINDS = (
        "worker_killed", "workers_killed", "relay_killed", "relays_killed", "worker_line_cut", "relay_line_cut",
        "worker_line_silent", "relay_line_silent", "consumer_database_cut", "source_database_cut", "broker_stopped",
        "broker_killed", "memory_alarm", "full_queue", "duplicates", "poison", "transient", "junk", "long_transaction",
        "worker_ended",
    )  # fmt: skip

    def __init__(self, backbone: Backbone, broker: PrivateBroker, seed: int, *, pace: float) -> None:
        self.backbone, self.broker, self.pace = backbone, broker, pace
        self._hands = threading.Lock()  # one asks after a process, or ends it, at a time
        self.chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.lines, self.done, self.story = Lines(backbone), Done(), list[str]()
        self._processes: dict[str, Running] = {}
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count(1)
        self._over, self._left, self._counting = threading.Event(), threading.Event(), threading.Lock()
        self.committed = self.limit = self._behind = 0
        self._began = time.monotonic()
        self._looked = 0.0

    def schedule(self) -> list[Fault]:
        """Return every kind of fault once, in a drawn order."""
        kinds = self.chance.sample(self.KINDS, len(self.KINDS))
        return [
            Fault(round(self.chance.uniform(0.5, 1.5) * self.pace, 2), kind, round(self.chance.uniform(0.3, 1.5), 2))
            for kind in kinds
        ]

    def run(self, seconds: float, *, events: int, backlog: int) -> None:
        """Keep the world under load and inject faults for `seconds`, or longer until `events` are committed."""
        self.limit, self._began = backlog, time.monotonic()
        seeds = [self.chance.random() for _ in range(_LOADS)]
        acts: list[Callable[[], object]] = [partial(self._load, seed) for seed in seeds]
        self._threads = [threading.Thread(target=act, daemon=True) for act in [*acts, self._keep]]
        for thread in self._threads:
            thread.start()
        ends, round_ = list[tuple[float, int, Fault, Callable[[], object]]](), 0
        while not round_ or self._now() < seconds or self.committed < events:
            round_ += 1
            for fault in self.schedule():
                self._wait(self._now() + fault.after, ends)
                self._inject(fault, ends)
                if round_ > 1 and self._now() > seconds and self.committed >= events:
                    break
        while ends:
            self._wait(ends[0][0], ends)
        self._over.set()

    def _wait(self, until: float, ends: list[tuple[float, int, Fault, Callable[[], object]]]) -> None:
        """Pass the time; end the faults whose time has come, and look whether the promise still holds."""
        while True:
            while ends and ends[0][0] <= self._now():
                _, _, fault, end = heapq.heappop(ends)
                self._tell(f"{fault.kind} is over")
                end()
            if self._now() - self._looked > self.pace * 5:
                self.look()
            if self._now() >= until:
                return
            time.sleep(0.02)

    def look(self) -> None:
        """Raise AssertionError as soon as an effect is there twice or before its turn."""
        self._looked = self._now()
        with self.backbone.consumer.connect() as connection:
            seen = connection.execute(_VIOLATIONS).one()
        if seen.twice or seen.disordered:
            raise AssertionError(f"{seen.twice} effects twice, {seen.disordered} out of order")

    def heal(self) -> None:
        """End every fault; whatever process ended on its own is started again, as its supervisor would do."""
        self.broker.calm()
        for line in self.lines.all():
            line.heal()
        for body in self.done.junk:
            until = time.monotonic() + _ROOM
            while not self._send([Raw({"x": "junk"}, body)]):
                if time.monotonic() > until:
                    raise AssertionError("the broker is back and takes no message")
                time.sleep(0.2)  # a queue that is full says no until some of it is handled

    def close(self) -> None:
        """End everything that was started here."""
        self._over.set()
        self._left.set()
        for thread in self._threads:
            thread.join(timeout=30)
        for process in self._processes.values():
            process.kill()
            process.wait(timeout=10)
        for line in self.lines.all():
            line.close()

    def ended(self) -> list[str]:
        """Ask every process to end, and return those that do not end well."""
        self._left.set()
        self._threads[_LOADS].join(timeout=30)
        for process in self._processes.values():
            process.terminate()
        return [name for name, process in self._processes.items() if process.wait(timeout=40) != 0]

    def _inject(self, fault: Fault, ends: list[tuple[float, int, Fault, Callable[[], object]]]) -> None:
        self._tell(f"{fault.kind} for {fault.lasts} s")
        self.done.faults[fault.kind] += 1
        end = getattr(self, f"_{fault.kind}")()
        if end:
            heapq.heappush(ends, (self._now() + fault.lasts, next(self._numbers), fault, end))

    # Load

    def _load(self, seed: float) -> None:
        chance = random.Random(seed)  # noqa: S311 - to be repeated
        while not self._over.is_set():
            if self._behind > self.limit:
                time.sleep(0.05)
                continue
            self._commit(f"e{chance.randrange(_ENTITIES)}", *["ok"] * chance.choice([1, 1, 2, 5, 12]))
            time.sleep(_BREATH)

    def _commit(self, entity: str, *reasons: str) -> None:
        self.backbone.commit(entity, *reasons)
        with self._counting:
            self.committed += len(reasons)

    # Processes

    def _keep(self) -> None:
        """Start what is not running, as a supervisor does: two relays, of which one leads, and two workers."""
        while not self._left.is_set():
            for name in PROCESSES:
                with self._hands:
                    process = self._processes.get(name)
                    code = process.poll() if process else 0
                    if code is not None:
                        self.done.failed += [f"{name}: {code}"] if code not in {0, -signal.SIGKILL} else []
                        self._processes[name] = self._start(name)
            self._behind = self.committed - self.backbone.count("SELECT count(*) FROM inbox")
            self._left.wait(0.1)

    def _start(self, name: str) -> Running:
        backbone, lines = self.backbone, self.lines
        if name.startswith("worker"):
            database = backbone.consumer.url.render_as_string(hide_password=False)
            return backbone.worker(
                amqp_url=through(backbone.amqp_url, lines.worker_broker),
                # The other one's statements do not pass through this process, which is busy enough.
                consumer_url=through(database, lines.consumer) if name == PROCESSES[-1] else database,
                patience=_PATIENCE,
            )
        return backbone.child(
            "relay",
            amqp_url=through(backbone.amqp_url, lines.relay_broker),
            source_url=through(backbone.source.url.render_as_string(hide_password=False), lines.source),
            hold=_HOLD,
        )

    def _kill(self, *names: str) -> None:
        for name in names:
            with self._hands:
                if process := self._processes.get(name):
                    process.kill()

    def _worker_killed(self) -> None:
        self._kill(self.chance.choice(["worker 1", "worker 2"]))

    def _workers_killed(self) -> None:
        self._kill("worker 1", "worker 2")

    def _worker_ended(self) -> None:
        with self._hands:
            if process := self._processes.get(self.chance.choice(["worker 1", "worker 2"])):
                process.terminate()

    def _relay_killed(self) -> None:
        self._kill(self.chance.choice(["relay 1", "relay 2"]))

    def _relays_killed(self) -> None:
        self._kill("relay 1", "relay 2")

    # Lines

    def _worker_line_cut(self) -> None:
        self.lines.worker_broker.cut()

    def _relay_line_cut(self) -> Callable[[], object]:
        self.lines.relay_broker.cut(refuse=True)
        return self.lines.relay_broker.heal

    def _worker_line_silent(self) -> Callable[[], object]:
        self.lines.worker_broker.swallow()
        return self.lines.worker_broker.heal

    def _relay_line_silent(self) -> Callable[[], object]:
        self.lines.relay_broker.swallow()
        return self.lines.relay_broker.heal

    def _consumer_database_cut(self) -> Callable[[], object]:
        self.lines.consumer.cut(refuse=self.chance.random() < 0.5)
        return self.lines.consumer.heal

    def _source_database_cut(self) -> Callable[[], object]:
        self.lines.source.cut(refuse=self.chance.random() < 0.5)
        return self.lines.source.heal

    # The broker

    def _broker_stopped(self) -> Callable[[], object] | None:
        if not self.broker.running:
            return None
        self.broker.stop()
        return self._broker_up

    def _broker_killed(self) -> Callable[[], object] | None:
        if not self.broker.running:
            return None
        self.broker.kill()
        return self._broker_up

    def _broker_up(self) -> None:
        if not self.broker.running:
            self.broker.start()

    def _memory_alarm(self) -> Callable[[], object] | None:
        if not self.broker.running:
            return None
        self.broker.memory_alarm()
        return self.broker.calm

    def _full_queue(self) -> Callable[[], object] | None:
        if not self.broker.running:
            return None
        self.broker.limit(self.backbone.queue, 20)
        return self._queue_free

    def _queue_free(self) -> None:
        self._broker_up()
        self.broker.unlimit()

    # Events

    def _duplicates(self) -> None:
        """Send twenty published events again, by two senders at the same moment."""
        rows = [self.chance.randint(1, max(1, self.committed)) for _ in range(20)]
        with self.backbone.source.connect() as connection:
            found = connection.execute(_REPEATED, {"rows": rows}).mappings().all()
        raws = [
            Raw(headers_of(dict(row) | {"source": SOURCE}), row["body"].encode(), row["type"], None, str(row["id"]))
            for row in found
        ]
        start = threading.Barrier(2)

        def again() -> None:
            with suppress(threading.BrokenBarrierError):
                start.wait(timeout=5)
            self._send(raws)

        threads = [threading.Thread(target=again) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _poison(self) -> None:
        after = self.chance.randint(0, 3)
        self._commit(f"p{next(self._numbers)}", "ok", "poison", *["ok"] * after)
        self.done.poison += 1
        self.done.behind_poison += after

    def _transient(self) -> None:
        self._commit(f"e{self.chance.randrange(_ENTITIES)}", "once", "ok", "once")

    def _junk(self) -> None:
        body = f"{{not json {next(self._numbers)}".encode()
        self.done.junk.append(body)
        self._send([Raw({"x": "junk"}, body)])

    def _send(self, raws: list[Raw]) -> bool:
        try:
            send(self.backbone, raws)
        except (AMQPError, MessageNacked, OSError):
            return False  # no broker at the moment, or no room in the queue
        return True

    def _long_transaction(self) -> None:
        """Record an event under a low number and commit it long after later ones."""

        def act() -> None:
            with UnitOfWork(self.backbone.source, SOURCE, Context(actor=system(SOURCE))) as uow:
                uow.record(UserDeactivated(user_id="long", reason="ok"), entity=f"user:l{next(self._numbers)}")
                uow.flush()
                time.sleep(1.5)
            with self._counting:
                self.committed += 1

        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _tell(self, what: str) -> None:
        self.story.append(f"{self._now():7.2f} s  {what}")
