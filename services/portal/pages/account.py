"""One's own account: language, sessions, password, API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field

from services.portal import storage
from services.portal.handlers import accounts, sessions
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity, must_have_confirmed
from shared.web.pages import render
from shared.web.scopes import NAMES

router = APIRouter()
READ, CHANGE = [allowed("portal.account.read")], [allowed("portal.account.change")]


def _page(
    request: Request,
    who: Identity,
    uow: UnitOfWork,
    *,
    errors: dict[str, str],
    new_key: str = "",
    chosen: KeyForm | None = None,
) -> HTMLResponse:
    user = storage.users(uow).get(who.user, for_update=False)
    return render(
        request,
        "account.html",
        status_code=422 if errors else 200,
        user=user,
        sessions=storage.open_sessions(uow.connection, who.user, uow.now()),
        keys=storage.keys_of(uow.connection, who.user, uow.now()),
        errors=errors,
        new_key=new_key,
        scopes=NAMES if "finance_partner" in who.roles else {},
        chosen=chosen,
        done=request.query_params.get("done", ""),
    )


@router.get("/account", dependencies=READ)
def account(request: Request, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, who, uow, errors={})


class PasswordForm(FormModel):
    """The present password, and the new one twice."""

    model_config = FormModel.model_config | {"str_strip_whitespace": False}

    present: Annotated[str, Field(max_length=1024)] = ""
    password: Annotated[str, Field(max_length=1024)] = ""
    again: Annotated[str, Field(max_length=1024)] = ""


@router.post("/account/password", dependencies=CHANGE, response_model=None)
def change_password(
    request: Request, form: Annotated[PasswordForm, Form()], who: Who, uow: Uow
) -> HTMLResponse | RedirectResponse:
    if form.password != form.again:
        return _page(request, who, uow, errors={"again": "is not the same as the new password"})
    try:
        accounts.change_password(uow, who.user, form.present, form.password, session_id=who.session)
    except InvalidError as error:
        return _page(request, who, uow, errors=error.fields)
    return RedirectResponse("/account?done=password", 303)


class SessionForm(FormModel):
    """Which session to end."""

    session: Annotated[str, Field(min_length=64, max_length=64)]


@router.post("/account/sessions/close", dependencies=CHANGE)
def close_session(form: Annotated[SessionForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    sessions.close_session(uow, who.user, form.session)
    return RedirectResponse("/account?done=session", 303)


class KeyForm(FormModel):
    """What a new key is for."""

    label: Annotated[str, Field(max_length=200)] = ""
    scopes: list[str] = []
    days: int = 365


@router.post("/account/keys", dependencies=CHANGE)
def issue_key(request: Request, form: Annotated[KeyForm, Form()], who: Who, uow: Uow) -> HTMLResponse:
    must_have_confirmed(who, uow.now())
    try:
        key = sessions.issue_key(uow, who.user, form.label, form.scopes, form.days)
    except InvalidError as error:
        return _page(request, who, uow, errors=error.fields, chosen=form)
    return _page(request, who, uow, errors={}, new_key=key)


class RevokeForm(FormModel):
    """Which key to end."""

    key: Annotated[str, Field(max_length=80)]


@router.post("/account/keys/revoke", dependencies=CHANGE)
def revoke_key(form: Annotated[RevokeForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    sessions.revoke_key(uow, who.user, form.key)
    return RedirectResponse("/account?done=key", 303)
