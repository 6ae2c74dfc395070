"""A relay or a worker of the test backbone in a process of its own, so that a test can kill it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any

FACTS: dict[str, Any] = json.loads(os.environ.get("TAMGA_TEST_PROCESS", "{}"))
if FACTS.get("role") in {"worker", "batch"}:
    import shared.messaging.green  # noqa: F401 - before anything else


def relay() -> int:
    """Run a relay; with `die` it kills itself after the broker has confirmed and before the rows are marked.

    `hold` is the seconds until it tries again what the broker refused.
    """
    from shared.messaging import relay as relaying  # noqa: PLC0415 - after the choice whether to patch
    from shared.messaging.publisher import Publisher  # noqa: PLC0415

    relaying._HOLD = FACTS.get("hold", relaying._HOLD)  # noqa: SLF001 - a test's clock
    if FACTS.get("die"):
        publish = Publisher.publish

        def publish_and_die(*arguments: Any, **options: Any) -> None:
            publish(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        Publisher.publish = publish_and_die  # type: ignore[method-assign,assignment]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    relaying.Relay("portal", FACTS["source_url"], FACTS["amqp_url"], exchange=FACTS["exchange"]).run(stop)
    return 0


def commit() -> int:
    """Commit acts, a row of state and its event each, until killed; with `die` in the middle of that many-th act."""
    from sqlalchemy import text  # noqa: PLC0415

    from shared.database import Context, UnitOfWork, engine_for, system  # noqa: PLC0415
    from shared.events.portal import UserDeactivated  # noqa: PLC0415
    from shared.testing.backbone import SOURCE  # noqa: PLC0415

    engine, done = engine_for(FACTS["source_url"]), 0
    state = text("INSERT INTO effect (event_id, entity, sequence) VALUES (:id, 'state', :done)")
    while True:
        user = f"e{done % 5}"
        with UnitOfWork(engine, SOURCE, Context(system(SOURCE))) as uow:
            event_id = uow.record(UserDeactivated(user_id=user, reason="ok"), entity=f"user:{user}")
            uow.connection.execute(state, {"id": event_id, "done": done})
            uow.flush()
            if done == FACTS.get("die"):
                os.kill(os.getpid(), signal.SIGKILL)
        done += 1


def worker() -> int:
    """Run a worker whose handler does what the event's `reason` says; `cured` handles poison like anything else."""
    from shared.database import engine_for  # noqa: PLC0415 - after the patch
    from shared.messaging.consumer import run_workers  # noqa: PLC0415

    return run_workers(
        [_ordered() if FACTS["role"] == "worker" else _batches()],
        amqp_url=lambda _: str(FACTS["amqp_url"]),
        engine=lambda _: engine_for(FACTS["consumer_url"]),
        drain=FACTS.get("drain", 25.0),
        amqp_heartbeat=FACTS.get("heartbeat", 30),
    )


def _ordered() -> Any:
    from shared.database import UnitOfWork  # noqa: PLC0415 - after the patch
    from shared.events import Envelope  # noqa: PLC0415
    from shared.messaging import gaps, inbox  # noqa: PLC0415
    from shared.messaging.consumer import ServiceWorker, TimedAct, every, subscribe, timers  # noqa: PLC0415
    from shared.messaging.wire import Raw  # noqa: PLC0415
    from shared.testing.backbone import CONSUMER, TYPE, effect  # noqa: PLC0415
    from shared.testing.behaviour import behave  # noqa: PLC0415

    def on_event(uow: UnitOfWork, envelope: Envelope) -> None:
        envelope.event()  # as handlers read it
        effect(uow.connection, envelope)
        if not FACTS.get("cured"):
            behave(envelope, uow)

    def on_answer(uow: UnitOfWork, envelope: Envelope) -> None:
        effect(uow.connection, envelope)
        gaps.on_answer(uow, envelope)

    handlers = {TYPE: on_event} | dict.fromkeys(gaps.ON, on_answer)

    class Worker(ServiceWorker):
        name = CONSUMER

        @subscribe(FACTS["queue"])
        def receive(self, raws: list[Raw]) -> list[inbox.Outcome]:
            return inbox.receive_all(self.engine, self.name, handlers, raws)

        @every(0.2)
        def sweep(self) -> int:
            return inbox.sweep(self.engine, self.name, handlers)

        @timers(((0.2, gaps.watch),))
        def tick(self, act: TimedAct) -> None:
            self.act(act)

    return Worker


def _batches() -> Any:
    from sqlalchemy import Connection  # noqa: PLC0415 - after the patch

    from shared.messaging import batch, gaps, inbox  # noqa: PLC0415
    from shared.messaging.consumer import ServiceWorker, TimedAct, subscribe, timers  # noqa: PLC0415
    from shared.messaging.wire import Raw, Received  # noqa: PLC0415
    from shared.testing.backbone import CONSUMER, TYPE, effect  # noqa: PLC0415
    from shared.testing.behaviour import behave  # noqa: PLC0415

    def on_batch(connection: Connection, received: list[Received]) -> None:
        for item in received:
            effect(connection, item.envelope)
            if item.envelope.type == TYPE:
                behave(item.envelope)

    class Batches(ServiceWorker):
        name = CONSUMER

        @subscribe(FACTS["queue"], size=500)
        def receive(self, raws: list[Raw]) -> list[inbox.Outcome]:
            return batch.handle_batch(self.engine, self.name, on_batch, raws)

        @timers(((0.2, gaps.watch),))
        def tick(self, act: TimedAct) -> None:
            self.act(act)

    return Batches


ROLES = {"relay": relay, "commit": commit}

if __name__ == "__main__":
    from shared import telemetry

    telemetry.start(FACTS["role"])
    try:
        code = ROLES.get(FACTS["role"], worker)()
    finally:
        telemetry.stop(2.0)
    sys.exit(code)
