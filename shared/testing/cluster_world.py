"""A publishing service and two consumers on a cluster, under load without a break, and what became of every act."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from shared.messaging import topology
from shared.messaging.link import HEARTBEAT, channel_of
from shared.testing import tally
from shared.testing.backbone import Backbone, backbone_on, consumer_database, empty, eventually
from shared.testing.chaos import Running
from shared.testing.cluster import Cluster
from shared.testing.stand import Stand

WRITERS = 2
ENTITIES = 40
_BREATH = 0.1  # seconds between a writer's acts
_SLOW = 1.0  # seconds from one commit to the next, or from commit to effect, that are a wait
_QUIET = 2.0  # seconds without such a wait after which a disturbance is over
_REST = 90.0  # seconds until all is at rest
_DURABLE = 3.0  # seconds until a broker has written a new queue's name down
_EFFECTS = text("SELECT event_id, extract(epoch FROM at)::float8 AS at FROM effect")
_COUNT = text("SELECT count(*) FROM effect")
_RECORDED = text("SELECT id FROM outbox")
_LEADING = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid IN"
    " (SELECT pid FROM pg_stat_activity WHERE application_name = 'tamga relay portal')"
)


@dataclass
class Outcome:
    """What one scenario came to; `pause` are the longest times without a commit and without an effect."""

    name: str
    events: int = 0
    lost: int = 0
    duplicated: int = 0
    disordered: int = 0
    forgotten: int = 0  # acknowledged commits that the database does not know any more
    unanswered: int = 0  # commits that ended with an error
    recovery: float = 0.0
    commits_paused: float = 0.0
    events_paused: float = 0.0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not (self.wrong or self.lost or self.duplicated or self.disordered or self.forgotten)


class World:
    """Relays, workers and writers on a cluster. A scenario says when its fault begins: the clock runs from there."""

    def __init__(self, cluster: Cluster, backbone: Backbone, batches: Engine) -> None:
        self.cluster, self.backbone, self.batches = cluster, backbone, batches
        self.log = f"{backbone.queue}-log"  # the queue of the consumer that takes events in batches, as the audit does
        topology.apply(backbone.amqp_url, {self.log: ("portal.user.#",)}, exchange=backbone.exchange)
        self.acknowledged: dict[UUID, float] = {}
        self.unanswered = 0
        self.notes: list[str] = []
        self._since = self._until = 0.0
        self._over, self._counting = threading.Event(), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._processes: dict[str, Running] = {}

    @property
    def queues(self) -> tuple[str, str]:
        return self.backbone.queue, self.log

    def start(self) -> None:
        """Start everything and wait until it is at work."""
        backbone = self.backbone
        url = self.batches.url.render_as_string(hide_password=False)
        log = {"queue": self.log, "consumer_url": url, "heartbeat": HEARTBEAT}
        self._processes = {
            "relay": backbone.child("relay", hold=1.0),
            "relay that stands by": backbone.child("relay", hold=1.0),
            "worker": backbone.worker(heartbeat=HEARTBEAT),
            "log": backbone.worker("batch", **log),
        }
        time.sleep(_DURABLE)
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(WRITERS)]
        for thread in self._threads:
            thread.start()
        eventually(lambda: self._effects(self.backbone.consumer) and self._effects(self.batches), seconds=30)
        time.sleep(1)

    def fault(self) -> None:
        """Say that the fault begins now, or, where nothing can work meanwhile, that it is over."""
        self._since = time.time()

    def note(self, what: str) -> None:
        self.notes.append(what)

    def end(self, name: str) -> Outcome:
        """End the load, wait until all is at rest, and count."""
        self._until = time.time()
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=40)
        outcome = Outcome(name, unanswered=self.unanswered, notes=self.notes)
        with suppress(AssertionError):  # what is not at rest is counted as lost
            eventually(self._at_rest, seconds=_REST)
        outcome.wrong += self._wrong()
        self._measure(outcome)
        for process in self._processes.values():
            process.terminate()
        for who, process in self._processes.items():
            if code := process.wait(timeout=40):
                outcome.wrong.append(f"{who} ended with {code}")
        self._count(outcome)
        return outcome

    def close(self) -> None:
        """End what is left of it."""
        self._over.set()
        for process in self._processes.values():
            process.kill()
        with channel_of(self.backbone.amqp_url) as channel:
            channel.queue_delete(self.log)

    def _write(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - to be repeated
        while not self._over.is_set():
            try:
                events = self.backbone.commit(f"e{chance.randrange(ENTITIES)}", *["ok"] * chance.choice([1, 1, 2, 5]))
            except DBAPIError:
                with self._counting:
                    self.unanswered += 1
                self._over.wait(0.1)
                continue
            now = time.time()
            with self._counting:
                self.acknowledged |= dict.fromkeys(events, now)
            self._over.wait(_BREATH)

    def _effects(self, engine: Engine) -> int:
        with engine.connect() as connection:
            return int(connection.execute(_COUNT).scalar_one())

    def _at_rest(self) -> bool:
        try:
            depths = topology.depths(self.backbone.amqp_url, self.queues).values()
            if self.backbone.unpublished() or any(depth.messages for depth in depths):
                return False
            recorded = self.backbone.count("SELECT count(*) FROM outbox", at="source")
            return all(self._effects(engine) >= recorded for engine in (self.backbone.consumer, self.batches))
        except (DBAPIError, OSError):
            return False

    def _wrong(self) -> list[str]:
        """Return what should not be, beside what the tally counts."""
        wrong = [f"{who} ended by itself" for who, process in self._processes.items() if process.poll() is not None]
        with self.backbone.source.connect() as connection:
            if (leading := connection.execute(_LEADING).scalar_one()) != 1:
                wrong.append(f"{leading} relays lead")
        dead = topology.depths(self.backbone.amqp_url, [topology.DEAD_LETTERS])[topology.DEAD_LETTERS].messages
        return wrong + ([f"{dead} dead letters"] if dead else [])

    def _count(self, outcome: Outcome) -> None:
        for consumer in (self.backbone.consumer, self.batches):
            figures = tally.count(self.backbone.source, consumer, sent=self.acknowledged)
            outcome.events = figures.events
            outcome.lost += figures.lost
            outcome.duplicated += figures.duplicated
            if consumer is not self.batches:  # which takes things as they come: each has its place in the log by itself
                outcome.disordered += figures.disordered
            others = {"unrecorded": figures.unrecorded, "quarantined": figures.quarantined, "parked": figures.parked}
            outcome.wrong += [f"{number} {kind}" for kind, number in others.items() if number]
        with self.backbone.source.connect() as connection:
            recorded = set(connection.execute(_RECORDED).scalars())
        outcome.forgotten = len(self.acknowledged.keys() - recorded)

    def _measure(self, outcome: Outcome) -> None:
        """Work out from what was written when, how long things stood still and when they went on as before."""
        acts = sorted(self.acknowledged.values())
        waits = [(before, after) for before, after in pairwise(acts) if after - before > _SLOW]
        outcome.commits_paused = longest(acts, self._since, self._until)
        for engine in (self.backbone.consumer, self.batches):
            with engine.connect() as connection:
                effects = {row.event_id: row.at for row in connection.execute(_EFFECTS)}
            paused = longest(sorted(effects.values()), self._since, self._until)
            outcome.events_paused = max(outcome.events_paused, paused)
            known = ((self.acknowledged.get(event, at), at) for event, at in effects.items())
            waits += [(before, after) for before, after in known if after - before > _SLOW]
        recovered, last = recovery(waits, self._since)
        outcome.recovery = recovered - self._since
        if last > recovered:
            outcome.notes.append(f"single waits of more than a second until {last - self._since:.1f} s")


@contextmanager
def databases_on(cluster: Cluster) -> Iterator[tuple[Engine, Engine, Engine]]:
    """Give the databases of a publishing service and of two consumers."""
    stand = Stand()
    stand._admin_url = cluster.admin_url  # noqa: SLF001 - a stand on given servers
    with consumer_database(stand) as source, consumer_database(stand) as worker, consumer_database(stand) as batches:
        yield source, worker, batches


@contextmanager
def world_on(cluster: Cluster, databases: tuple[Engine, Engine, Engine]) -> Iterator[World]:
    """Give a world at work, with nothing in its tables and queues from before."""
    source, worker, batches = databases
    empty(batches)
    with backbone_on(cluster.amqp_url, source, worker) as backbone:
        world = World(cluster, backbone, batches)
        try:
            world.start()
            yield world
        finally:
            world.close()


def recovery(waits: list[tuple[float, float]], since: float) -> tuple[float, float]:
    """Return when what began at `since` was over, and the end of the last wait of all.

    Waits belong to it as long as each begins before the ones until then have been over for `_QUIET` seconds: a machine
    that is busy with other things has a long wait now and then.
    """
    over = last = since
    for before, after in sorted(wait for wait in waits if wait[1] > since):
        if before <= over + _QUIET:
            over = max(over, after)
        last = max(last, after)
    return over, last


def longest(moments: list[float], since: float, until: float) -> float:
    """Return the longest time between two of the moments that lies, wholly or in part, between `since` and `until`."""
    ends = [*(moment for moment in moments if since < moment < until), until]
    begins = [max([moment for moment in moments if moment <= since], default=since), *ends[:-1]]
    return max(end - begin for begin, end in zip(begins, ends, strict=True))
