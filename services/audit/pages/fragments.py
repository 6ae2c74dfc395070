"""What the home page says about the log: how long it is, and when it was last found sound."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.audit.pages.explorer import trust
from shared.web.dependencies import Uow, allowed
from shared.web.pages import render

router = APIRouter()


@router.get("/fragments/home", dependencies=[allowed("audit.verification.read")])
def home(request: Request, uow: Uow) -> HTMLResponse:
    """Give the state of the log."""
    return render(request, "trust_part.html", trust=trust(uow))
