"""/health of every service: alive or not for anybody, figures for the operator."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from shared.database import reading
from shared.web.dependencies import MaybeWho, Reader, allowed


def policy(service: str) -> dict[str, dict[str, str]]:
    """Return the actions that every service's app adds to its policy table."""
    return {
        f"{service}.health.read": {"anyone": "all"},
        f"{service}.health.inspect": {"operator": "all", "auditor": "all"},
        f"{service}.quarantine.read": {"operator": "all"},
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

    @routes.get("/api/quarantine", dependencies=[allowed(f"{service}.quarantine.read")])
    def quarantine(connection: Reader) -> list[dict[str, Any]]:
        """Return what this service could not handle, by what went wrong, the most first."""
        return held(connection)

    return routes


_HELD = text("""
SELECT fingerprint, count(*) AS count, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
  (array_agg(CAST(id AS text) ORDER BY last_seen DESC))[1] AS newest,
  (array_agg(error ORDER BY last_seen DESC))[1] AS error,
  (array_agg(DISTINCT coalesce(type, '?')))[1:5] AS types
FROM quarantine WHERE state = 'held' GROUP BY fingerprint ORDER BY count(*) DESC, fingerprint LIMIT 50
""")


def held(connection: Connection) -> list[dict[str, Any]]:
    """Return the groups of events in quarantine; none where a service consumes nothing."""
    if "quarantine" not in inspect(connection).get_table_names():
        return []
    return [dict(row) for row in connection.execute(_HELD).mappings()]


_FIGURES = {
    "outbox": {
        "outbox_unpublished": "SELECT count(*) FROM outbox WHERE published_at IS NULL",
        "outbox_oldest_seconds": (
            "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float"
            " FROM outbox WHERE published_at IS NULL"
        ),
        "outbox_held": "SELECT count(*) FROM outbox WHERE published_at IS NULL AND held_reason IS NOT NULL",
    },
    "inbox_parked": {"parked": "SELECT count(*) FROM inbox_parked"},
    "quarantine": {"quarantined": "SELECT count(*) FROM quarantine WHERE state = 'held'"},
}


def figures(connection: Connection) -> dict[str, float]:
    """Return the messaging figures of a service's database, of the tables that it has."""
    tables = set(inspect(connection).get_table_names())
    found: dict[str, float] = {}
    for table, queries in _FIGURES.items():
        if table in tables:
            found |= {name: connection.execute(text(query)).scalar_one() for name, query in queries.items()}
    return found
