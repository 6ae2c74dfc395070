"""Whole services in the simulation: their real handlers on scripts of real events, on their own databases.

Events of different entities may take effect in any order. So what a schedule leaves behind must be, to the letter,
what the same events leave behind when nothing goes wrong: once in the order in which they took effect here, and, for
what is a copy of other services' facts, once in the order in which they happened.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine, MetaData, text

from shared.database import Context, UnitOfWork, asking, service_metadata, system
from shared.events import Envelope
from shared.messaging import inbox
from shared.messaging.inbox import Handler, Handlers
from shared.messaging.wire import Raw, encode
from shared.testing.simulated import Broken
from shared.testing.simulation import Clock, RestlessError, Simulation

State = dict[str, list[Any]]

# What two runs cannot have in common: the order in which rows came, and the ids of spans.
_PASSING = frozenset({"row", "traceparent", "after_hash"})
_STEPS = 20  # a story is longer than what the light worlds go through
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_MESSAGING = frozenset(service_metadata().tables) - {"outbox", "reference_counter"}


class Service(NamedTuple):
    """A service as its worker runs it, and which of its tables are copies of others' facts."""

    name: str
    on: Handlers
    tables: MetaData
    copies: frozenset[str]


class Script(NamedTuple):
    """Events in an order in which they may have happened, those of an entity numbered from 1."""

    name: str
    events: tuple[Envelope, ...]


class _NeverWasError(Exception):
    """Ends a transaction that only wanted to see."""


class Stage:
    """One service's database, which many schedules use one after the other."""

    def __init__(self, service: Service, engine: Engine, superuser: Engine) -> None:
        self.service, self.engine, self._superuser = service, engine, superuser
        own = [name for name in service.tables.tables if name not in _MESSAGING]
        self._ends = text(" UNION ALL ".join(_rows(name) for name in sorted(own)))
        everything = [f'"{table.name}"' for table in reversed(service.tables.sorted_tables)]
        self._clean = ";".join(f"DELETE FROM {name}" for name in everything)  # noqa: S608 - names of tables
        self._vacuum = f"TRUNCATE {', '.join(everything)}"
        self._used = 0

    def clean(self) -> None:
        """Forget all; the superuser's doing, for no service may delete its events."""
        self._used += 1
        with self._superuser.begin() as connection:
            # Deleting few rows is quicker than emptying tables, until too many dead ones lie about.
            connection.exec_driver_sql(self._clean if self._used % 50 else self._vacuum)

    def state(self, connection: Connection, script: Script) -> State:
        """Return what the service's own tables and its outbox say, in a form that two runs can have in common."""
        known, ends = _known(script), State()
        lines: dict[str, list[tuple[int, str]]] = {}
        for table, row in connection.execute(self._ends):
            if table == "outbox":
                lines.setdefault(row.pop("entity"), []).append((row["sequence"], _canonical(row, known)))
            else:
                ends.setdefault(table, []).append(_canonical(row, known))
        told = [[known.name(entity), *(event for _, event in sorted(line))] for entity, line in lines.items()]
        return {table: sorted(rows) for table, rows in (ends | {"outbox": told}).items()}

    def sequential(self, script: Script, order: Iterable[Envelope]) -> State:
        """Return what these events leave behind when each comes once, in this order, and nothing goes wrong."""
        end = State()
        context = Context(actor=system(self.service.name))
        with suppress(_NeverWasError), UnitOfWork(self.engine, self.service.name, context, clock=Clock()) as uow:
            for envelope in order:
                uow.go_on(_context(self.service, envelope))
                self.service.on[envelope.type](uow, envelope)
            uow.flush()
            end = self.state(uow.connection, script)
            raise _NeverWasError
        return end


@dataclass
class ServiceWorld:
    """One schedule of one service; `script` says what happens, `seed` what goes wrong.

    `on` are the service's handlers unless a test gives worse ones.
    """

    stage: Stage
    script: Script
    seed: int
    copies: State
    on: Handlers | None = None
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311 - to be repeated, not to be secret
        self.turns: list[UUID] = []
        self.said = 0  # events of its own
        acts = self.on or self.stage.service.on
        self._on = {name: partial(self._act, act) for name, act in acts.items()}
        self.tired = {event.id: chance.randint(1, 2) for event in chance.sample(self._handled, chance.choice([0, 1]))}
        self.simulation = Simulation(
            self.seed,
            self.stage.engine,
            self,
            self.clock,
            unpublished=[encode(event) for event in self.script.events],
            crash_at=-1,
        )

    @property
    def _handled(self) -> list[Envelope]:
        return [event for event in self.script.events if event.type in self.stage.service.on]

    def receive(self, raws: list[Raw]) -> object:
        return inbox.receive_all(self.stage.engine, self.stage.service.name, self._on, raws, clock=self.clock)

    def sweep(self) -> int:
        return inbox.sweep(self.stage.engine, self.stage.service.name, self._on, clock=self.clock)

    def _act(self, act: Handler, uow: UnitOfWork, envelope: Envelope) -> None:
        """Handle an event, note whose turn it was, and fail afterwards if this one is to be tried again."""
        act(uow, envelope)
        self.turns.append(envelope.id)
        if self.tired.get(envelope.id):
            self.tired[envelope.id] -= 1
            uow.flush()
            raise TimeoutError("done, and not done")

    def run(self) -> None:
        """Go through the schedule; raises Broken, with the story, when its end is not the right one."""
        try:
            self.simulation.run(_STEPS)
            with asking(self.stage.engine) as connection:
                found = self.stage.state(connection, self.script)
                self._all_applied(connection)
            self.said = sum(len(line) - 1 for line in found.get("outbox", []))
            self.stage.clean()
            order = self._order()
            _same(found, self.stage.sequential(self.script, order), "the same events in the order of their turns")
            copies = {name: found.get(name, []) for name in self.copies}
            _same(copies, self.copies, "the events in the order in which they happened")
        except (Exception, RestlessError) as error:
            self.stage.clean()
            story = "\n  ".join(self.simulation.story)
            raise Broken(f"{self.script.name}, seed {self.seed}: {error}\n  {story}") from error

    def _all_applied(self, connection: Connection) -> None:
        """Raise Broken unless every event is in the inbox and nothing waits or was given up."""
        waiting = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM inbox_parked)"
        counted = connection.execute(text(f"{waiting}, (SELECT count(*) FROM quarantine)")).one()  # noqa: S608 - constants
        if tuple(counted) != (len(self.script.events), 0, 0):
            raise Broken(f"applied, parked, quarantined: {tuple(counted)}")

    def _order(self) -> list[Envelope]:
        """Return the events in the order in which they took effect: their last turns, for it was not undone."""
        last = {event_id: number for number, event_id in enumerate(self.turns)}
        order = sorted(self._handled, key=lambda event: last[event.id])
        heads: dict[str, int] = {}
        for event in order:
            if event.sequence <= heads.get(event.entity, 0):
                raise Broken(f"{event.entity}: {event.sequence} took effect after {heads[event.entity]}")
            heads[event.entity] = event.sequence
        return order


def copies_of(stage: Stage, script: Script) -> State:
    """Return what the copies of others' facts must be when all of the script has arrived."""
    end = stage.sequential(script, [event for event in script.events if event.type in stage.service.on])
    return {name: end.get(name, []) for name in stage.service.copies}


class _Names(NamedTuple):
    ids: frozenset[str]
    times: frozenset[datetime]

    def name(self, words: str) -> str:
        return _UUID.sub(lambda found: found[0] if found[0] in self.ids else "*", words)

    def time(self, found: re.Match[str]) -> str:
        moment = datetime.fromisoformat(found[0])
        return moment.isoformat() if moment in self.times else "*"


def _known(script: Script) -> _Names:
    """Return the ids and times that are facts of the script; any other is a run's own."""
    bodies = " ".join(event.model_dump_json() for event in script.events)
    return _Names(frozenset(_UUID.findall(bodies)), frozenset(event.time for event in script.events))


def _canonical(row: dict[str, Any], known: _Names) -> str:
    words = json.dumps(_lasting(row), sort_keys=True, ensure_ascii=False)
    return _TIME.sub(known.time, known.name(words))


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(item) for name, item in value.items() if name not in _PASSING}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _rows(table: str) -> str:
    return f'SELECT \'{table}\' AS "table", to_jsonb(t) AS row FROM "{table}" AS t'  # noqa: S608 - a table's name


def _same(found: State, expected: State, what: str) -> None:
    """Raise Broken with the first difference."""
    for table in sorted(found.keys() | expected.keys()):
        one, other = found.get(table, []), expected.get(table, [])
        if one != other:
            more = [row for row in one if row not in other]
            less = [row for row in other if row not in one]
            raise Broken(f"{table} is not as after {what}: {len(one)} of {len(other)}, more {more}, less {less}")


def _context(service: Service, envelope: Envelope) -> Context:
    return Context(actor=system(service.name), correlation_id=envelope.correlation_id, causation_id=envelope.id)
