"""Every HTTP route of every service declares an action of its policy table."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from shared.settings import SERVICES, Settings
from shared.vault import ensure_key
from shared.web.dependencies import Allowed


def application(service: str) -> FastAPI:
    """Return a service's app; its database is never asked for anything."""
    urls = dict.fromkeys(SERVICES, "postgresql+psycopg://nobody@127.0.0.1:1/none")
    key = Path(tempfile.mkdtemp()) / "payee.key"
    ensure_key(key)
    settings = Settings(database_urls=urls, payee_key_file=key)
    app: FastAPI = importlib.import_module(f"services.{service}.application").create_app(settings)
    return app


def actions(dependant: Any) -> Iterator[str]:
    """Yield the actions that a route's dependencies declare, at any depth."""
    if isinstance(dependant.call, Allowed):
        yield dependant.call.action
    for inner in dependant.dependencies:
        yield from actions(inner)


def routes(app: FastAPI | APIRouter) -> list[APIRoute]:
    """Return the routes of an app, those of included routers too; mounts serve files alone."""
    found: list[APIRoute] = []
    for route in app.routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif not isinstance(route, Mount):
            found += routes(route.original_router)  # type: ignore[attr-defined]  # FastAPI's own wrapper
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_declares_exactly_one_known_action(service: str) -> None:
    """A route without an action, with two, or with one that the table does not know fails the build."""
    app = application(service)
    table = app.state.policy.table
    found = routes(app)
    wrong = {
        f"{sorted(route.methods)} {route.path}": declared
        for route in found
        if len(declared := list(actions(route.dependant))) != 1 or declared[0] not in table
    }
    assert wrong == {}
    assert len(found) > 2, f"{service} has no routes of its own"


@pytest.mark.parametrize("service", SERVICES)
def test_no_action_of_the_table_is_forgotten(service: str) -> None:
    """An action that no route declares and no code asks for would look like protection and be none."""
    app = application(service)
    declared = {action for route in routes(app) for action in actions(route.dependant)}
    folder = Path(importlib.import_module(f"services.{service}").__path__[0])
    code = "".join(path.read_text() for path in folder.rglob("*.py") if path.stem != "policy")
    asked_for_in_shared = {f"{service}.health.inspect"}
    rest = set(app.state.policy.table) - declared - asked_for_in_shared
    unused = [action for action in rest if f'"{action}"' not in code]
    assert unused == []


@pytest.mark.parametrize("service", SERVICES)
def test_actions_are_named_after_their_service(service: str) -> None:
    """An action is `<service>.<thing>.<verb>`, so that a refusal in the record says whose it is."""
    table = application(service).state.policy.table
    assert [action for action in table if action.split(".")[0] != service or len(action.split(".")) != 3] == []
