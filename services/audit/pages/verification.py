"""Whether the log can be trusted: what was verified, when, and what was found."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.audit.handlers.verification import record, verify
from services.audit.pages.explorer import keys_of, trust
from services.audit.storage import verifications
from shared.web.dependencies import Uow, allowed
from shared.web.pages import render

router = APIRouter()
# What a request can read in a few seconds; the command line verifies all of it.
NEWEST = 20_000


@router.get("/verification", dependencies=[allowed("audit.verification.read")])
def verification(request: Request, uow: Uow) -> HTMLResponse:
    """Show the newest verifications."""
    runs = verifications.latest(uow.connection)
    return render(
        request,
        "verification.html",
        runs=runs,
        trust=trust(uow),
        verifier_key=keys_of(request).signer().verifier.encode(),
        newest=NEWEST,
    )


@router.post("/verification", dependencies=[allowed("audit.verification.run")])
def run(request: Request, uow: Uow) -> RedirectResponse:
    """Verify the newest part of the log now."""
    report = verify(request.app.state.engine, keys_of(request), newest=NEWEST, clock=uow.clock)
    record(uow, report)
    return RedirectResponse("/audit/verification", 303)
