"""One act is one trace: a request, the broker, a worker in a process of its own, and a collector that speaks OTLP."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import APIRouter
from sqlalchemy import Connection, Engine, text
from structlog.testing import capture_logs

from shared import telemetry
from shared.database import Context, UnitOfWork, system
from shared.events.portal import UserDeactivated
from shared.messaging import batch, inbox
from shared.messaging import relay as relaying
from shared.messaging.wire import Received, encode
from shared.telemetry import parse
from shared.testing.backbone import SOURCE, Backbone, backbone_on, event_of, eventually
from shared.testing.collector import Collector, Seen, collecting
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings
from shared.web.app import create_service_app
from shared.web.dependencies import Uow, allowed
from shared.web.policy import Policy

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TYPE = UserDeactivated.TYPE


def _browser(engine: Engine) -> Browser:
    router = APIRouter()

    @router.post("/deactivate/{user}", dependencies=[allowed("portal.user.deactivate")])
    def deactivate(user: str, reason: str, uow: Uow) -> None:
        uow.record(UserDeactivated(user_id=user, reason=reason), entity=f"user:{user}", case="BSO-2026-0001")

    app = create_service_app(
        service="portal",
        engine=engine,
        policy=Policy({"portal.user.deactivate": {"operator": "all"}}),
        routers=[router],
        templates=Path(__file__).parent,
        settings=web_settings(),
        key=KEY,
    )
    return Browser(app, person("operator", "Ana Petrova"))


@contextmanager
def _exported(to: str) -> Iterator[None]:
    """Export this process's spans, and those of processes that it starts, within the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAMGA_OTEL_ENDPOINT", to)
        telemetry.start("test")
        try:
            yield
        finally:
            telemetry.stop()


@contextmanager
def _working(backbone: Backbone) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker that is started as from a shell, so that it reads where its spans go."""
    worker = backbone.process("worker")
    try:
        eventually(lambda: backbone.depth().consumers == 1)
        yield worker
    finally:
        worker.terminate()
        worker.wait(timeout=20)


@dataclass(frozen=True)
class Told:
    """What the collector was told, and what the databases say."""

    collector: Collector
    recorded: str  # the traceparent of the event that the handler recorded
    many: tuple[str, ...]  # the traceparents of the events that went out in one batch

    def one(self, name: str, having: Callable[[Seen], bool] = lambda _: True) -> Seen:
        [found] = [span for span in self.collector.named(name) if having(span)]
        return found


@pytest.fixture(scope="module")
def told(stand: Stand, two_databases: tuple[Engine, Engine]) -> Iterator[Told]:
    """Act: a request and ten acts in one batch, then a request that fails at first; and let everybody export."""
    with backbone_on(stand, *two_databases) as backbone, collecting() as collector:
        with _exported(collector.url):
            browser = _browser(backbone.source)
            headers = {"traceparent": GIVEN, "tracestate": "vendor=1"}
            assert browser.post("/deactivate/ana?reason=tell", headers=headers).status_code == 200
            many = tuple(_act(backbone, f"e{number}") for number in range(10))
            with _working(backbone), backbone.relaying():
                eventually(lambda: len(backbone.effects()) == 11)
                assert browser.post("/deactivate/boris?reason=once").status_code == 200
                eventually(lambda: len(backbone.effects()) == 12)
        recorded = _traceparent(backbone.consumer, "told")
        yield Told(collector, recorded, many)


def _act(backbone: Backbone, entity: str) -> str:
    made = telemetry.continued(None)
    with UnitOfWork(backbone.source, SOURCE, Context(system(SOURCE), traceparent=made)) as uow:
        uow.record(UserDeactivated(user_id=entity, reason="ok"), entity=f"user:{entity}")
    return made


def _traceparent(engine: Engine, user: str) -> str:
    with engine.connect() as connection:
        query = text("SELECT traceparent FROM outbox WHERE entity = :entity")
        return str(connection.execute(query, {"entity": f"user:{user}"}).scalar_one())


def test_one_trace_leads_from_the_caller_through_the_broker_to_what_the_handler_recorded(told: Told) -> None:
    """Request, unit of work and handling are one below the other, in the caller's trace; so is the next event."""
    request = told.one("POST /deactivate/{user}", lambda span: span.trace == TRACE)
    work = told.one("unit of work", lambda span: span.trace == TRACE)
    handling = told.one(f"process {TYPE}", lambda span: span.trace == TRACE)
    assert (request.parent, work.parent, handling.parent) == (CALLER, request.id, work.id)
    assert (request.service, work.service, handling.service) == ("portal", "portal", "loans")
    assert (request.kind, handling.kind) == ("server", "consumer")
    assert parse(told.recorded) == (TRACE, handling.id, "01")
    assert request.state == "vendor=1"


def test_a_failed_attempt_and_the_next_are_both_below_the_act(told: Told) -> None:
    """The first handling is marked as failed, the second as a repetition; both are children of the unit of work."""
    first = told.one(f"process {TYPE}", lambda span: span.failed)
    again = told.one(f"process {TYPE}", lambda span: span.facts.get("tamga.again") is True)
    work = told.one("unit of work", lambda span: span.trace == first.trace)
    assert (first.trace, first.parent) == (again.trace, again.parent) == (work.trace, work.id)
    assert first.facts["error.type"] == "TimeoutError"
    assert not again.failed


def test_a_batch_is_published_with_a_link_to_each_act(told: Told) -> None:
    """What goes out together has one span that links to each; each is handled in its own trace."""
    [publishing] = [span for span in told.collector.named("publish events") if span.links]
    linked = set(publishing.links)
    acts = {(parts[0], parts[1]) for made in told.many if (parts := parse(made))}
    assert acts <= linked
    assert publishing.facts["messaging.batch.message_count"] == 11
    handled = {(span.trace, span.parent) for span in told.collector.named(f"process {TYPE}")}
    assert acts <= handled


def test_spans_say_nothing_about_a_person(told: Told) -> None:
    """Neither names nor ids of people stand in any span, though the request's address and the event have them."""
    text_of_all = " ".join(f"{span.name} {span.facts}" for span in told.collector.seen).lower()
    assert "deactivate" in text_of_all
    assert "bso-2026-0001" in text_of_all
    for private in ("ana", "boris", "petrova", "user:"):
        assert private not in text_of_all


def test_a_batch_consumer_links_to_each_event(backbone: Backbone) -> None:
    """Twenty events in one transaction are one span with twenty links; a lone one is handled in its own trace."""
    events = [
        event_of(f"e{number}", 1).model_copy(update={"traceparent": telemetry.continued(None)}) for number in range(21)
    ]

    def act(connection: Connection, received: list[Received]) -> None:
        connection.execute(text("SELECT 1"), {"count": len(received)})

    with collecting() as collector, _exported(collector.url):
        batch.handle_batch(backbone.consumer, "audit", act, [encode(event) for event in events[:20]])
        batch.handle_batch(backbone.consumer, "audit", act, [encode(events[20])])
        telemetry.stop()
        [together], [alone] = collector.named("process audit"), collector.named(f"process {TYPE}")
    parents = [parts for event in events if (parts := parse(event.traceparent))]
    assert set(together.links) == {(trace, span) for trace, span, _ in parents[:20]}
    assert (alone.trace, alone.parent) == parents[20][:2]


def test_what_worker_and_relay_log_names_the_trace_of_the_event(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line about an event that is put off, and one about an event that is held back, have its trace and act."""

    def fail(*_arguments: object) -> None:
        raise TimeoutError("not now")

    event = event_of("a", 1).model_copy(update={"traceparent": GIVEN})
    monkeypatch.setattr(relaying, "LARGEST", 100)
    large = _act(backbone, "large")
    with capture_logs([telemetry.name_trace]) as lines:
        inbox.handle(backbone.consumer, "loans", {TYPE: fail}, event, encode(event))
        with backbone.relaying():
            held = "SELECT count(*) FROM outbox WHERE held_until IS NOT NULL"
            eventually(lambda: backbone.count(held, at="source") == 1)
    told = {line["event"]: line for line in lines}
    assert told["event put off"]["trace_id"] == TRACE
    assert told["event put off"]["correlation_id"] == str(event.correlation_id)
    assert told["event held back"]["trace_id"] == telemetry.trace_id(large)


def test_a_collector_that_answers_nothing_holds_nobody_up(backbone: Backbone) -> None:
    """With a collector that takes the connection and falls silent, events are handled, and the worker ends well."""
    with socket.create_server(("127.0.0.1", 0)) as hole, _exported(f"http://127.0.0.1:{hole.getsockname()[1]}"):
        with _working(backbone) as worker, backbone.relaying():
            backbone.commit("first")
            hole.settimeout(15)
            line, _ = hole.accept()
            ids: set[UUID] = {event_id for number in range(50) for event_id in backbone.commit(f"e{number % 5}")}
            eventually(lambda: {event_id for event_id, _, _ in backbone.effects()} >= ids, seconds=5)
        line.close()
    assert worker.returncode == 0
