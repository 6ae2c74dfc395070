"""Whether anything is missing from the record: what each service told, what the log holds."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.audit.handlers.manifests import standings
from services.audit.storage import manifests
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
