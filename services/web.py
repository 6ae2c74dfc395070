"""The web processes: `python -m services.web [SERVICE]`, served by uvicorn.

With none named, the one of a single machine: five apps of one origin behind the front door. With one named, that
service's app alone, behind a proxy that asks the front door (on a port of its own beside the portal) who it is.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared import telemetry
from shared.heartbeat import keep_beating
from shared.infrastructure.gate import settings_when_ready
from shared.process import begin, settle
from shared.settings import SERVICES, Settings

PORT, FRONT_DOOR_PORT, CATCHER_PORT = 8400, "TAMGA_FRONT_DOOR_PORT", "TAMGA_MAIL_CATCHER"


def load_applications(services: Sequence[str] = SERVICES) -> dict[str, Any]:
    """Import services' `application` modules: the slow part of a start, before anything else is ready."""
    return {service: importlib.import_module(f"services.{service}.application") for service in services}


def create(settings: Settings | None = None) -> ASGIApp:
    """Return the composite app behind the front door: what one machine serves."""
    settings = settings or settings_when_ready()
    return _behind_the_front_door(mounted(settings), settings)


def _behind_the_front_door(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return `app` with the front door around it, which only the portal's own processes load."""
    behind: ASGIApp = importlib.import_module("services.portal.frontdoor").front_door(app, settings)
    return behind


def mounted(settings: Settings, services: Sequence[str] = SERVICES) -> ASGIApp:
    """Return the apps of these services under their paths: /grants, /loans, ..., and the portal at /."""
    modules = load_applications(services)
    given: dict[str, dict[str, Any]] = {}
    if "portal" in services:
        given["portal"] = {"catalogue": importlib.import_module("services.catalogue").catalogue()}
    apps = {service: module.create_app(settings, **given.get(service, {})) for service, module in modules.items()}
    # The portal's path is the beginning of every other one.
    paths = sorted(apps, key=lambda service: service == "portal")
    mounts = [Mount("/" if service == "portal" else f"/{service}", app=apps[service]) for service in paths]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        # Mounted apps get no lifespan of their own from Starlette.
        async with contextlib.AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    rooms = [Route(f"/{service}", _to_its_home) for service in paths if service != "portal"]
    return answering_heads(Starlette(routes=[*rooms, *mounts], lifespan=lifespan))


def _to_its_home(request: Request) -> RedirectResponse:
    """Send who typed /loans to /loans/, with the question they asked: a mount begins after its slash."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{request.url.path}/{query}", 308)


def answering_heads(app: ASGIApp) -> ASGIApp:
    """Have HEAD answered like GET wherever there is a GET; the server leaves the body out."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope, receive, send)

    return answer


class Server(uvicorn.Server):
    """uvicorn that says with its exit code that it was asked to stop, and lets a second Ctrl-C hurry it."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del frame
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def beside(app: ASGIApp, host: str, port: int) -> uvicorn.Server:
    """Serve one more app on a port of its own, in a thread that ends with this process."""
    server = uvicorn.Server(_config(app, host, port))
    threading.Thread(target=server.run, name=f"port {port}", daemon=True).start()
    return server


def _config(app: ASGIApp, host: str, port: int, *, proxied: bool = False) -> uvicorn.Config:
    """Return how an app is served; behind the proxy (which alone can reach it) a caller is whom the proxy names."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        proxy_headers=proxied,
        forwarded_allow_ips="*" if proxied else None,
    )


def main(services: list[str]) -> int:
    """Serve until SIGTERM; requests under way are finished."""
    load_applications(services or SERVICES)
    settings = begin("web")
    host, port = os.environ.get("TAMGA_HOST", "127.0.0.1"), int(os.environ.get("TAMGA_PORT", PORT))
    app = mounted(settings, services) if services else create(settings)
    if catching := os.environ.get(CATCHER_PORT):
        catcher = importlib.import_module("services.notifications.catcher")
        catcher.start(int(catching), catcher.folder_of(settings), host=host)
    if door := os.environ.get(FRONT_DOOR_PORT):
        telling = importlib.import_module("services.portal.asking").telling
        beside(_behind_the_front_door(telling, settings), host, int(door))
    stopped = threading.Event()
    keep_beating(settings.home, lambda: [f"web.{service}" for service in services] or ["web"], stopped)
    server = Server(_config(app, host, port, proxied=bool(services)))
    settle()
    try:
        server.run()
    finally:
        stopped.set()
        telemetry.stop()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
