"""The appeal against a rejection, for people and machines."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from services.grants.handlers import appealing
from services.grants.handlers.base import Command
from services.grants.pages.common import CasePage, back, case_path, show
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel, invalid
from shared.web.identity import Identity

router = APIRouter()
C = TypeVar("C", bound=Command)
PAGE, API = "/applications/{reference}/appeal", "/api/applications/{reference}/appeal"


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    found = appealing.standing(uow, who, reference)
    page = CasePage(request, uow, who, found.application)
    policy, appeal = request.app.state.policy, found.appeal
    mine = appeal is not None and f"user:{who.user}" in appeal.rejected_by
    context = page.context("appeal") | {
        "appeal": appeal,
        "until": found.until,
        "late": found.late,
        "may_lodge": not page.inside and appeal is None and found.until is not None and not found.late,
        "may_decide": bool(page.inside and appeal and not appeal.outcome and policy.scopes(appealing.DECIDE, who)),
        "mine": mine,
        "rules": page.frame.pack.closeout.appeals,
        "errors": {},
        "given": {},
    }
    return show(request, "appeal.html", **(context | more))


@router.get(PAGE, dependencies=[allowed(appealing.READ)])
def shown(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the appeal, or until when one may be made."""
    return _page(request, uow, who, reference)


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    more = {"conflict": problem, "given": request.state.typed, "status_code": 409}
    return _page(request, uow, who, request.path_params["reference"], **more)


class LodgeForm(FormModel):
    """The form that appeals."""

    grounds: str = ""


class DecideForm(FormModel):
    """The form that decides an appeal."""

    outcome: str
    code: str = ""
    words: str = ""
    version: int


def _command(kind: type[C], form: FormModel) -> C:
    try:
        return kind.model_validate(form.model_dump(exclude={"csrf"}))
    except ValidationError as error:
        raise invalid(error) from error


@router.post(PAGE, dependencies=[stay(_stays), allowed(appealing.LODGE)], response_model=None)
def lodge(request: Request, reference: str, form: Annotated[LodgeForm, Form()], who: Who, uow: Uow) -> Response:
    """Appeal; refused, the words come back as they were typed."""
    try:
        appealing.lodge(uow, who, reference, _command(appealing.LodgeAppeal, form))
    except InvalidError as error:
        uow.abandon()
        more = {"errors": error.fields, "given": form.model_dump(), "status_code": 422}
        return _page(request, uow, who, reference, **more)
    return back(case_path(reference, "appeal"))


@router.post(PAGE + "/decision", dependencies=[stay(_stays), allowed(appealing.DECIDE)], response_model=None)
def decide(request: Request, reference: str, form: Annotated[DecideForm, Form()], who: Who, uow: Uow) -> Response:
    """Decide the appeal; refused, the words come back as they were typed."""
    try:
        appealing.decide(uow, who, reference, _command(appealing.DecideAppeal, form))
    except InvalidError as error:
        uow.abandon()
        more = {"errors": error.fields, "given": form.model_dump(), "status_code": 422}
        return _page(request, uow, who, reference, **more)
    return back(case_path(reference, "appeal"))


def _view(found: appealing.Standing) -> dict[str, Any]:
    appeal = found.appeal
    said = appeal.state() | {"version": appeal.version} if appeal else None
    return {"appeal": said, "until": found.until.isoformat() if found.until else None}


@router.get(API, dependencies=[allowed(appealing.READ)])
def read(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return the appeal, and until when one may be made."""
    return _view(appealing.standing(uow, who, reference))


@router.post(API, status_code=201, dependencies=[allowed(appealing.LODGE)])
def lodge_by_machine(reference: str, command: appealing.LodgeAppeal, who: Who, uow: Uow) -> dict[str, Any]:
    """Appeal against the rejection."""
    appealing.lodge(uow, who, reference, command)
    uow.flush()
    return _view(appealing.standing(uow, who, reference))


@router.post(API + "/decision", dependencies=[allowed(appealing.DECIDE)])
def decide_by_machine(reference: str, command: appealing.DecideAppeal, who: Who, uow: Uow) -> dict[str, Any]:
    """Grant the appeal or refuse it."""
    appealing.decide(uow, who, reference, command)
    uow.flush()
    return _view(appealing.standing(uow, who, reference))
