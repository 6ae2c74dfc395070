"""Whether anything is missing from the record, and whether anything was changed past it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.audit.handlers.manifests import standings
from services.audit.handlers.reading import viewed
from services.audit.storage import comparing, manifests
from shared.web.dependencies import Uow, allowed
from shared.web.pages import render

router = APIRouter()


@router.get("/completeness", dependencies=[allowed("audit.completeness.read")])
def completeness(request: Request, uow: Uow) -> HTMLResponse:
    """Show, service by service, how far it has told and how far the log reaches, and what is disputed."""
    return render(
        request,
        "completeness.html",
        standings=standings(uow.connection, uow.now()),
        disputed=manifests.disputed(uow.connection),
    )


@router.get("/changes-outside", dependencies=[allowed("audit.changes.read")])
def changes_outside(request: Request, uow: Uow) -> HTMLResponse:
    """Show what the newest comparison of live rows with the log found, and when there were any."""
    runs = comparing.latest(uow.connection)
    if runs:
        viewed(uow, f"comparison:{runs[0].id}", "changes_outside")
    return render(request, "changes_outside.html", runs=runs)
