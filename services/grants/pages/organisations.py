"""One organisation as grants knows it: a page, a part for the portal's page, and JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from services.grants.handlers import listing, organisations
from services.grants.pages.common import show
from shared.web.dependencies import Reader, Who, allowed
from shared.web.identity import Identity

router = APIRouter()
READ = [allowed(organisations.READ)]


def _context(request: Request, connection: Connection, who: Identity, organisation: str) -> dict[str, Any]:
    found = organisations.known(connection, who, organisation)
    names = {row["programme"] for row in found.applications}
    packs = {name: listing.latest(connection, name) for name in names}
    stages: dict[str, str] = {}
    for row in found.applications:
        pack = packs[row["programme"]]
        call = pack.calls.get(row["call"]) if pack else None
        workflow = pack.workflows.get(call.workflow) if pack and call else None
        known = workflow is not None and any(stage.id == row["stage"] for stage in workflow.stages)
        stages[row["id"]] = workflow.label(row["stage"], request.state.locale) if workflow and known else row["stage"]
    return {"found": found, "stages": stages}


@router.get("/organisations/{organisation}", dependencies=READ)
def page(request: Request, organisation: str, who: Who, connection: Reader) -> HTMLResponse:
    """Show an organisation's applications, agreements, money, reports, hits on lists and look-alikes."""
    return show(request, "organisation.html", **_context(request, connection, who, organisation))


@router.get("/fragments/organisations/{organisation}", dependencies=READ)
def part(request: Request, organisation: str, who: Who, connection: Reader) -> HTMLResponse:
    """Give the same as a part of the portal's page."""
    return show(request, "organisation_part.html", **_context(request, connection, who, organisation))


@router.get("/api/organisations/{organisation}", dependencies=READ)
def by_machine(organisation: str, who: Who, connection: Reader) -> dict[str, Any]:
    """Return what grants has of an organisation in one's programmes."""
    return organisations.view(organisations.known(connection, who, organisation))
