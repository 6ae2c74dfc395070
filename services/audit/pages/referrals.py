"""The record of a bank's referrals: a list, when what happened, and proofs."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from services.audit import labels
from services.audit.handlers import referrals
from services.audit.keys import Keys
from services.audit.query import before
from services.audit.views import is_own
from shared.web.dependencies import Uow, Who, allowed
from shared.web.pages import render
from shared.web.paging import decode_cursor

router = APIRouter()
READ = allowed("audit.referral.read")
Cursor = Annotated[str, Query(max_length=200)]
Reference = Annotated[str, Path(max_length=80)]


@router.get("/referrals", dependencies=[READ])
def listed(request: Request, who: Who, uow: Uow, cursor: Cursor = "") -> HTMLResponse:
    """Show the referrals to this person's bank."""
    page = referrals.referrals(uow, who, before=before(decode_cursor(cursor, 1)))
    return render(request, "referrals.html", page=page, labels=labels)


@router.get("/referrals/{referral}", dependencies=[READ])
def referral(request: Request, referral: Reference, who: Who, uow: Uow) -> HTMLResponse:
    """Show when what happened to a referral, as far as the bank took part."""
    rows = referrals.open_referral(uow, who, referral)
    acts = [{"row": row, "own": is_own(row, who.organisation)} for row in rows]
    return render(request, "referral.html", referral=referral, acts=acts, labels=labels)


@router.get("/api/referrals/{referral}/events/{event_id}/proof", dependencies=[READ])
def proof(request: Request, referral: Reference, event_id: UUID, who: Who, uow: Uow) -> dict[str, Any]:
    """Return the inclusion proof of an act of a referral to this bank, under a signed checkpoint.

    `leaf` is null where somebody else's people acted.
    """
    return referrals.prove(uow, who, referral, event_id, Keys.of(request.app.state.settings))
