"""Signing in and out, and the language of somebody who may not have signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.portal.frontdoor import cookie_name, session_token
from services.portal.handlers import accounts, sessions
from services.portal.pages.home import LANDING
from shared.database import UnitOfWork
from shared.i18n import Locale
from shared.settings import Settings
from shared.web.dependencies import MaybeWho, Uow, allowed
from shared.web.forms import FormModel
from shared.web.middleware import LANGUAGE_COOKIE
from shared.web.pages import render
from shared.web.redirects import local_path

router = APIRouter()
YEAR = 365 * 24 * 3600


class SignInForm(FormModel):
    """Who wants to come in, and where to."""

    # A password may begin or end with a blank.
    model_config = FormModel.model_config | {"str_strip_whitespace": False}

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=1024)]
    next: str = "/"


@router.get("/sign-in", dependencies=[allowed("portal.signin.use")])
def sign_in_page(request: Request, who: MaybeWho, next: str = "/", ended: str = "") -> Response:  # noqa: A002 - its name in the address
    if who is not None:
        return RedirectResponse(local_path(next), 303)
    return _page(request, target=local_path(next), ended=ended)


def _page(
    request: Request, *, target: str, ended: str = "", email: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    return render(
        request,
        "sign_in.html",
        status_code=status,
        target=target,
        ended=ended or ("page" if target != "/" and not problem else ""),
        email=email,
        problem=problem,
    )


@router.post("/sign-in", dependencies=[allowed("portal.signin.use")])
def sign_in(request: Request, form: Annotated[SignInForm, Form()], uow: Uow) -> Response:
    settings: Settings = request.app.state.settings
    outcome = sessions.sign_in(
        uow,
        form.email,
        form.password,
        address=request.client.host if request.client else "",
        agent=request.headers.get("user-agent", ""),
        former=session_token(request.headers, settings),
    )
    target = local_path(form.next)
    if isinstance(outcome, sessions.Refused):
        return _refused(request, outcome, target, form.email)
    return let_in(settings, outcome, target)


def let_in(settings: Settings, signed_in: sessions.SignedIn, target: str = "/") -> RedirectResponse:
    """Lead somebody who has just signed in to their page, with the session's cookie."""
    roles = signed_in.user.roles
    landing = LANDING[roles[0]] if target == "/" and len(roles) == 1 else target
    response = RedirectResponse(landing, 303)
    secure = settings.base_url.startswith("https://")
    response.set_cookie(cookie_name(settings), signed_in.token, path="/", httponly=True, secure=secure, samesite="lax")
    response.set_cookie(
        LANGUAGE_COOKIE, signed_in.user.locale, max_age=YEAR, path="/", httponly=True, secure=secure, samesite="lax"
    )
    return response


def _refused(request: Request, outcome: sessions.Refused, target: str, email: str) -> Response:
    if outcome.wait is None:
        return _page(request, target=target, email=email, problem="wrong", status=401)
    seconds = max(1, round(outcome.wait.total_seconds()))
    response = _page(request, target=target, email=email, problem="wait", status=429)
    response.headers["retry-after"] = str(seconds)
    return response


@router.post("/sign-out", dependencies=[allowed("portal.session.close")])
def sign_out(request: Request, _: Annotated[FormModel, Form()], uow: Uow) -> Response:
    settings: Settings = request.app.state.settings
    if token := session_token(request.headers, settings):
        sessions.sign_out(uow, token)
    response = RedirectResponse("/sign-in?ended=out", 303)
    response.delete_cookie(cookie_name(settings), path="/", httponly=True, samesite="lax")
    return response


class LanguageForm(FormModel):
    """A language, and the page to come back to."""

    language: Locale
    next: str = "/"


@router.post("/language", dependencies=[allowed("portal.language.choose")])
def choose_language(request: Request, form: Annotated[LanguageForm, Form()], who: MaybeWho, uow: Uow) -> Response:
    _remember(uow, who.user if who else None, form.language)
    response = RedirectResponse(local_path(form.next), 303)
    secure = request.app.state.settings.base_url.startswith("https://")
    response.set_cookie(
        LANGUAGE_COOKIE, form.language, max_age=YEAR, path="/", httponly=True, secure=secure, samesite="lax"
    )
    return response


def _remember(uow: UnitOfWork, user_id: str | None, language: Locale) -> None:
    if user_id is not None:
        accounts.choose_language(uow, user_id, language)
