"""/health of every service: alive or not for anybody, figures for the operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from shared.database import reading
from shared.operations.figures import figures
from shared.web.dependencies import MaybeWho, allowed


def policy(service: str) -> dict[str, dict[str, str]]:
    """Return the actions that every service's app adds to its policy table."""
    return {
        f"{service}.health.read": {"anyone": "all"},
        f"{service}.health.inspect": {"operator": "all", "auditor": "all"},
        f"{service}.api.describe": {"signed_in": "all"},
    }


def described(service: str) -> Any:
    """Return the dependency of the route that describes the JSON API."""
    return allowed(f"{service}.api.describe")


def nothing(_connection: Connection) -> dict[str, Any]:
    """Return the figures of a service that has none of its own."""
    return {}


def router(service: str, own: Callable[[Connection], dict[str, Any]] = nothing) -> APIRouter:
    """Return the health route of a service; `own` gives figures that only this service has."""
    routes = APIRouter()

    @routes.get("/health", dependencies=[allowed(f"{service}.health.read")], include_in_schema=False)
    def health(request: Request, who: MaybeWho) -> JSONResponse:
        state = request.app.state
        inspects = bool(state.policy.scopes(f"{service}.health.inspect", who))
        try:
            with reading(state.engine) as connection:
                connection.execute(text("SELECT 1"))
                details = figures(connection, service) | own(connection) if inspects else {}
        except SQLAlchemyError:
            return JSONResponse({"service": service, "database": "down"}, 503)
        return JSONResponse({"service": service, "database": "ok"} | details)

    return routes
