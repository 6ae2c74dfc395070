"""The worker process: the four nameko services that take events from the broker, drained on SIGTERM."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import shared.messaging.green
from shared import telemetry
from shared.database import engine_for
from shared.heartbeat import heartbeat_file
from shared.messaging.consumer import ServiceWorker, run_workers
from shared.process import begin
from shared.settings import SERVICES

PATCHED = shared.messaging.green


def worker_of(service: str) -> type[ServiceWorker] | None:
    """Return the worker class of a service, or None for one that has none."""
    if importlib.util.find_spec(f"services.{service}.worker") is None:
        return None
    module = importlib.import_module(f"services.{service}.worker")
    kinds = (kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__)
    return next(kind for kind in kinds if issubclass(kind, ServiceWorker))


def one_heartbeat(home: Path, names: list[str]) -> Path:
    """Return the file that the hub's loop touches: all services of this process live and hang together."""
    first, *others = (heartbeat_file(home, f"worker.{name}") for name in names)
    first.parent.mkdir(parents=True, exist_ok=True)
    for link in others:
        link.unlink(missing_ok=True)
        link.symlink_to(first.name)
    return first


def main(services: list[str]) -> int:
    """Run the named services' workers, all there are when none is named, until SIGTERM; returns the exit code."""
    found = [worker_of(service) for service in services or SERVICES]
    classes = [worker for worker in found if worker is not None]
    settings = begin("work")
    beat = one_heartbeat(settings.home, [worker.name for worker in classes])
    try:
        return run_workers(
            classes,
            amqp_url=settings.amqp_url,
            engine=lambda service: engine_for(settings.database_url(service), application_name=f"{service}-worker"),
            heartbeat=beat,
        )
    finally:
        telemetry.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
