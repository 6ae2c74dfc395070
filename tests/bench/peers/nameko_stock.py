"""Stock nameko: EventDispatcher → event_handler → one INSERT an event. An ack follows also a failure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

CONSUMES = sys.argv[1] == "consume"
if CONSUMES:
    import eventlet

    eventlet.monkey_patch()

from common import acting, connect, store  # noqa: E402 - after the patch
from nameko.containers import ServiceContainer  # noqa: E402
from nameko.events import event_handler  # noqa: E402
from nameko.standalone.events import event_dispatcher  # noqa: E402
from pace import FACTS, in_threads  # noqa: E402

CONFIG = {"AMQP_URI": FACTS["amqp_url"], "max_workers": 10}
SOURCE, EVENT = "acts", "done"


class Audit:
    """The consumer; its ten workers share a list of connections."""

    name = "audit"
    free: list[Any] = []

    @event_handler(SOURCE, EVENT)
    def on_act(self, message: dict[str, Any]) -> None:
        connection = self.free.pop() if self.free else connect()
        store(connection, message)
        self.free.append(connection)


def act_for() -> Callable[[int], object]:
    """Return an act; the dispatcher waits for the broker's confirm of each event."""
    dispatch = event_dispatcher(CONFIG)
    return acting(lambda message: dispatch(SOURCE, EVENT, message))


if CONSUMES:
    container = ServiceContainer(Audit, CONFIG)
    container.start()
    container.wait()
else:
    in_threads(act_for)
