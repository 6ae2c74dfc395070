"""Where a link of a letter leads: a page that asks, and a button that does it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from services.loans.handlers import links
from services.loans.pages import forms
from shared.database import UnitOfWork
from shared.errors import InvalidError, TamgaError
from shared.events.fields import Line, Prose
from shared.pace import Pace
from shared.web.dependencies import Uow, allowed
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
Token = Annotated[str, Path(min_length=20, max_length=100)]
# An address may try so many links at once, and one in two seconds after that.
PACE = Pace(burst=30, a_second=0.5)


class LinkForm(forms.VersionedForm):
    text: Prose = ""
    reasons: list[Line] = []


class TooOftenError(TamgaError):
    """One address tries links more often than people read letters."""

    type = "too-many-requests"
    status = 429
    title = "Too many tries"


def _paced(request: Request) -> None:
    if not PACE.lets(request.client.host if request.client else "", time.monotonic()):
        raise TooOftenError("Wait a minute, then open the link again")


@router.get("/links/{token}", dependencies=[allowed("loans.link.use")])
def look(request: Request, token: Token, uow: Uow) -> HTMLResponse:
    # Only looked at: a mail filter that follows links must do nothing.
    _paced(request)
    return _page(request, uow, token)


def _page(request: Request, uow: UnitOfWork, token: str, **more: Any) -> HTMLResponse:
    found = links.look(uow, token)
    locale = request.state.locale
    return render(
        request,
        "link.html",
        status_code=422 if "errors" in more else 200,
        token=token,
        purpose=found.purpose,
        reader=found.row.name,
        referral=found.referral,
        reasons=[(item.code, item.said(locale)) for item in found.finance.decline_reasons],
        **({"chosen": []} | more),
    )


@router.post("/links/{token}", dependencies=[allowed("loans.link.use")])
def use(request: Request, token: Token, posted: forms.Posted, uow: Uow) -> HTMLResponse:
    _paced(request)
    try:
        form = forms.parsed(LinkForm, posted)
        if links.look(uow, token).purpose == "question" and not form.text:
            raise InvalidError({"text": "is required"})  # noqa: TRY301 - shown at its field like every other
        reference = links.use(uow, token, form.version, form.text, form.reasons)
    except InvalidError as error:
        uow.abandon()
        given = forms.posted_values(posted)
        return _page(request, uow, token, errors=error.fields, given=given, chosen=posted.getlist("reasons"))
    return render(request, "link_done.html", reference=reference)
