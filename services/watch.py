"""The process that watches the backbone where each part has its own machine, and has sent again what stays missing.

On one machine the relay process does it. Needs each service's database and the broker's admin. With the right to read
alone it changes nothing: then `tamga reconcile --send-again` is for an operator.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping

from services.cards import consumers
from services.comparing import Nightly
from services.measures import OWN
from shared import telemetry
from shared.database import engine_for
from shared.heartbeat import keep_beating
from shared.messaging import topology
from shared.messaging.watching import LONGEST_PAUSE, Watch
from shared.observability import REGISTRY
from shared.operations.measuring import Measuring
from shared.process import begin, settle, stop_when_asked
from shared.settings import SERVICES, Settings

LONGEST_LOOK = 180.0  # seconds; longer than that is a look that hangs


def watch_of(settings: Settings) -> Watch:
    """Return the watch over every service; its process tells the operator's figures as well."""
    bound = consumers()
    queues = [service for service, keys in bound.items() if keys]

    def depths() -> Mapping[str, topology.Depth]:
        return topology.depths(settings.amqp_admin_url, [*queues, topology.DEAD_LETTERS])

    engines = {
        service: engine_for(settings.database_url(service), pool_size=1, application_name="tamga watch")
        for service in SERVICES
    }
    measuring = Measuring(engines, OWN, settings.home)
    REGISTRY.register(measuring)
    return Watch(engines, bound, depths, beside=measuring.measure)


def main() -> int:
    """Watch until SIGTERM; a look that hangs stops the heartbeat."""
    stop, settings = stop_when_asked(), begin("watch")
    watch, began = watch_of(settings), [time.monotonic()]
    measure = watch.beside

    def beside() -> None:
        began[0] = time.monotonic()
        measure()

    watch.beside = beside
    patience = LONGEST_PAUSE + LONGEST_LOOK
    keep_beating(settings.home, lambda: ["watch"] if time.monotonic() - began[0] < patience else [], stop)
    threading.Thread(target=Nightly(settings).run, args=(stop,), name="nightly", daemon=True).start()
    settle()
    watch.run(stop)
    telemetry.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
