"""What somebody searches the log for, where the house asks: said once a session, recorded with every search."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from pydantic import Field

from services.audit.search_views import address
from shared.asking import MAX_TEXT
from shared.errors import InvalidError
from shared.web.dependencies import allowed
from shared.web.forms import FormModel

router = APIRouter(include_in_schema=False)
COOKIE, HEADER = "tamga_log_purpose", "x-tamga-purpose"
MAX_PURPOSE = 200


class PurposeForm(FormModel):
    purpose: Annotated[str, Field(max_length=MAX_PURPOSE)] = ""
    q: Annotated[str, Field(max_length=MAX_TEXT)] = ""


@router.post("/purpose", dependencies=[allowed("audit.log.search")])
def say(request: Request, form: Annotated[PurposeForm, Form()]) -> RedirectResponse:
    """Remember the purpose for this session of the browser."""
    if not form.purpose.strip():
        raise InvalidError({"purpose": "is required"})
    answer = RedirectResponse(address(form.q), 303)
    secure = request.app.state.settings.base_url.startswith("https:")
    answer.set_cookie(
        COOKIE, quote(form.purpose.strip()), path="/audit", httponly=True, samesite="strict", secure=secure
    )
    return answer


def purpose_of(request: Request) -> str | None:
    """Return what a page's reader searches for: None where the house does not ask, "" where it was not said yet."""
    if not request.app.state.settings.log_asks_purpose:
        return None
    return unquote(request.cookies.get(COOKIE, "")).strip()[:MAX_PURPOSE]


def purpose_of_program(request: Request) -> str | None:
    """Return what a program searches for, as its header says; raises InvalidError where the house asks in vain."""
    if not request.app.state.settings.log_asks_purpose:
        return None
    said = unquote(request.headers.get(HEADER, "")).strip()[:MAX_PURPOSE]
    if not said:
        raise InvalidError({HEADER: "is required"})
    return said
