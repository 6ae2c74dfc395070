"""Pages of lists: the officers' queue, an organisation's own applications, calls, payments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.grants.handlers import applying, listing
from services.grants.pages.common import Words, back, case_path, show
from services.grants.pages.rows import now_of, rows_shown
from services.grants.storage import reads
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel

router = APIRouter()


@router.get("/mine", dependencies=[allowed("grants.application.mine")])
def mine(request: Request, who: Who, connection: Reader, q: Words = "", cursor: str | None = None) -> HTMLResponse:
    """Show one's own organisation's applications in plain words."""
    page = listing.mine(connection, who, cursor, q=q.strip())
    packs = {name: listing.latest(connection, name) for name in {row["programme"] for row in page.items}}
    rows = [item for row in page.items for item in rows_shown(request, [row], packs[row["programme"]], public=True)]
    return show(request, "mine.html", rows=rows, page=page, q=q.strip())


@router.get("/calls", dependencies=[allowed("grants.call.read")])
def calls(request: Request, connection: Reader) -> HTMLResponse:
    """Show the calls."""
    rows = reads.calls(connection)
    packs = {name: listing.latest(connection, name) for name in {row["programme"] for row in rows}}
    known = [(row, pack) for row in rows if (pack := packs[row["programme"]]) and row["id"] in pack.calls]
    found = [dict(row) | {"call": pack.calls[row["id"]], "now": now_of(request, pack)} for row, pack in known]
    return show(request, "calls.html", calls=found)


@router.get("/calls/{call}", dependencies=[allowed("grants.call.read")])
def call(request: Request, call: str, who: Who, connection: Reader) -> HTMLResponse:
    """Show one call: what it is for, what it asks, and the way to apply."""
    found, pack = listing.call_seen(connection, call)
    may = "applicant" in who.roles and who.organisation is not None
    return show(
        request,
        "call.html",
        call=found,
        programme_name=pack.name,
        is_open=found.is_open(now_of(request, pack)),
        may=may,
        other=applying.for_others(connection, who.organisation, found.eligibility.kinds) if may else None,
    )


@router.post("/calls/{call}/applications", dependencies=[allowed("grants.application.start")])
def start(call: str, _form: Annotated[FormModel, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Start a draft and go to its form."""
    application = applying.start(uow, who, applying.StartApplication(call=call))
    return back(case_path(application.id, "form"))


@router.get("/payments", dependencies=[allowed("grants.payment.list")])
def payments(  # noqa: PLR0917 - a query as long as its filters
    request: Request, who: Who, connection: Reader, every: bool = False, programme: str = "", cursor: str | None = None
) -> HTMLResponse:
    """Show tranches that wait for finance."""
    page = listing.payments(connection, who, programme=programme, every=every, cursor=cursor)
    return show(request, "payments.html", awards=page.items, page=page, every=every)
