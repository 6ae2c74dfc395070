"""The worker process: the four nameko services that take events from the broker, drained on SIGTERM."""

from __future__ import annotations

import importlib
import sys

import shared.messaging.green
from shared.database import engine_for
from shared.heartbeat import heartbeat_file
from shared.infrastructure.gate import settings_when_ready
from shared.messaging.consumer import ServiceWorker, run_workers
from shared.observability import configure_logging
from shared.settings import SERVICES

PATCHED = shared.messaging.green


def workers(names: list[str]) -> list[type[ServiceWorker]]:
    """Return the worker classes of the named services; all that consume anything when none is named."""
    wanted = names or [service for service in SERVICES if importlib.import_module(f"services.{service}").CONSUMES]
    return [importlib.import_module(f"services.{service}.worker").Worker for service in wanted]


def main(arguments: list[str]) -> int:
    """Run the workers until SIGTERM; returns the exit code."""
    classes = workers(arguments)
    settings = settings_when_ready()
    configure_logging("work", settings.log_level)
    beat = heartbeat_file(settings.home, "workers")
    beat.parent.mkdir(parents=True, exist_ok=True)
    return run_workers(
        classes,
        amqp_url=settings.amqp_url,
        engine=lambda service: engine_for(settings.database_url(service), application_name=f"{service}-worker"),
        heartbeat=beat,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
