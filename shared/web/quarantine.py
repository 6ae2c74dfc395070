"""Every consuming service's own pages of what it could not handle and what never came: for the operator alone.

The portal has no rights to other services' databases, so its page of operations only points here.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from shared.errors import InvalidError
from shared.messaging import gaps
from shared.messaging.quarantine import (
    AT_ONCE,
    Filters,
    Settled,
    discard_held,
    groups,
    listed,
    readable,
    replay_held,
    row_of,
)
from shared.web.dependencies import Reader, Uow, allowed
from shared.web.forms import FormModel
from shared.web.pages import render

PATH = "/operations/quarantine"
ROWS = 100
HERE = "/operations"


def policy(service: str) -> dict[str, dict[str, str]]:
    """Return the actions that these pages need."""
    return {f"{service}.quarantine.read": {"operator": "all"}, f"{service}.quarantine.settle": {"operator": "all"}}


class Search(BaseModel):
    """What the address of the list asks for; empty fields do not matter."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, str_max_length=300)

    type: str = ""
    entity: str = ""
    fingerprint: str = ""
    since: datetime | None = None
    state: Literal["held", "replayed", "discarded", "all"] = "held"
    settled: str = ""
    count: int = 0

    def filters(self) -> Filters:
        """Return the filters of the query."""
        return Filters(
            type=self.type or None,
            entity=self.entity or None,
            fingerprint=self.fingerprint or None,
            since=self.since,
            state=None if self.state == "all" else self.state,
        )


class Decision(FormModel):
    """What is to be replayed or discarded: one event by its id, or all that are held and fit the filters."""

    id: UUID | None = None
    type: str = ""
    entity: str = ""
    fingerprint: str = ""
    since: datetime | None = None
    reason: str = Field("", max_length=2000)
    dry_run: bool = False

    def wanted(self) -> Filters | UUID:
        """Return what is meant."""
        return self.id or self.search().filters()

    def search(self) -> Search:
        """Return the list on which the decision was made."""
        return Search(type=self.type, entity=self.entity, fingerprint=self.fingerprint, since=self.since)


def router(service: str) -> APIRouter:
    """Return the routes of a consuming service."""
    routes = APIRouter()
    _add_reading(routes, service, [allowed(f"{service}.quarantine.read")])
    _add_deciding(routes, f"/{service}{PATH}", [allowed(f"{service}.quarantine.settle")])
    return routes


def _add_reading(routes: APIRouter, service: str, read: list[Any]) -> None:
    mount = f"/{service}{PATH}"

    @routes.get(PATH, dependencies=read, include_in_schema=False)
    def listing(request: Request, connection: Reader, search: Annotated[Search, Query()]) -> HTMLResponse:
        return _list_page(request, connection, search)

    @routes.get(f"{PATH}/fragment", dependencies=read, include_in_schema=False)
    def fragment(request: Request, connection: Reader) -> HTMLResponse:
        """Give the portal's page of operations the groups and the gaps."""
        return render(
            request,
            "quarantine_part.html",
            mount=mount,
            groups=groups(connection, Filters(), limit=10),
            gaps=gaps.open_gaps(connection, service),
        )

    @routes.get(PATH + "/{quarantine_id}", dependencies=read, include_in_schema=False)
    def one(request: Request, connection: Reader, quarantine_id: UUID) -> HTMLResponse:
        return _one_page(request, connection, quarantine_id)

    @routes.get(PATH + "/{quarantine_id}/body", dependencies=read, include_in_schema=False)
    def body(connection: Reader, quarantine_id: UUID) -> Response:
        """Give the bytes as they came."""
        row = row_of(connection, quarantine_id)
        named = {"content-disposition": f'attachment; filename="{quarantine_id}.bin"'}
        return Response(row["body"], media_type="application/octet-stream", headers=named)

    @routes.get("/api/quarantine", dependencies=read)
    def api(connection: Reader, search: Annotated[Search, Query()]) -> list[dict[str, Any]]:
        """Return what this service could not handle, by what went wrong, the most first."""
        return [asdict(group) for group in groups(connection, search.filters())]


def _add_deciding(routes: APIRouter, mount: str, settle: list[Any]) -> None:
    @routes.post(f"{PATH}/replay", dependencies=settle, include_in_schema=False)
    def replay(request: Request, uow: Uow, form: Annotated[Decision, Form()]) -> Response:
        settled = replay_held(uow, form.wanted(), dry_run=form.dry_run, until=uow.now())
        if form.dry_run or settled.unreadable:
            return _decided(request, uow, form, settled, act="replay")
        return _back(mount, form, "replayed", settled)

    @routes.post(f"{PATH}/discard", dependencies=settle, include_in_schema=False)
    def discard(request: Request, uow: Uow, form: Annotated[Decision, Form()]) -> Response:
        uow.context = uow.context.because(form.reason or None)
        try:
            settled = discard_held(uow, form.wanted(), form.reason, dry_run=form.dry_run, until=uow.now())
        except InvalidError as error:
            return _decided(request, uow, form, Settled(), act="discard", errors=error.fields, status=422)
        if form.dry_run:
            return _decided(request, uow, form, settled, act="discard")
        return _back(mount, form, "discarded", settled)


def _list_page(request: Request, connection: Any, search: Search, *, status: int = 200, **more: Any) -> HTMLResponse:
    wanted = search.filters()
    service = request.app.state.service
    return render(
        request,
        "quarantine.html",
        status_code=status,
        here=HERE,
        service=service,
        mount=f"/{service}{PATH}",
        search=search,
        asked=bool(wanted.given()),
        groups=groups(connection, wanted),
        events=listed(connection, wanted, limit=ROWS) if wanted.given() or wanted.state != "held" else [],
        gaps=gaps.open_gaps(connection, service),
        **({"decided": None, "errors": {}, "given": {}, "at_once": AT_ONCE} | more),
    )


def _one_page(
    request: Request, connection: Any, quarantine_id: UUID, *, status: int = 200, **more: Any
) -> HTMLResponse:
    row = row_of(connection, quarantine_id)
    service = request.app.state.service
    return render(
        request,
        "quarantine_event.html",
        status_code=status,
        here=HERE,
        service=service,
        mount=f"/{service}{PATH}",
        row=row,
        size=len(row["body"]),
        body=readable(row["body"])[:100_000],
        headers=json.dumps(row["headers"], indent=2, ensure_ascii=False),
        **({"decided": None, "errors": {}, "given": {}} | more),
    )


def _decided(
    request: Request,
    uow: Uow,
    form: Decision,
    settled: Settled,
    *,
    act: str,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    """Show the page again, with what would come of it or why not; nothing of a dry run is written."""
    decided = {"act": act, "count": len(settled.ids), "unreadable": list(settled.unreadable.values())}
    more = {"decided": decided, "errors": errors or {}, "given": {"reason": form.reason}}
    if form.id:
        return _one_page(request, uow.connection, form.id, status=status, **more)
    return _list_page(request, uow.connection, form.search(), status=status, **more)


def _back(mount: str, form: Decision, settled: str, what: Settled) -> RedirectResponse:
    if form.id:
        return RedirectResponse(f"{mount}/{form.id}", 303)
    return RedirectResponse(f"{mount}?{urlencode({'settled': settled, 'count': len(what.ids)})}", 303)
