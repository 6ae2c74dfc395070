"""Which relay leads and which is held up, as figures: read from the relays of this process at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.messaging.relay import Relay
from shared.observability import REGISTRY


class Leading(Collector):
    """The relays of a process."""

    def __init__(self) -> None:
        self.relays: list[Relay] = []

    def collect(self) -> Iterator[Metric]:
        """Yield for each relay whether it leads, and whether the broker lets it send nothing."""
        leading = GaugeMetricFamily("tamga_relay_leading", "Whether this relay leads its source", labels=["source"])
        blocked = GaugeMetricFamily("tamga_relay_blocked", "Whether the broker has it blocked", labels=["source"])
        for relay in self.relays:
            # What the broker has blocked still leads: it holds the lock and waits.
            leading.add_metric([relay.source], float(relay.state in {"leading", "blocked"}))
            blocked.add_metric([relay.source], float(relay.state == "blocked"))
        yield from (leading, blocked)


_leading = Leading()
REGISTRY.register(_leading)


def watched(relay: Relay) -> Relay:
    """Return the relay, whose state is told from now on."""
    _leading.relays.append(relay)
    return relay
