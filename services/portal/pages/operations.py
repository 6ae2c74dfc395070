"""The operator's view: what needs somebody, is every part alive, is anything waiting? What fails dims its own line."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from threading import Lock
from typing import Any

import httpx
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from shared.errors import NotFoundError
from shared.events.catalogue import Catalogue
from shared.heartbeat import heartbeat_file
from shared.operations import Look, Sources, look, told
from shared.operations.processes import state_of as state_of_process
from shared.operations.telling import STATES, lasted
from shared.settings import SERVICES, Settings
from shared.web.dependencies import allowed
from shared.web.errors import UnavailableError
from shared.web.pages import Pages, render

router = APIRouter()
log = structlog.get_logger()
PATIENCE = 1.0  # seconds that a card waits for its service
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
    return answer


def _signs_of_life(settings: Settings, service: str) -> dict[str, bool]:
    """Return which processes of a service live; nothing where processes leave no heartbeat (other machines)."""
    names = {"relay": f"relay.{service}"} | ({} if service == "portal" else {"worker": f"worker.{service}"})
    return {
        part: state_of_process(settings.home, name) == "ok"
        for part, name in names.items()
        if heartbeat_file(settings.home, name).exists()
    }


def state_of(figures: dict[str, Any]) -> str:
    """Return good, warn or bad for a service's figures."""
    if figures.get("database") != "ok" or not all(figures["alive"].values()):
        return "bad"
    waiting = sum(figures.get(name, 0) for name in ("parked", "quarantined", "gaps", "outbox_held"))
    return "warn" if waiting or figures.get("outbox_oldest_seconds", 0) > 10 else "good"


def _ask(settings: Settings, service: str, path: str, cookie: str) -> Any:
    """Return what a service answers at a path of its own; None when it does not answer.

    One without its database says so with a status of its own, which is an answer.
    """
    mount = "" if service == "portal" else f"/{service}"
    try:
        answer = _get(f"{settings.own_url}{mount}{path}", cookie)
        return (answer if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer.raise_for_status()).json()
    except (httpx.HTTPError, ValueError) as error:
        log.warning("a service does not answer", service=service, path=path, error=type(error).__name__)
        return None


def _figures(settings: Settings, cookie: str, service: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _ask(settings, service, "/health", cookie)
    return found


def _card(settings: Settings, service: str, told: dict[str, Any] | None) -> dict[str, Any]:
    figures = {"service": service, "database": None} | (told or {}) | {"alive": _signs_of_life(settings, service)}
    return figures | {"state": state_of(figures)}


@dataclass
class _Kept:
    """The last look, shown again for a moment; whoever asks meanwhile waits for the one that is under way."""

    at: float = -FRESH
    look: Look | None = None
    asking: Lock = field(default_factory=Lock)


_kept: defaultdict[str, _Kept] = defaultdict(_Kept)


def _look(request: Request) -> Look:
    """Return how everything is, or was a moment ago: many looks at once would only wait for each other."""
    settings: Settings = request.app.state.settings
    kept = _kept[settings.base_url]
    with kept.asking:
        if kept.look is None or time.monotonic() - kept.at >= FRESH:
            figures = partial(_figures, settings, request.headers.get("cookie", ""))
            kept.look = look(Sources(settings, _queues(request.app.state.catalogue), figures))
            kept.at = time.monotonic()
            if kept.look.unanswered:
                log.warning("no answer to a look", **kept.look.unanswered)
        return kept.look


def _queues(catalogue: Catalogue | None) -> dict[str, tuple[str, ...]]:
    cards = catalogue.cards if catalogue else ()
    return {queue: keys for card in cards for queue, keys in card.queues.items()}


def _lines(request: Request, found: Look) -> list[dict[str, Any]]:
    """Return the lines in the reader's language, times as on every page."""
    pages: Pages = request.app.state.pages
    worded = partial(_worded, pages, request.state.locale)
    return [vars(line) | {"says": [told(said, worded) for said in line.says]} for line in found.lines]


def _worded(pages: Pages, locale: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return pages.moment(value)
    if isinstance(value, timedelta):
        return lasted(value, locale)
    return pages.number(value) if isinstance(value, int) else value


def _cards(request: Request, found: Look) -> list[dict[str, Any]]:
    settings: Settings = request.app.state.settings
    return [_card(settings, service, told) for service, told in found.facts.services.items()]


@router.get("/operations", dependencies=[allowed("portal.operations.read")])
def operations(request: Request) -> HTMLResponse:
    settings: Settings = request.app.state.settings
    found = _look(request)
    states, cards = [line.state for line in found.lines], _cards(request, found)
    mute = [f"{part}.{card['service']}" for card in cards for part, lives in card["alive"].items() if not lives]
    return render(
        request,
        "operations.html",
        at=found.at,
        lines=_lines(request, found),
        numbers={"bad": states.count("bad") + bool(mute), "look": states.count("look")},
        mute=mute,
        states=STATES,
        services=cards,
        broker=found.facts.broker,
        unaccounted=found.facts.reconciled.unaccounted if found.facts.reconciled else 0,
        consuming=SERVICES[1:],
        measured=list(settings.metrics_urls),
    )


@router.get("/operations/quarantine", dependencies=[allowed("portal.operations.read")])
def quarantine(request: Request) -> HTMLResponse:
    """Point to every service's own page of what it holds: the portal has no rights to their tables."""
    services = [card for card in _cards(request, _look(request)) if card["service"] != "portal"]
    return render(request, "quarantine_services.html", services=services)


@router.get("/operations/metrics/{process}", dependencies=[allowed("portal.operations.read")])
def metrics(request: Request, process: str) -> PlainTextResponse:
    """Pass a process's figures on: its own port is reached from this machine alone."""
    settings: Settings = request.app.state.settings
    if process not in settings.metrics_urls:
        raise NotFoundError("There is no such process")
    try:
        answer = _get(settings.metrics_urls[process]).raise_for_status()
    except httpx.HTTPError as error:
        raise UnavailableError("The process does not answer") from error
    return PlainTextResponse(answer.text)


@router.get("/operations/fragment", dependencies=[allowed("portal.operations.read")])
def summary(request: Request) -> HTMLResponse:
    """Give the home page one line a service."""
    return render(request, "operations_part.html", services=_cards(request, _look(request)))
