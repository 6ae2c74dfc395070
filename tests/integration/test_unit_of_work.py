"""One transaction: state and events commit together or not at all, on a real PostgreSQL."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Engine, String, text

from shared.clock import new_id
from shared.database import Context, Repository, UnitOfWork, entity_table, service_metadata
from shared.entity import Entity
from shared.errors import NotFoundError, StaleVersionError
from shared.events import Actor, Event
from shared.testing.stand import Stand

metadata = service_metadata()
table = entity_table("counter", metadata, Column("label", String(20)))


class Counted(Event):
    """The counter moved."""

    value: int


class Counter(Entity):
    """Something that counts."""

    KIND = "counter"
    value: int = 0

    def count(self) -> None:
        """Count one more."""
        self.value += 1
        self.record(Counted(value=self.value))


@pytest.fixture(scope="module")
def engine(stand: Stand) -> Iterator[Engine]:
    """Give an empty database with the messaging tables and one entity table."""
    with stand.empty_database() as engine:
        metadata.create_all(engine)
        yield engine


def work(engine: Engine, name: str = "Ana") -> UnitOfWork:
    """Return a unit of work of a person."""
    return UnitOfWork(engine, "test", Context(Actor(id=f"user:{name}", name=name)))


def counters(uow: UnitOfWork) -> Repository[Counter]:
    """Return the repository of counters."""
    return Repository(uow, table, Counter, lambda counter: {"label": f"at {counter.value}"})


def make(engine: Engine) -> str:
    """Store a new counter that has counted once and return its id."""
    with work(engine) as uow:
        counter = counters(uow).add(Counter(id=str(new_id())))
        counter.count()
    return counter.id


def outbox(engine: Engine, entity_id: str) -> list[int]:
    """Return the sequence numbers in the outbox of an entity."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT sequence FROM outbox WHERE entity = :e ORDER BY row"), {"e": f"counter:{entity_id}"}
        )
        return list(rows.scalars())


def test_state_and_events_are_stored_together(engine: Engine) -> None:
    """A committed act has its row, its query column and its event; the sequence counts from 1."""
    counter_id = make(engine)
    with work(engine) as uow:
        counters(uow).get(counter_id).count()
    with work(engine) as uow:
        counter = counters(uow).get(counter_id)
        assert (counter.value, counter.version) == (2, 2)
        label = uow.connection.execute(text("SELECT label FROM counter WHERE id = :i"), {"i": counter_id}).scalar()
    assert label == "at 2"
    assert outbox(engine, counter_id) == [1, 2]


def test_a_failed_act_leaves_nothing(engine: Engine) -> None:
    """An error after the act rolls back state, event and the sequence number, so that no hole is left."""
    counter_id = make(engine)
    with pytest.raises(RuntimeError), work(engine) as uow:
        counters(uow).get(counter_id).count()
        uow.flush()
        raise RuntimeError("after the flush")
    with work(engine) as uow:
        counters(uow).get(counter_id).count()
    assert outbox(engine, counter_id) == [1, 2]


def test_a_stale_page_is_told_who_changed_what(engine: Engine) -> None:
    """Expecting an old version is refused with who, when, and what changed."""
    counter_id = make(engine)
    with work(engine, "Boris") as uow:
        counters(uow).get(counter_id, expected=1).count()
    with pytest.raises(StaleVersionError) as refused, work(engine) as uow:
        counters(uow).get(counter_id, expected=1).count()
    assert refused.value.by == "Boris"
    assert refused.value.changes == {"value": [1, 2]}
    assert refused.value.extras()["current_version"] == 2


def test_of_two_at_the_same_moment_exactly_one_wins(engine: Engine) -> None:
    """Ten people act on one version at once: one succeeds, nine are told that it changed."""
    counter_id = make(engine)
    barrier = threading.Barrier(10)
    outcomes: list[str] = []

    def act() -> None:
        barrier.wait()
        try:
            with work(engine) as uow:
                counters(uow).get(counter_id, expected=1).count()
            outcomes.append("done")
        except StaleVersionError:
            outcomes.append("stale")

    threads = [threading.Thread(target=act) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done"] + ["stale"] * 9
    assert outbox(engine, counter_id) == [1, 2]


def test_an_unlocked_read_can_not_overwrite(engine: Engine) -> None:
    """An entity read without a lock is still stored under its version alone."""
    counter_id = make(engine)
    with pytest.raises(StaleVersionError), work(engine) as uow:
        mine = counters(uow).get(counter_id, for_update=False)
        with work(engine, "Boris") as other:
            counters(other).get(counter_id).count()
        mine.count()


def test_a_stale_page_is_told_after_an_earlier_read_too(engine: Engine) -> None:
    """Whoever has read an entity before acting on it is told of the stale page all the same, and nothing is written."""
    counter_id = make(engine)
    with work(engine) as uow:
        counters(uow).get(counter_id).count()
    with pytest.raises(StaleVersionError), work(engine) as uow:
        counters(uow).get(counter_id, for_update=False)
        counters(uow).get(counter_id, expected=1).count()
    with work(engine) as uow:
        counters(uow).get(counter_id, expected=2).count()
        uow.flush()
        counters(uow).get(counter_id, expected=2).count()  # the act's own change makes no page stale
        counters(uow).get(counter_id, expected=3)


def test_what_is_not_there_is_not_found(engine: Engine) -> None:
    """An unknown id is NotFoundError."""
    with pytest.raises(NotFoundError), work(engine) as uow:
        counters(uow).get("nobody")


def test_references_are_gapless_and_roll_back(engine: Engine) -> None:
    """Each series counts by itself and a rolled back number is given again."""
    with work(engine) as uow:
        first, other = uow.next_reference("BSO"), uow.next_reference("COF")
    with pytest.raises(RuntimeError), work(engine) as uow:
        uow.next_reference("BSO")
        raise RuntimeError
    with work(engine) as uow:
        second = uow.next_reference("BSO")
    assert first.endswith("-0001")
    assert other.endswith("-0001")
    assert second.endswith("-0002")
