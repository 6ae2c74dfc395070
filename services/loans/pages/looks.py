"""The page on which a firm reads which bank looked at what, when, and through which way."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from services.loans.handlers import looks
from services.loans.pages import words
from services.loans.pages.sections import labels
from shared.web.dependencies import Uow, Who, allowed
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
WAYS = {
    "page": "Page",
    "api": "Data interface",
    "match": "Product match",
    "document": "Document",
    "link": "Link in a letter",
}
ROLES = {"finance_partner": "Finance partner"}


@router.get("/proposals/{reference}/looks", dependencies=[allowed("loans.proposal.looks")])
def read(  # noqa: PLR0917 - what the list is asked for
    request: Request,
    reference: str,
    who: Who,
    uow: Uow,
    referral: Annotated[str, Query(max_length=80)] = "",
    cursor: str | None = None,
) -> HTMLResponse:
    found = looks.looked(uow, who, reference, referral=referral, cursor=cursor)
    return render(
        request,
        "looks.html",
        proposal=found.proposal,
        page=found.page,
        banks=found.banks,
        most=max((row.looks for row in found.banks), default=1),
        chosen=next((row.bank_name for row in found.banks if row.referral == referral), referral),
        reads_proposal=who.organisation != found.proposal.adviser() or who.organisation == found.proposal.organisation,
        shown=said,
        ways=WAYS,
        roles=ROLES,
    )


def said(fields: list[str]) -> str:
    """Return whole blocks and single fields in words."""
    if set(fields) == set(words.BLOCKS):
        return words.say("Everything")
    known = labels()
    return ", ".join(words.say(words.BLOCKS.get(name) or known.get(name, name)) for name in fields)
