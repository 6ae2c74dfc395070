"""The backbone's state as figures, and the port on which a process tells its own."""

from __future__ import annotations

import socket
import threading
import urllib.request
from types import SimpleNamespace

import pytest
from prometheus_client import PROCESS_COLLECTOR
from sqlalchemy import Engine, text

from shared import metrics
from shared.clock import utc_now
from shared.database import Context, UnitOfWork, system
from shared.events.portal import UserDeactivated
from shared.messaging import quarantine, watching
from shared.messaging.topology import Depth
from shared.messaging.watching import Watch
from shared.messaging.wire import encode
from shared.observability import REGISTRY
from shared.testing.backbone import CONSUMER, SOURCE, event_of


@pytest.fixture(scope="module")
def engines(databases: tuple[Engine, Engine]) -> dict[str, Engine]:
    """Give a publishing and a consuming service's database."""
    return dict(zip((SOURCE, CONSUMER), databases, strict=True))


def _value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"tamga_{name}", labels)


def test_a_look_says_what_waits_and_what_is_lost(engines: dict[str, Engine]) -> None:
    """One event lost, one held, one gap, a queue's depth: each has its figure, by service."""
    source, consumer = engines[SOURCE], engines[CONSUMER]
    with UnitOfWork(source, SOURCE, Context(actor=system(SOURCE))) as uow:
        uow.record(UserDeactivated(user_id="a", reason="ok"), entity="user:a")
    with source.begin() as connection:
        late = "UPDATE outbox SET position = 1, published_at = now() - interval '1 min', time = time - interval '1 h'"
        connection.execute(text(late))
    with consumer.begin() as connection:
        raw = encode(event_of("b", 1))
        quarantine.hold(connection, CONSUMER, raw, ValueError("no"), attempts=1, now=utc_now())
        connection.execute(
            text(
                "INSERT INTO inbox_gap (consumer, entity, source, first, last, since, alarmed_at)"
                " VALUES ('loans', 'portal/user:c', 'portal', 1, 1, now() - interval '1 hour', now())"
            )
        )
    Watch(engines, {SOURCE: (), CONSUMER: ("portal.user.#",)}, lambda: {"dead-letters": Depth(3, 0)}).look()
    assert _value("events_unaccounted", consumer=CONSUMER, source=SOURCE) == 1
    assert _value("events_quarantined", consumer=CONSUMER) == 1
    assert _value("gaps", consumer=CONSUMER) == 1
    assert (_value("gap_oldest_seconds", consumer=CONSUMER) or 0) >= 3600
    assert _value("queue_messages", queue="dead-letters") == 3
    assert (_value("clock_skew_seconds", source=SOURCE) or 0) > 3500


def test_a_process_answers_on_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a port given the figures can be read there; on a taken port the process goes on without."""
    assert not metrics.serve("test")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv(metrics.PORT, str(port))
        assert not metrics.serve("test")
    assert metrics.serve("test")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"process_resident_memory_bytes" in answer.read()
    REGISTRY.unregister(PROCESS_COLLECTOR)


class Stopping(threading.Event):
    """Notes for how long it is waited on, and is set by that."""

    waited = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited = timeout or 0.0
        self.set()
        return True


def test_a_slow_look_is_followed_by_a_pause_that_ends(
    engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a look took, the next comes before the process would count as hanging."""
    moments = iter((0.0, 60.0))
    watch = Watch(engines, {}, dict)
    monkeypatch.setattr(watch, "look", lambda: None)
    monkeypatch.setattr("shared.messaging.watching.time", SimpleNamespace(monotonic=lambda: next(moments)))
    stop = Stopping()
    watch.run(stop)
    assert stop.waited == watching.LONGEST_PAUSE
