"""/health of every service: alive or not for anybody, figures for the operator."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from shared.database import reading
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


def router(service: str) -> APIRouter:
    """Return the health route of a service."""
    routes = APIRouter()

    @routes.get("/health", dependencies=[allowed(f"{service}.health.read")], include_in_schema=False)
    def health(request: Request, who: MaybeWho) -> JSONResponse:
        state = request.app.state
        inspects = bool(state.policy.scopes(f"{service}.health.inspect", who))
        try:
            with reading(state.engine) as connection:
                connection.execute(text("SELECT 1"))
                details = figures(connection) if inspects else {}
        except SQLAlchemyError:
            return JSONResponse({"service": service, "database": "down"}, 503)
        return JSONResponse({"service": service, "database": "ok"} | details)

    return routes


_THERE = text("SELECT to_regclass('outbox') IS NOT NULL AS outbox, to_regclass('inbox') IS NOT NULL AS inbox")
_SENDING = text("""
SELECT count(*) AS outbox_unpublished,
  coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float AS outbox_oldest_seconds,
  count(*) FILTER (WHERE held_reason IS NOT NULL) AS outbox_held
FROM outbox WHERE published_at IS NULL
""")
_TAKING = text("""
SELECT (SELECT count(*) FROM inbox_parked) AS parked,
  (SELECT count(*) FROM quarantine WHERE state = 'held') AS quarantined,
  (SELECT count(*) FROM inbox_gap WHERE alarmed_at IS NOT NULL AND closed_at IS NULL) AS gaps
""")


def figures(connection: Connection) -> dict[str, float]:
    """Return the messaging figures of a service's database, of the tables that it has."""
    there = connection.execute(_THERE).one()
    found: dict[str, float] = {}
    for exists, query in ((there.outbox, _SENDING), (there.inbox, _TAKING)):
        if exists:
            found |= dict(connection.execute(query).mappings().one())
    return found
