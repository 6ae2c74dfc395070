"""Where a one-time link leads: choosing a password, which is also the first sign-in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field

from services.portal.domain import User
from services.portal.handlers import links
from services.portal.pages.gate import let_in
from shared.errors import InvalidError
from shared.web.dependencies import Uow, allowed
from shared.web.forms import FormModel
from shared.web.pages import render

router = APIRouter()
Token = Annotated[str, Path(min_length=20, max_length=100)]


class ChosenPassword(FormModel):
    """The new password twice."""

    # A password may begin or end with a blank.
    model_config = FormModel.model_config | {"str_strip_whitespace": False}

    password: Annotated[str, Field(max_length=1024)] = ""
    again: Annotated[str, Field(max_length=1024)] = ""


def _page(request: Request, user: User, token: str, errors: dict[str, str]) -> HTMLResponse:
    status = 422 if errors else 200
    return render(request, "welcome.html", status_code=status, user=user, token=token, errors=errors)


@router.get("/welcome/{token}", dependencies=[allowed("portal.signin.use")])
def welcome(request: Request, token: Token, uow: Uow) -> HTMLResponse:
    # Only looked at: a mail filter that follows links must not use it up.
    return _page(request, links.owner(uow, token), token, {})


@router.post("/welcome/{token}", dependencies=[allowed("portal.signin.use")], response_model=None)
def choose(
    request: Request, token: Token, form: Annotated[ChosenPassword, Form()], uow: Uow
) -> HTMLResponse | RedirectResponse:
    user = links.owner(uow, token)
    if form.password != form.again:
        return _page(request, user, token, {"again": "is not the same as the new password"})
    address = request.client.host if request.client else ""
    try:
        signed_in = links.use(uow, token, form.password, address=address, agent=request.headers.get("user-agent", ""))
    except InvalidError as error:
        return _page(request, user, token, error.fields)
    return let_in(request.app.state.settings, signed_in)
