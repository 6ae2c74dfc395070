"""Thousands of schedules by seed, each as unkind as processes and networks are: the end is always the right one.

TAMGA_SIMULATIONS says how many (2,000), TAMGA_SIMULATION_SEED repeats one and prints its story.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.event import listen
from structlog.testing import capture_logs

from shared.database import service_metadata
from shared.messaging import admission, batch, heads, inbox, quarantine
from shared.messaging.admission import Admission, Verdict
from shared.testing.simulated import SETTINGS, TABLES, BatchWorld, Broken, World, hurry
from shared.testing.stand import Stand

SCHEDULES = int(os.environ.get("TAMGA_SIMULATIONS", "2000"))
ONE = os.environ.get("TAMGA_SIMULATION_SEED", "")
FIRST = 20_260_302
# Of three schedules, one is of the consumer that takes events in batches.
KINDS: tuple[type[World], ...] = (World, World, BatchWorld)


@pytest.fixture(scope="module")
def database(stand: Stand) -> Iterator[Engine]:
    """Give a consumer's database, whose tables all schedules share."""
    with stand.empty_database() as engine:
        with engine.begin() as connection:
            for setting in SETTINGS:
                connection.execute(text(setting.format(name=engine.url.database)))
        engine.dispose()
        listen(engine, "connect", hurry)
        service_metadata().create_all(engine)
        with engine.begin() as connection:
            for statement in TABLES.split(";"):
                connection.execute(text(statement))
        yield engine


@pytest.fixture(autouse=True)
def _deaf_and_timeless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let events share transactions however fast this machine is, and tens of thousands of warnings go unwritten."""
    monkeypatch.setattr(inbox, "_SHARE", 3600)
    with capture_logs():
        yield


def _world(database: Engine, seed: int) -> World:
    return KINDS[seed % len(KINDS)](database, seed)


@pytest.mark.timeout(300)
def test_every_schedule_ends_as_the_sequential_run(database: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """Repeated, reordered, delayed, crashed around every commit: each effect once, in order, and nothing left over."""
    crashes: Counter[str] = Counter()
    deliveries = boundaries = 0
    seeds = [int(ONE)] if ONE else range(FIRST, FIRST + SCHEDULES)
    for seed in seeds:
        world = _world(database, seed)
        world.run()
        crashes += world.simulation.crashes
        deliveries += world.simulation.deliveries
        boundaries += world.simulation.boundaries
    with capsys.disabled():
        print(  # noqa: T201 - the figures that a person asks for
            f"\n{len(seeds):,} schedules, {deliveries:,} deliveries, {boundaries:,} commit boundaries, "
            f"{crashes.total():,} crashes in {len(crashes)} places, 0 violations, seeds from {seeds[0]}"
        )
        print(*(world.simulation.story if ONE else ()), sep="\n")  # noqa: T201 - the same
    assert len(seeds) < 500 or not _places() - {_last(place) for place in crashes}


def _last(place: str) -> str:
    """Return the innermost function and the boundary of a place."""
    return place.rsplit(": ", 1)[0].rsplit(" ", maxsplit=1)[-1] + ": " + place.rsplit(": ", 1)[-1]


def _places() -> set[str]:
    """Return where a schedule must have crashed: around each kind of transaction, and before the ack."""
    whole = [inbox._together, inbox._attempt, inbox._postpone, inbox.refuse, batch._apply, batch._refuse]
    some = {f"{act.__name__}: {where}" for act in whole for where in ("begin", "commit", "committed")}
    return some | {"sweep: begin", "_release: begin", "sweep_batch: begin", "ack: ack", "replay: commit"}


def test_a_crash_at_each_boundary_in_turn_changes_nothing(database: Engine) -> None:
    """One crash and no other fault, at the first boundary of a schedule, at the second, and so on to the last."""
    crashed = 0
    for seed in (FIRST + 1, _batched(), _poisoned(database)):
        number = 1
        while True:
            world = KINDS[seed % len(KINDS)](database, seed, crash_at=number)
            world.run()
            if not world.simulation.crashes:
                break
            crashed += 1
            number += 1
    assert crashed > 30


def _batched() -> int:
    """Return a seed of the consumer that takes events in batches."""
    return next(seed for seed in range(FIRST, FIRST + 3) if KINDS[seed % len(KINDS)] is BatchWorld)


def _poisoned(database: Engine) -> int:
    """Return a seed with a poisoned event that an operator replays."""
    seeds = (seed for seed in range(FIRST, FIRST + 500) if KINDS[seed % len(KINDS)] is World)
    worlds = (_world(database, seed) for seed in seeds)
    return next(world.seed for world in worlds if world.poisoned() and world.settling == "replay")


def test_a_seed_tells_the_whole_story(database: Engine) -> None:
    """The same seed gives the same schedule, step by step."""
    for seed in range(FIRST, FIRST + 8):
        one, other = _world(database, seed), _world(database, seed)
        one.run()
        other.run()
        assert [line.replace(one.token, "") for line in one.simulation.story] == [
            line.replace(other.token, "") for line in other.simulation.story
        ]


def _always_new(patch: pytest.MonkeyPatch) -> None:
    admit, admit_all = inbox.admit, inbox.admit_all
    patch.setattr(inbox, "admit", lambda *args, **options: Admission(Verdict.NEW, admit(*args, **options).followed))
    patch.setattr(inbox, "admit_all", lambda *args: dict.fromkeys(admit_all(*args), Admission(Verdict.NEW)))


def _never_too_early(patch: pytest.MonkeyPatch) -> None:
    admit = inbox.admit

    def hasty(*args: Any, **options: Any) -> Admission:
        answer = admit(*args, **options)
        return Admission(Verdict.NEW) if answer.verdict is Verdict.TOO_EARLY else answer

    patch.setattr(inbox, "admit", hasty)


def _ack_first(patch: pytest.MonkeyPatch) -> None:
    made = World.__post_init__

    def careless(self: World) -> None:
        made(self)
        self.simulation.ack_first = True

    patch.setattr(World, "__post_init__", careless)


def _effect_on_its_own(patch: pytest.MonkeyPatch) -> None:
    effect = World.effect

    def apart(self: World, connection: Connection, envelope: Any) -> None:
        with Engine.begin(connection.engine) as another:
            effect(self, another, envelope)

    patch.setattr(World, "effect", apart)


def _nothing(module: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(module, name, lambda *_, **__: None)


def _batch_takes_all(patch: pytest.MonkeyPatch) -> None:
    admit = batch.admit_batch

    def all_of_it(connection: Connection, consumer: str, items: list[Any]) -> list[Any]:
        admit(connection, consumer, items)
        return items

    patch.setattr(batch, "admit_batch", all_of_it)


BROKEN = {
    "admits what it has": _always_new,
    "admits what is too early": _never_too_early,
    "admits out of turn what arrives together": lambda patch: patch.setattr(admission, "_in_order", list),
    "acks before it commits": _ack_first,
    "commits the effect on its own": _effect_on_its_own,
    "forgets what it parks": _nothing(heads, "park"),
    "never forgets what it parked": _nothing(heads, "unpark"),
    "forgets what it cannot digest": _nothing(quarantine, "hold"),
    "does not sweep": lambda patch: patch.setattr(inbox, "sweep", lambda *_, **__: 0),
    "takes all of a batch": _batch_takes_all,
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_simulation_notices_code_that(database: Engine, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Code that is broken on purpose does not survive a few dozen schedules."""
    BROKEN[name](monkeypatch)
    with pytest.raises(Broken, match="seed"):
        for seed in range(FIRST, FIRST + 200):
            _world(database, seed).run()
