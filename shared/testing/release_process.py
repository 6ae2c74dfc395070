"""A worker of another release or of another machine: one that knows a further version, or whose clock is wrong.

`release` "next" registers version 2 of the test's event; `skew` moves the process's clock by so many seconds;
`role` "timers" is a worker that keeps deadlines and takes no events, "replay" an operator's command.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta

import shared.messaging.green  # noqa: F401 - before anything else
from shared import clock
from shared.testing.backbone_process import FACTS, worker


def _with_skew(seconds: float) -> None:
    right = clock.utc_now

    def wrong() -> datetime:
        return right() + timedelta(seconds=seconds)

    clock.utc_now = wrong


def _next_release() -> None:
    from shared.events.base import Event, event_types  # noqa: PLC0415 - after the clock is wrong
    from shared.testing.backbone import TYPE  # noqa: PLC0415

    event_types()

    class DeactivatedForGood(Event):
        """What the next release publishes: one member more, which the release before knows nothing of."""

        TYPE = "portal.user.deactivated"
        VERSION = 2
        user_id: str
        reason: str
        until: str

    if TYPE != DeactivatedForGood.TYPE:
        raise ValueError(f"the next release is of {TYPE}")


def timers() -> int:
    """Run a worker that fires deadlines as they come due."""
    from sqlalchemy import text  # noqa: PLC0415 - the same

    from shared.database import UnitOfWork, engine_for  # noqa: PLC0415
    from shared.events.portal import UserDeactivated  # noqa: PLC0415
    from shared.messaging.consumer import ServiceWorker, TimedAct, run_workers, timers  # noqa: PLC0415
    from shared.testing.backbone import SOURCE  # noqa: PLC0415

    due = text("SELECT id FROM deadline WHERE fired_at IS NULL AND due <= clock_timestamp() ORDER BY id")
    fired = text("UPDATE deadline SET fired_at = clock_timestamp() WHERE id = :id")

    def fire(uow: UnitOfWork) -> None:
        for deadline in uow.connection.execute(due).scalars().all():
            uow.record(UserDeactivated(user_id=deadline, reason="ok"), entity=f"user:{deadline}")
            uow.connection.execute(fired, {"id": deadline})
            time.sleep(FACTS["takes"])

    class Keeper(ServiceWorker):
        name = SOURCE

        @timers(((0.1, fire),))
        def tick(self, act: TimedAct) -> None:
            self.act(act)

    return run_workers(
        [Keeper], amqp_url=lambda _: str(FACTS["amqp_url"]), engine=lambda _: engine_for(FACTS["source_url"])
    )


def replay() -> int:
    """Replay all that is in quarantine, as an operator does on that machine."""
    from shared.database import engine_for  # noqa: PLC0415 - the same
    from shared.events import Actor  # noqa: PLC0415
    from shared.messaging import quarantine  # noqa: PLC0415
    from shared.testing.backbone import CONSUMER  # noqa: PLC0415

    engine = engine_for(FACTS["consumer_url"])
    for held in quarantine.held(engine):
        quarantine.replay(engine, CONSUMER, Actor(id="operator:test"), quarantine_id=held.id)
    return 0


if __name__ == "__main__":
    _with_skew(FACTS.get("skew", 0.0))
    if FACTS.get("release") == "next":
        _next_release()
    sys.exit({"timers": timers, "replay": replay}.get(FACTS["role"], worker)())
