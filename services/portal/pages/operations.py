"""The operator's view: is every part alive, and is anything waiting? A part that fails dims its own card alone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client.parser import text_string_to_metric_families

from shared.errors import NotFoundError
from shared.heartbeat import heartbeat_file, is_alive
from shared.messaging.topology import DEAD_LETTERS, depths
from shared.settings import SERVICES, Settings
from shared.web.dependencies import allowed
from shared.web.errors import UnavailableError
from shared.web.pages import render

router = APIRouter()
log = structlog.get_logger()
PATIENCE = 1.0  # seconds that a card waits for its service
RECONCILING = ("relay", "watch")  # the process that does it on one machine, and where parts are apart
FRESH = 2.0  # seconds for which a look is shown again


@cache
def _transport() -> httpx.HTTPTransport:
    """Return the one that keeps connections: certificates and connecting take longer than the question itself."""
    return httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=len(SERVICES)))


def _get(url: str, cookie: str = "") -> httpx.Response:
    """Return an answer; unlike a client, nothing of it (cookies) is remembered for the next person's question."""
    patience = dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE)
    request = httpx.Request("GET", url, headers={"cookie": cookie}, extensions={"timeout": patience})
    answer = _transport().handle_request(request)
    answer.request = request
    answer.read()
    return answer.raise_for_status()


def _signs_of_life(settings: Settings, service: str) -> dict[str, bool]:
    """Return which processes of a service live; nothing where processes leave no heartbeat (other machines)."""
    names = {"relay": f"relay.{service}"} | ({} if service == "portal" else {"worker": f"worker.{service}"})
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
    waiting = sum(figures.get(name, 0) for name in ("parked", "quarantined", "gaps", "outbox_held"))
    return "warn" if waiting or figures.get("outbox_oldest_seconds", 0) > 10 else "good"


def _ask(settings: Settings, service: str, path: str, cookie: str) -> Any:
    """Return what a service answers at a path of its own; None when it does not answer."""
    mount = "" if service == "portal" else f"/{service}"
    try:
        return _get(f"{settings.base_url}{mount}{path}", cookie).json()
    except (httpx.HTTPError, ValueError) as error:
        log.warning("a service does not answer", service=service, path=path, error=type(error).__name__)
        return None


def _health(settings: Settings, service: str, cookie: str) -> dict[str, Any]:
    found: dict[str, Any] | None = _ask(settings, service, "/health", cookie)
    return found or {"service": service, "database": None}


def _unaccounted(settings: Settings) -> int:
    """Return how many events the last reconciling found missing, by the figures of the process that reconciles."""
    for process in RECONCILING:
        if process in settings.metrics_urls:
            try:
                return missing_in(_get(settings.metrics_urls[process]).text)
            except (httpx.HTTPError, ValueError) as error:
                log.warning("a process does not tell its figures", process=process, error=type(error).__name__)
    return 0


def missing_in(figures: str) -> int:
    """Return the sum of the events unaccounted for in a process's figures."""
    families = text_string_to_metric_families(figures)
    return int(sum(s.value for family in families for s in family.samples if s.name == "tamga_events_unaccounted"))


@dataclass(frozen=True)
class _Look:
    """How everything was at one moment."""

    at: float
    services: list[dict[str, Any]]
    queues: list[dict[str, Any]] | None
    unaccounted: int


_last: dict[str, _Look] = {}


def _look(settings: Settings, cookie: str) -> _Look:
    """Return how everything is, or was a moment ago: many looks at once would only wait for each other."""
    last = _last.get(settings.base_url)
    if last is not None and time.monotonic() - last.at < FRESH:
        return last
    with ThreadPoolExecutor(len(SERVICES) + 2) as pool:
        queues, unaccounted = pool.submit(_queues, settings), pool.submit(_unaccounted, settings)
        answers = list(pool.map(lambda service: _health(settings, service, cookie), SERVICES))
        found = [answer | {"alive": _signs_of_life(settings, answer["service"])} for answer in answers]
        services = [figures | {"state": state_of(figures)} for figures in found]
        look = _Look(time.monotonic(), services, queues.result(), unaccounted.result())
    _last[settings.base_url] = look
    return look


@router.get("/operations", dependencies=[allowed("portal.operations.read")])
def operations(request: Request) -> HTMLResponse:
    settings: Settings = request.app.state.settings
    look = _look(settings, request.headers.get("cookie", ""))
    return render(
        request,
        "operations.html",
        services=look.services,
        queues=look.queues,
        unaccounted=look.unaccounted,
        consuming=SERVICES[1:],
        measured=list(settings.metrics_urls),
    )


@router.get("/operations/metrics/{process}", dependencies=[allowed("portal.operations.read")])
def metrics(request: Request, process: str) -> PlainTextResponse:
    """Pass a process's figures on: its own port is reached from this machine alone."""
    settings: Settings = request.app.state.settings
    if process not in settings.metrics_urls:
        raise NotFoundError("There is no such process")
    try:
        answer = _get(settings.metrics_urls[process])
    except httpx.HTTPError as error:
        raise UnavailableError("The process does not answer") from error
    return PlainTextResponse(answer.text)


@router.get("/operations/fragment", dependencies=[allowed("portal.operations.read")])
def summary(request: Request) -> HTMLResponse:
    """Give the home page one line a service."""
    look = _look(request.app.state.settings, request.headers.get("cookie", ""))
    return render(request, "operations_part.html", services=look.services)
