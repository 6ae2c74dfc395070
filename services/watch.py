"""The process that watches the backbone where each part has its own machine, and has sent again what stays missing.

On one machine the relay process does it. Needs each service's database and the broker's admin. With the right to read
alone it changes nothing: then `tamga reconcile --send-again` is for an operator.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from services.cards import consumers
from services.measures import OWN
from shared import telemetry
from shared.database import engine_for
from shared.messaging import topology
from shared.messaging.watching import Watch
from shared.observability import REGISTRY
from shared.operations.measuring import Measuring
from shared.process import begin, stop_when_asked
from shared.settings import SERVICES, Settings


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
    """Watch until SIGTERM."""
    stop = stop_when_asked()
    watch_of(begin("watch")).run(stop)
    telemetry.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
