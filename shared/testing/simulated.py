"""The small worlds that are simulated: a few entities, what becomes of their events, and what the end must be.

Every schedule has entities of its own, so that thousands of them share tables which nobody empties.
"""

from __future__ import annotations

import itertools
import random
import secrets
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID, uuid5

from sqlalchemy import Connection, Engine, text

from shared.database import UnitOfWork, asking
from shared.events import Actor, Envelope
from shared.events.portal import UserDeactivated
from shared.messaging import batch, inbox, quarantine
from shared.messaging.wire import Raw, Received, encode
from shared.testing.backbone import SOURCE, TYPE, event_of
from shared.testing.simulation import Clock, RestlessError, Simulation

EACH = (2, 2, 2, 2, 3)  # events of an entity
OPERATOR = Actor(id="operator:test")
_SPACE = UUID("a2b4a7f0-3b0f-4f0e-9a55-0d9a6a1b7c11")
_WORLDS = itertools.count(1)
_TOKEN = secrets.token_hex(3)  # the tables may be those of an earlier session

TABLES = """
CREATE TABLE simulated_effect (row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, world text, entity text,
                               sequence bigint);
CREATE INDEX ON simulated_effect (world)
"""
# Nobody pulls this plug, and the same few statements come ten thousand times.
SETTINGS = (
    "ALTER DATABASE {name} SET synchronous_commit = off",
    "ALTER DATABASE {name} SET plan_cache_mode = force_generic_plan",
)

_EFFECT = text("INSERT INTO simulated_effect (world, entity, sequence) VALUES (:world, :entity, :sequence)")
_END = text("""
SELECT 'effect' AS what, entity, sequence, row FROM simulated_effect WHERE world = :world
UNION ALL SELECT 'applied', source || '/' || entity, sequence, 0 FROM inbox
  WHERE consumer = :consumer AND event_id = ANY(:ids)
UNION ALL SELECT 'parked', entity, sequence, 0 FROM inbox_parked WHERE consumer = :consumer
UNION ALL SELECT CASE state WHEN 'held' THEN 'quarantined' ELSE state END, coalesce(entity, 'unreadable'),
  coalesce(sequence, 0), 0 FROM quarantine WHERE consumer = :consumer
UNION ALL SELECT 'said', entity, sequence, row FROM outbox WHERE entity = :own
ORDER BY what, row, entity, sequence
""")
_TIDY = text("""
WITH parked AS (DELETE FROM inbox_parked WHERE consumer = :consumer)
DELETE FROM quarantine WHERE consumer = :consumer
""")


def hurry(connection: Any, _record: object = None) -> None:
    """Set up a new connection: nobody stops where it holds a lock, and what is prepared stays so after a rollback."""
    connection.execute("SET lock_timeout = 200")
    connection.commit()
    connection.prepare_threshold = 0
    # The driver forgets all of it, for a rollback may have undone a table; here nobody makes tables.
    connection._prepared._should_discard = lambda *_: False  # noqa: SLF001 - half of a schedule's time


class Broken(AssertionError):  # noqa: N818 - it is the finding
    """The end of a schedule is not that of the sequential run."""


@dataclass
class Fate:
    """What an event does to its handler: nothing ("ok"), fail always, fail a few times, be unknown."""

    kind: str = "ok"
    times: int = 0


@dataclass
class World:
    """One schedule's events and its consumer; `seed` decides everything."""

    engine: Engine
    seed: int
    crash_at: int = -1
    token: str = field(default_factory=lambda: f"{_TOKEN}-{next(_WORLDS)}")
    clock: Clock = field(default_factory=Clock)

    CONSUMER: ClassVar[str] = "loans"
    ORDERED: ClassVar[bool] = True

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311 - to be repeated, not to be secret
        names = [f"{letter}-{self.token}" for letter in "abc"[: chance.choice([2, 2, 2, 2, 3])]]
        each = chance.choice(EACH)
        line = [name for name in names for _ in range(each)]
        chance.shuffle(line)
        counters = {name: itertools.count(1) for name in names}
        self.events = [self._event(name, next(counters[name])) for name in line]
        self.fates = {event.id: Fate() for event in self.events}
        for event in chance.sample(self.events, chance.choice([0, 0, 1])):
            self.fates[event.id] = Fate("flaky", chance.randint(1, 2))
        for event in chance.sample(self.events, chance.choice([0, 0, 0, 1])):
            self.fates[event.id] = Fate("poison")
        self.speaks = chance.random() < 0.2  # its handler publishes an event of its own
        self.junk = [Raw({"n": self.token}, b"{not json", "portal.user.x")] * chance.choice([0, 0, 0, 0, 1])
        self.settling = chance.choice(["", "replay", "discard" if self.ORDERED else "replay"])
        self.chance, self.settled, self.tidy = chance, "", True
        messages = [encode(event) for event in self.events]
        for raw in self.junk:
            messages.insert(chance.randint(0, len(messages)), raw)
        self.simulation = Simulation(
            self.seed, self.engine, self, self.clock, unpublished=messages, crash_at=self.crash_at
        )

    def _event(self, name: str, number: int) -> Envelope:
        return event_of(name, number, event_id=uuid5(_SPACE, f"{name}/{number}"))

    def receive(self, raws: list[Raw]) -> object:
        return inbox.receive_all(self.engine, self.CONSUMER, {TYPE: self._on_event}, raws, clock=self.clock)

    def sweep(self) -> int:
        return inbox.sweep(self.engine, self.CONSUMER, {TYPE: self._on_event}, clock=self.clock)

    def _on_event(self, uow: UnitOfWork, envelope: Envelope) -> None:
        self.effect(uow.connection, envelope)
        if self.speaks:
            uow.record(UserDeactivated(user_id=envelope.entity, reason="ok"), entity=self.own)

    def effect(self, connection: Connection, envelope: Envelope) -> None:
        """Write the effect of an event, and fail if that is its fate."""
        facts = {"world": self.token, "entity": envelope.entity, "sequence": envelope.sequence}
        connection.execute(_EFFECT, facts)
        fate = self.fates[envelope.id]
        if fate.kind == "poison":
            raise ValueError("this event is poison")
        if fate.kind == "flaky" and fate.times:
            fate.times -= 1
            raise TimeoutError("not now")

    @property
    def own(self) -> str:
        """Return the entity that the handler speaks of."""
        return f"user:own-{self.token}"

    def run(self) -> None:
        """Go through the schedule; raises Broken, with the story, when its end is not the right one."""
        try:
            self.simulation.run()
            self._compare()
            if self.settling and self.poisoned():
                self.simulation.act(self._settle)
                self.settled = self.settling
                self._compare()
        except (Exception, RestlessError) as error:
            story = "\n  ".join(self.simulation.story)
            raise Broken(f"seed {self.seed}, crash_at {self.crash_at}: {error}\n  {story}") from error
        finally:
            if self.tidy:
                with self.engine.begin() as connection:
                    connection.execute(_TIDY, {"consumer": self.CONSUMER})

    def _settle(self) -> None:
        """Let an operator decide about the poisoned event: a fix and a replay, or a reason to leave it out."""
        rows = [row for row in quarantine.held(self.engine) if row.consumer == self.CONSUMER and row.entity]
        if not rows:
            return  # the crash came after the commit
        [held] = rows
        if self.settling == "discard":
            quarantine.discard(self.engine, self.CONSUMER, OPERATOR, held.id, "left out", clock=self.clock)
            return
        for event in self.poisoned():
            self.fates[event.id].kind = "mended"
        quarantine.replay(self.engine, self.CONSUMER, OPERATOR, quarantine_id=held.id, clock=self.clock)

    def poisoned(self) -> list[Envelope]:
        return [event for event in self.events if self.fates[event.id].kind == "poison"]

    def _compare(self) -> None:
        expected, found = self.expected(), self.found()
        self.tidy = not found.keys() <= {"effect", "applied", "said"}
        for what, rows in expected.items():
            if found.pop(what, []) != rows:
                raise Broken(f"{what}: {self.found().get(what, [])} instead of {rows}")
        if found:
            raise Broken(f"more than there should be: {found}")

    def found(self) -> dict[str, Any]:
        """Return what the tables say: effects in their order for each entity, and the rest as sorted lists."""
        facts = {"world": self.token, "consumer": self.CONSUMER, "own": self.own}
        with asking(self.engine) as connection:
            rows = connection.execute(_END, facts | {"ids": [event.id for event in self.events]}).all()
        ends: dict[str, Any] = {}
        for row in rows:
            ends.setdefault(row.what, []).append((row.entity, row.sequence))
        if "effect" in ends:
            effects = ends["effect"]
            ends["effect"] = sorted(effects, key=lambda pair: pair[0]) if self.ORDERED else sorted(effects)
        return ends

    def expected(self) -> dict[str, Any]:
        """Return what the sequential run leaves behind."""
        ends: dict[str, list[tuple[str, int]]] = {}

        def put(what: str, event: Envelope, prefix: str = "") -> None:
            ends.setdefault(what, []).append((prefix + event.entity, event.sequence))

        stuck: set[str] = set()
        for event in sorted(self.events, key=lambda event: (event.entity, event.sequence)):
            if event.entity in stuck and self.ORDERED:
                put("parked", event, f"{SOURCE}/")
            elif self.fates[event.id].kind == "poison":
                put({"": "quarantined", "discard": "discarded"}[self.settled], event, f"{SOURCE}/")
                stuck |= {event.entity} if not self.settled else set()
            else:
                if self.fates[event.id].kind == "mended":
                    put("replayed", event, f"{SOURCE}/")
                put("effect", event)
                put("applied", event, f"{SOURCE}/")
        return self._about(ends)

    def _about(self, ends: dict[str, list[tuple[str, int]]]) -> dict[str, list[tuple[str, int]]]:
        """Add what is not about one event: the handler's own events, junk, the row of a replayed event."""
        if self.speaks and self.ORDERED and ends.get("effect"):
            ends["said"] = [(self.own, number + 1) for number in range(len(ends["effect"]))]
        if self.junk:
            ends["quarantined"] = sorted([*ends.get("quarantined", []), ("unreadable", 0)])
        return ends


class BatchWorld(World):
    """The same for the consumer that takes events in batches and keeps no order by entity."""

    CONSUMER = "audit"
    ORDERED = False

    def receive(self, raws: list[Raw]) -> object:
        return batch.handle_batch(self.engine, self.CONSUMER, self._on_batch, raws, clock=self.clock)

    def sweep(self) -> int:
        return batch.sweep_batch(self.engine, self.CONSUMER, self._on_batch, clock=self.clock)

    def _on_batch(self, connection: Connection, received: list[Received]) -> None:
        for item in received:
            self.effect(connection, item.envelope)
