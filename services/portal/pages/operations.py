"""The operator's view: is every part alive, and is anything waiting? A part that fails dims its own card alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from shared.heartbeat import heartbeat_file, is_alive
from shared.messaging.topology import DEAD_LETTERS, depths
from shared.settings import SERVICES, Settings
from shared.web.dependencies import allowed
from shared.web.pages import render

router = APIRouter()
log = structlog.get_logger()
PATIENCE = 1.0  # seconds that a card waits for its service


def _health(settings: Settings, service: str, cookie: str) -> dict[str, Any]:
    mount = "" if service == "portal" else f"/{service}"
    try:
        answer = httpx.get(f"{settings.base_url}{mount}/health", headers={"cookie": cookie}, timeout=PATIENCE)
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        log.warning("a service does not say how it is", service=service, error=type(error).__name__)
        return {"service": service, "database": None}
    return found


def _signs_of_life(settings: Settings, service: str) -> dict[str, bool]:
    """Return which processes of a service live; nothing where processes leave no heartbeat (other machines)."""
    names = {"relay": f"relay.{service}"} | ({} if service == "portal" else {"worker": "workers"})
    return {
        part: is_alive(settings.home, name)
        for part, name in names.items()
        if heartbeat_file(settings.home, name).exists()
    }


def _queues(settings: Settings) -> list[dict[str, Any]] | None:
    names = [*(service for service in SERVICES if service != "portal"), DEAD_LETTERS]
    try:
        found = depths(settings.amqp_admin_url, names)
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, the page says "unavailable"
        log.warning("the broker does not say how it is", error=type(error).__name__)
        return None
    return [{"queue": name, "messages": depth.messages, "consumers": depth.consumers} for name, depth in found.items()]


def state_of(figures: dict[str, Any]) -> str:
    """Return good, warn or bad for a service's figures."""
    if figures.get("database") != "ok" or not all(figures["alive"].values()):
        return "bad"
    waiting = figures.get("parked", 0) + figures.get("quarantined", 0) + figures.get("outbox_held", 0)
    return "warn" if waiting or figures.get("outbox_oldest_seconds", 0) > 10 else "good"


@router.get("/operations", dependencies=[allowed("portal.operations.read")])
def operations(request: Request) -> HTMLResponse:
    settings: Settings = request.app.state.settings
    cookie = request.headers.get("cookie", "")
    with ThreadPoolExecutor(len(SERVICES) + 1) as pool:
        asked = [pool.submit(_health, settings, service, cookie) for service in SERVICES]
        queues = pool.submit(_queues, settings)
        answers = [answer.result() for answer in asked]
        services = [found | {"alive": _signs_of_life(settings, found["service"])} for found in answers]
    return render(
        request,
        "operations.html",
        services=[figures | {"state": state_of(figures)} for figures in services],
        queues=queues.result(),
    )
