"""The app of a service: one call gives identity, policy, errors, forms, pages, static files and health."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from joserfc.jwk import OKPKey
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from shared.clock import Clock, utc_now
from shared.errors import TamgaError
from shared.settings import Settings
from shared.silence import guard
from shared.web import health, quarantine, static
from shared.web.body import checked_body
from shared.web.errors import Answers
from shared.web.identity import load_key
from shared.web.middleware import Frame
from shared.web.pages import Pages
from shared.web.policy import Policy
from shared.web.scopes import NAMES


def _public_key(settings: Settings) -> OKPKey | None:
    return load_key(settings.identity_key_file) if settings.identity_key_file else None


def create_service_app(
    *,
    service: str,
    engine: Engine | None,
    policy: Policy,
    routers: Sequence[APIRouter],
    templates: Path,
    settings: Settings,
    clock: Clock = utc_now,
    key: OKPKey | None = None,
    figures: Callable[[Connection], dict[str, Any]] = health.nothing,
) -> FastAPI:
    """Return the ASGI app of `service`; `key` verifies identities (default: settings), /health adds `figures`."""
    answers = Answers(service)
    if engine is not None:
        guard(engine)
    app = FastAPI(
        title=f"Tamga {service}",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(checked_body)],
        exception_handlers=_handlers(answers),
        middleware=[
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=6),
            Middleware(Frame, key=key or _public_key(settings), answers=answers, origin=settings.base_url.rstrip("/")),
        ],
    )
    state = app.state
    state.service, state.engine, state.clock, state.settings = service, engine, clock, settings
    consumes = service != "portal"
    held = quarantine.policy(service) if consumes else {}
    state.policy = Policy(dict(policy.table) | health.policy(service) | held)
    state.pages = Pages(service, templates, clock, settings.time_zone)
    app.mount("/static", Mount("", app=static.serve))
    app.include_router(health.router(service, figures))
    app.include_router(_description(service))
    for router in (*([quarantine.router(service)] if consumes else []), *routers):
        app.include_router(router)
    return app


def _handlers(answers: Answers) -> Any:
    return dict.fromkeys((TamgaError, RequestValidationError, HTTPException, SQLAlchemyError), answers.__call__)


def _ways_in(document: dict[str, Any]) -> dict[str, Any]:
    """Return the components with how a program says who it is: by a key made at /account, or a session."""
    told = ", ".join(f"`{name}`: {what}" for name, what in NAMES.items())
    words = f"`Authorization: Bearer tmg_…`, a key from /account. It may be limited to scopes: {told}."
    ways = {
        "key": {"type": "http", "scheme": "bearer", "description": words},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-tamga"},
    }
    return {"components": document.get("components", {}) | {"securitySchemes": ways}}


def _description(service: str) -> APIRouter:
    """Return the route of the machine-readable description of the JSON API."""
    router = APIRouter()

    @router.get("/api/openapi.json", dependencies=[health.described(service)], include_in_schema=False)
    def openapi(request: Request) -> dict[str, Any]:
        application: FastAPI = request.app
        return application.openapi() | {"security": [{"key": []}, {"session": []}]} | _ways_in(application.openapi())

    return router
