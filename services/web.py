"""The web process of one machine: five apps of one origin behind the front door, served by uvicorn."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from services.catalogue import catalogue
from services.portal.frontdoor import front_door
from shared import telemetry
from shared.heartbeat import keep_beating
from shared.infrastructure.gate import settings_when_ready
from shared.process import begin, settle
from shared.settings import SERVICES, Settings

CATCHER = "TAMGA_MAIL_CATCHER"


def load_applications() -> dict[str, Any]:
    """Import every service's `application` module: the slow part of a start, before anything else is ready."""
    return {service: importlib.import_module(f"services.{service}.application") for service in SERVICES}


def create(settings: Settings | None = None) -> ASGIApp:
    """Return the composite app: /grants, /loans, /notifications, /audit, and the portal at /."""
    settings, modules = settings or settings_when_ready(), load_applications()
    given = {"portal": {"catalogue": catalogue()}}
    apps = {service: module.create_app(settings, **given.get(service, {})) for service, module in modules.items()}
    mounts = [Mount(f"/{service}", app=app) for service, app in apps.items() if service != "portal"]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        # Mounted apps get no lifespan of their own from Starlette.
        async with contextlib.AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    composite = Starlette(routes=[*mounts, Mount("/", app=apps["portal"])], lifespan=lifespan)
    return front_door(composite, settings)


class Server(uvicorn.Server):
    """uvicorn that says with its exit code that it was asked to stop, and lets a second Ctrl-C hurry it."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del frame
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def main() -> int:
    """Serve until SIGTERM; requests under way are finished."""
    load_applications()
    settings = begin("web")
    address = urlsplit(settings.base_url)
    host = os.environ.get("TAMGA_HOST", "127.0.0.1")
    app = create(settings)
    if os.environ.get(CATCHER):
        catcher = importlib.import_module("services.notifications.catcher")
        catcher.start(int(os.environ[CATCHER]), settings.home / "mail")
    stopped = threading.Event()
    keep_beating(settings.home, lambda: ["web"], stopped)
    config = uvicorn.Config(
        app, host=host, port=address.port or 8400, log_config=None, access_log=False, timeout_graceful_shutdown=10
    )
    server = Server(config)
    settle()
    try:
        server.run()
    finally:
        stopped.set()
        telemetry.stop()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
