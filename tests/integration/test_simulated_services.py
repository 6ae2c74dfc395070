"""Whole services under the scheduler that is unkind by seed: their real handlers leave behind what a calm run does.

TAMGA_SERVICE_SIMULATIONS says how many schedules each service goes through (70).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from scripts import script
from sqlalchemy import Engine, text
from sqlalchemy.event import listen
from structlog.testing import capture_logs

from services.grants import handlers as grants
from services.grants import projections as grants_copies
from services.grants import storage as grants_storage
from services.loans import handlers as loans
from services.loans import projections as loans_copies
from services.loans import storage as loans_storage
from services.notifications import handlers as notifications
from services.notifications import projections as notifications_copies
from services.notifications import storage as notifications_storage
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.messaging import inbox
from shared.messaging.inbox import Handler
from shared.messaging.projections import Projection
from shared.testing.simulated import SETTINGS, Broken, hurry
from shared.testing.simulated_services import Service, ServiceWorld, Stage, copies_of
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # 210 schedules with whole services' handlers

SCHEDULES = int(os.environ.get("TAMGA_SERVICE_SIMULATIONS", "70"))
FIRST = 5_000
EACH = 5  # schedules of one script
Handlers = dict[str, Handler]


def _copied(projections: dict[str, Projection]) -> frozenset[str]:
    return frozenset(table for projection in projections.values() for table in projection.tables)


SERVICES = {
    "loans": Service("loans", loans.ON, loans_storage.metadata, _copied(loans_copies.PROJECTIONS)),
    "notifications": Service(
        "notifications",
        notifications.ON,
        notifications_storage.metadata,
        _copied(notifications_copies.PROJECTIONS),
    ),
    "grants": Service("grants", grants.ON, grants_storage.metadata, _copied(grants_copies.PROJECTIONS)),
}


@pytest.fixture(scope="module")
def stages(stand: Stand) -> Iterator[Callable[[str], Stage]]:
    """Give a service's own database, made by its migrations and used by its own role, when it is asked for."""
    made: dict[str, Stage] = {}
    superusers: list[Engine] = []

    def stage(name: str) -> Stage:
        if name not in made:
            engine = stand.database(name)
            superusers.append(stand.superuser(engine))
            with superusers[-1].begin() as connection:
                for setting in SETTINGS:
                    connection.execute(text(setting.format(name=engine.url.database)))
            engine.dispose()
            listen(engine, "connect", hurry)
            made[name] = Stage(SERVICES[name], engine, superusers[-1])
        return made[name]

    yield stage
    for engine in superusers:
        engine.dispose()


@pytest.fixture(autouse=True)
def _deaf_and_timeless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let events share transactions however fast this machine is, and thousands of warnings go unwritten."""
    monkeypatch.setattr(inbox, "_SHARE", 3600)
    with capture_logs():
        yield


def _worlds(stage: Stage, count: int, on: Callable[[], Handlers] | None = None) -> Iterator[ServiceWorld]:
    """Give schedules that have yet to be run, a few of each script."""
    for number in range(FIRST, FIRST + count // EACH):
        told = script(stage.service.name, number)
        copies = copies_of(stage, told)
        for seed in range(number * EACH, (number + 1) * EACH):
            yield ServiceWorld(stage, told, seed, copies, on() if on else None)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_ends_as_in_the_sequential_run(
    stages: Callable[[str], Stage], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Its tables, and its own events entity by entity, are those of a run in which nothing went wrong."""
    stage, crashes, deliveries, said = stages(name), Counter[str](), 0, 0
    for world in _worlds(stage, SCHEDULES):
        world.run()
        crashes += world.simulation.crashes
        deliveries += world.simulation.deliveries
        said += world.said
    with capsys.disabled():
        print(  # noqa: T201 - the figures that a person asks for
            f"\n{name}: {SCHEDULES} schedules, {deliveries:,} deliveries, {crashes.total():,} crashes, "
            f"{said:,} events of its own"
        )
    assert crashes.total() > SCHEDULES / 2
    assert (said > SCHEDULES) is (name == "notifications")


def _remembers_in_the_process() -> Handlers:
    """Return handlers that know by a set of their own what they have done: a rollback does not take it back."""
    done: set[Any] = set()

    def once(act: Handler, uow: UnitOfWork, envelope: Envelope) -> None:
        if envelope.id not in done:
            done.add(envelope.id)
            act(uow, envelope)

    return {name: partial(once, act) for name, act in SERVICES["notifications"].on.items()}


def _writes_on_its_own() -> Handlers:
    """Return handlers whose letters are committed beside the inbox row, not with it."""

    def apart(act: Handler, uow: UnitOfWork, envelope: Envelope) -> None:
        with UnitOfWork(uow.engine, uow.source, uow.context, clock=uow.clock) as another:
            act(another, envelope)

    return dict(SERVICES["notifications"].on) | {
        name: partial(apart, act) for name, act in SERVICES["notifications"].on.items() if name.startswith("grants.")
    }


BROKEN: dict[str, Callable[[], Handlers]] = {
    "remembers in the process": _remembers_in_the_process,
    "writes on its own": _writes_on_its_own,
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_simulation_notices_a_service_that(stages: Callable[[str], Stage], name: str) -> None:
    """Handlers that are broken on purpose do not survive a few dozen schedules."""
    with pytest.raises(Broken, match="seed"):
        for world in _worlds(stages("notifications"), SCHEDULES, BROKEN[name]):
            world.run()
