"""The relay process: a thread for each source takes committed events from its database to the broker.

A second one hears of events that a consumer misses, and has them sent again; a third one tells the record regularly
how far the source has written.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import structlog

from shared import telemetry
from shared.database import engine_for
from shared.heartbeat import heartbeat_file
from shared.messaging.backfill import Backfill
from shared.messaging.leading import watched
from shared.messaging.manifests import Manifests
from shared.messaging.relay import Relay
from shared.process import begin, settle, stop_when_asked
from shared.settings import SERVICES, Settings


def relay_of(service: str, settings: Settings) -> Relay:
    """Return the relay of one source; the file of its heartbeat says its state."""
    beat = heartbeat_file(settings.home, f"relay.{service}")
    beat.parent.mkdir(parents=True, exist_ok=True)
    return watched(Relay(service, settings.database_url(service), settings.amqp_url(service), heartbeat=beat))


def backfill_of(service: str, settings: Settings) -> Backfill:
    """Return the ear of one source: it hears consumers' alarms and has the relay send again what they miss."""
    engine = engine_for(settings.database_url(service), pool_size=1, application_name=f"{service} backfill")
    return Backfill(service, engine, settings.amqp_url(service))


def manifests_of(service: str, settings: Settings) -> Manifests:
    """Return what tells one source's manifests."""
    engine = engine_for(settings.database_url(service), pool_size=1, application_name=f"{service} manifests")
    return Manifests(service, engine)


def main(services: list[str]) -> int:
    """Relay the named services' events, all services' when none is named, until SIGTERM; returns the exit code."""
    stop, failed = stop_when_asked(), threading.Event()
    settings = begin("relay")

    def run(service: str, part_of: Callable[[str, Settings], Relay | Backfill | Manifests]) -> None:
        try:
            part_of(service, settings).run(stop)
        except Exception:  # noqa: BLE001 - written down with its traceback, and it ends the process
            # One relay that can't go on ends the process: whoever started it starts all of them anew.
            structlog.get_logger(__name__).exception("relay failed", source=service)
            failed.set()
            stop.set()

    threads = [
        threading.Thread(target=run, args=(service, part_of), name=f"{service} {part_of.__name__}")
        for service in services or SERVICES
        for part_of in (relay_of, backfill_of, manifests_of)
    ]
    if not services and settings.amqp_admin_url:
        # One machine: this process has every database anyway. Elsewhere `services.watch` is one of its own.
        from services.comparing import Nightly  # noqa: PLC0415 - ten megabytes that a relay by itself does not need
        from services.watch import watch_of  # noqa: PLC0415 - the same

        threads.append(threading.Thread(target=watch_of(settings).run, args=(stop,), name="watch", daemon=True))
        threads.append(threading.Thread(target=Nightly(settings).run, args=(stop,), name="nightly", daemon=True))
    settle()
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            # Short waits: Python handles signals between them.
            thread.join(0.5)
    telemetry.stop()
    return 1 if failed.is_set() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
