"""Whether the log can be trusted: what was verified, when, and what was found."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.audit.handlers.verification import record, verify
from services.audit.pages.explorer import keys_of, trust
from services.audit.signer.client import SignerSilentError
from services.audit.storage import verifications
from shared.web.dependencies import Uow, allowed
from shared.web.pages import render

router = APIRouter()
# What a request can read in a few seconds; the command line verifies all of it.
NEWEST = 20_000


def _keys_told(request: Request) -> list[str]:
    """Return the log's key, before former ones; none as long as the signer has never told it."""
    try:
        return [key.encode() for key in keys_of(request).verifiers]
    except SignerSilentError:
        return []


@router.get("/verification", dependencies=[allowed("audit.verification.read")])
def verification(request: Request, uow: Uow) -> HTMLResponse:
    """Show the newest verifications."""
    runs = verifications.latest(uow.connection)
    return render(
        request,
        "verification.html",
        runs=runs,
        trust=trust(uow),
        verifier_keys=_keys_told(request),
        newest=NEWEST,
    )


@router.post("/verification", dependencies=[allowed("audit.verification.run")])
def run(request: Request, uow: Uow) -> RedirectResponse:
    """Verify the newest part of the log now."""
    report = verify(request.app.state.engine, keys_of(request), newest=NEWEST, clock=uow.clock)
    record(uow, report)
    return RedirectResponse("/audit/verification", 303)
