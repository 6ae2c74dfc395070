"""What the home page says about proposals and referrals, by this person's roles."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from services.loans import storage
from services.loans.handlers import access
from services.loans.pages import words
from shared.i18n import translate
from shared.web.dependencies import Reader, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render
from shared.web.parts import Figure, Line

router = APIRouter(include_in_schema=False)
NEWEST = 3
FOLDERS = {
    "overdue": ("Answers that are late", "bad"),
    "new": ("New referrals", "go"),
    "analysis": ("Referrals in analysis", ""),
    "waiting": ("Referrals that wait for the applicant", ""),
    "offered": ("Offers made", ""),
}
GUARANTEES = {
    "requested": ("Guarantees to decide", "go"),
    "approved": ("Guarantees for the second person", "go"),
    "claimed": ("Claims to approve", "bad"),
    "claim_approved": ("Claims to pay", "bad"),
}


@router.get("/fragments/home", dependencies=[allowed("loans.home.read")])
def home(request: Request, who: Who, connection: Reader) -> HTMLResponse:
    """Give a bank its folders, a firm its proposals."""
    figures = _folders(request, connection, who) if "finance_partner" in who.roles else []
    if "guarantor" in who.roles:
        figures += _guarantees(connection, who)
    lines = _own(connection, who) if "applicant" in who.roles else []
    return render(request, "home_part.html", figures=figures, cases=lines)


def _folders(request: Request, connection: Connection, who: Identity) -> list[Figure]:
    today = access.local_day(request.app.state.clock())
    counts = storage.inbox_counts(connection, who.organisation or "", today)
    figures = [
        Figure(label, counts[folder], f"/loans/referrals?folder={folder}", tone)
        for folder, (label, tone) in FOLDERS.items()
    ]
    teasers = storage.teaser_counts(connection, who.organisation or "", today).get("shown", 0)
    return [*figures, Figure("New teasers", teasers, "/loans/teasers?folder=shown", "go")]


def _guarantees(connection: Connection, who: Identity) -> list[Figure]:
    """Return what waits for a guarantor's people."""
    counts = storage.guarantee_counts(connection, who.organisation or "")
    waiting = storage.facilities_waiting(connection, who.organisation or "")
    return [
        *(
            Figure(label, counts.get(stage, 0), f"/loans/guarantees?stage={stage}", tone)
            for stage, (label, tone) in GUARANTEES.items()
        ),
        Figure("Facilities for the second person", waiting, "/loans/facilities", "go"),
    ]


def _own(connection: Connection, who: Identity) -> list[Line]:
    if who.organisation is None:
        return []
    found = []
    for row in storage.proposal_rows(connection, organisation=who.organisation, limit=NEWEST).items:
        label, tone = words.STAGES.get(row.stage, (row.stage, ""))
        found.append(Line(row.id, row.title, f"/loans/proposals/{row.id}", translate("loans", label), tone))
    return found
