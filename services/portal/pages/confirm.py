"""The page that asks for the password again, and leads on to what was being done, with nothing lost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from services.portal.frontdoor import cookie_name
from services.portal.handlers import confirming
from services.portal.handlers.sessions import Refused
from shared.settings import Settings
from shared.web.confirming import PREFIX
from shared.web.dependencies import Uow, Who, allowed
from shared.web.pages import render
from shared.web.redirects import local_path

router = APIRouter()
CONFIRM = [allowed("portal.session.confirm")]


@router.get("/confirm", dependencies=CONFIRM)
def ask(request: Request, next: str = "/") -> Response:  # noqa: A002 - its name in the address
    return render(request, "confirm.html", fields=[], to=local_path(next), problem="")


async def posted(request: Request) -> FormData:
    """Return the form, whose fields are those of the form that was interrupted."""
    return await request.form()


@router.post("/confirm", dependencies=CONFIRM)
def confirm(request: Request, who: Who, uow: Uow, form: Annotated[FormData, Depends(posted)]) -> Response:
    password = str(form.get("password", ""))[:1024]
    pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    fields = [(name.removeprefix(PREFIX), value) for name, value in pairs if name.startswith(PREFIX)]
    to = local_path(str(form.get("to", "")))
    outcome = confirming.confirm(uow, who, password, address=request.client.host if request.client else "")
    if isinstance(outcome, Refused):
        problem, status = ("wait", 429) if outcome.wait else ("wrong", 401)
        return render(request, "confirm.html", fields=fields, to=to, problem=problem, status_code=status)
    response: Response = RedirectResponse(to, 303)
    if fields:
        response = render(request, "confirmed.html", fields=fields, to=to)
    settings: Settings = request.app.state.settings
    if outcome:
        secure = settings.base_url.startswith("https://")
        response.set_cookie(cookie_name(settings), outcome, path="/", httponly=True, secure=secure, samesite="lax")
    return response
