"""A local copy is built anew while events go on coming: it equals the live one, or shows and mends what was damaged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from services.loans.handlers import ON
from services.loans.projections import PROJECTIONS
from shared.database import Context, UnitOfWork, system
from shared.events import Actor, Envelope, Event
from shared.events.portal import UserChanged, UserDeactivated, UserRegistered
from shared.messaging import inbox
from shared.messaging.link import channel_of
from shared.messaging.projections import Rebuild, Rebuilt
from shared.messaging.wire import Raw
from shared.testing.backbone import CONSUMER, EFFECT, SOURCE, Backbone, effect, eventually
from shared.testing.scenario import Scenario
from shared.testing.stand import Stand

OPERATOR = Actor(id="operator:test", name="Test")
PEOPLE = 40


@pytest.fixture
def backbone(stand: Stand) -> Iterator[Backbone]:
    """Give a backbone on the real databases of the portal and of loans, each connected as its least-privileged role."""
    source, consumer = stand.database(SOURCE), stand.database(CONSUMER)
    with stand.superuser(consumer).begin() as connection:
        connection.execute(text(EFFECT))
        connection.execute(text("GRANT ALL ON effect TO PUBLIC"))
    parts = Backbone(stand.amqp_url, source, consumer)
    yield parts
    parts.close()


def record(engine: Engine, user: str, event: Event) -> None:
    """Commit one act about a person."""
    with UnitOfWork(engine, SOURCE, Context(actor=system(SOURCE))) as uow:
        uow.record(event, entity=f"user:{user}")


def known_as(user: str, name: str, *, changed: bool = False) -> Event:
    """Return the event of a person who is registered, or changed, under that name."""
    kind = UserChanged if changed else UserRegistered
    return kind(
        user_id=user,
        name=name,
        email=f"{user}@example.org",
        roles=["applicant"],
        organisation="o",
        programmes=["p"],
        locale="en",
    )


def on_event(uow: UnitOfWork, envelope: Envelope) -> None:
    """Do what loans do, and leave a trace for the verdict."""
    ON[envelope.type](uow, envelope)
    effect(uow.connection, envelope)


@contextmanager
def consuming(backbone: Backbone) -> Iterator[None]:
    """Take events off the queue and handle them as the worker does, until the block ends."""
    stop, failed = threading.Event(), []
    handlers = dict.fromkeys(PROJECTIONS["people"].on, on_event)

    def work() -> None:
        with channel_of(backbone.amqp_url) as channel:
            while not stop.is_set():
                messages = [m for m in (channel.basic_get(backbone.queue) for _ in range(32)) if m]
                raws = [Raw(dict(m.headers), _bytes(m.body), m.delivery_info["routing_key"]) for m in messages]
                inbox.receive_all(backbone.consumer, CONSUMER, handlers, raws)
                if messages:
                    channel.basic_ack(messages[-1].delivery_tag, multiple=True)
                else:
                    time.sleep(0.005)

    def guarded() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - shown when the block ends
            failed.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)
    assert failed == []


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


@contextmanager
def traffic(scenario: Scenario, source: Engine) -> Iterator[None]:
    """Let people be changed and leave, all the time, until the block ends."""
    stop = threading.Event()

    def act() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            user = f"u{scenario.random.randrange(PEOPLE)}"
            left = scenario.random.random() < 0.2
            event = UserDeactivated(user_id=user, reason="left") if left else known_as(user, f"{number}", changed=True)
            record(source, user, event)
            time.sleep(0.002)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)


def rebuild(backbone: Backbone, *, swap: bool = False, during: Any = None) -> Rebuilt:
    """Rebuild loans' copy of people; `during` is called after each thousand events."""
    engines = {SOURCE: backbone.source, CONSUMER: backbone.consumer}
    progress = (lambda *_: during()) if during else (lambda *_: None)
    run = Rebuild(CONSUMER, "people", PROJECTIONS["people"], engines, progress=progress)
    return run.run(OPERATOR, swap=swap)


def damage(backbone: Backbone) -> None:
    """Change rows behind the service's back: one other, one gone, one that never was. Traffic does not touch them."""
    with backbone.consumer.begin() as connection:
        connection.execute(text("UPDATE person SET name = 'Mallory' WHERE id = 'quiet1'"))
        connection.execute(text("DELETE FROM person WHERE id = 'quiet2'"))
        connection.execute(text("INSERT INTO person VALUES ('nobody', 'Nobody', NULL, true)"))


def name_of(backbone: Backbone, user: str) -> str | None:
    """Return the name under which loans know a person."""
    with backbone.consumer.connect() as connection:
        found: str | None = connection.execute(text("SELECT name FROM person WHERE id = :id"), {"id": user}).scalar()
        return found


def test_rebuild_projection_equals_live(scenario: Scenario, backbone: Backbone) -> None:
    """While people change, a copy built from events equals the live one; damage is shown by field and mended."""
    for number in range(PEOPLE):
        record(backbone.source, f"u{number}", known_as(f"u{number}", "first"))
    for number in range(3):
        record(backbone.source, f"quiet{number}", known_as(f"quiet{number}", f"Quiet {number}"))
    with backbone.relaying(), consuming(backbone):
        with traffic(scenario, backbone.source):
            eventually(lambda: len(backbone.effects()) > 2 * PEOPLE)

            def more() -> None:
                there = len(backbone.effects())
                eventually(lambda: len(backbone.effects()) > there)

            sound = rebuild(backbone, during=more)
            damage(backbone)
            found = rebuild(backbone)
            assert name_of(backbone, "quiet1") == "Mallory"
            mended = rebuild(backbone, swap=True, during=more)
        scenario.settle()
    after = rebuild(backbone)
    assert sound.comparison.equal, sound.comparison
    assert sound.caught_up > 0
    compared = found.comparison
    assert (compared.only_live, compared.only_rebuilt, compared.different) == (1, 1, 1)
    shown = {item.key["id"]: (item.kind, item.fields) for item in compared.shown}
    assert shown["quiet1"] == ("different", {"name": ("Mallory", "Quiet 1")})
    assert (shown["quiet2"][0], shown["nobody"][0]) == ("only_rebuilt", "only_live")
    assert mended.swapped
    assert (name_of(backbone, "quiet1"), name_of(backbone, "nobody")) == ("Quiet 1", None)
    assert after.comparison.equal, after.comparison
    assert (after.events, after.comparison.rows, after.lost) == (scenario.figures().events, PEOPLE + 3, 0)
    scenario.note(rebuilt_events=after.events, locked_ms=max(sound.locked_ms, mended.locked_ms))


def test_a_rebuild_that_dies_leaves_the_live_copy_and_the_next_one_is_clean(backbone: Backbone, stand: Stand) -> None:
    """A session killed on the way has changed nothing; the next rebuild mends; rights and indexes stay."""
    for number in range(5):
        record(backbone.source, f"u{number}", known_as(f"u{number}", "first"))
    with backbone.relaying(), consuming(backbone):
        eventually(lambda: len(backbone.effects()) == 5)
    with backbone.consumer.begin() as connection:
        connection.execute(text("UPDATE person SET name = 'Mallory'"))
    shape = "SELECT c.oid, c.relacl::text, (SELECT array_agg(indexrelid) FROM pg_index WHERE indrelid = c.oid)"
    whole = text(f"{shape} FROM pg_class c WHERE relname = 'person' AND relnamespace = 'public'::regnamespace")
    with backbone.consumer.connect() as connection:
        before = connection.execute(whole).one()

    def kill() -> None:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tamga projections'"
        with stand.superuser(backbone.consumer).connect() as connection:
            connection.execute(text(f"{others} AND datname = current_database()"))

    with pytest.raises(DBAPIError):
        rebuild(backbone, swap=True, during=kill)
    assert name_of(backbone, "u1") == "Mallory"
    assert rebuild(backbone, swap=True).comparison.different == 5
    with backbone.consumer.connect() as connection:
        assert connection.execute(whole).one() == before
        [recorded] = connection.execute(text("SELECT entity, body->'data' FROM outbox WHERE type LIKE '%rebuilt'"))
    assert recorded[0] == "projection:people"
    assert (recorded[1]["different"], recorded[1]["swapped"], recorded[1]["events"]) == (5, True, 5)
