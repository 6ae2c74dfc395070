"""The end of a grant, for people and machines: the closing checklist and what would be due now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.grants.domain.closeout import Outcome, Point
from services.grants.handlers import closing
from services.grants.pages.common import CasePage, back, case_path, show, spoken
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity

router = APIRouter()
PAGE, API = "/applications/{reference}/closeout", "/api/applications/{reference}/closeout"


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    found = closing.standing(uow, who, reference)
    page = CasePage(request, uow, who, found.application)
    context = page.context("closeout") | {
        "points": [(point, _said(page, point)) for point in found.points],
        "due": found.settlement,
        "used": found.used,
        "terminable": bool(page.frame.pack.closeout.termination.moves),
        "version": found.closeout.version if found.closeout else 0,
        "may_answer": found.open and bool(request.app.state.policy.scopes(closing.ANSWER, who)),
        "errors": {},
        "given": {},
    }
    return show(request, "closeout.html", **(context | more))


def _said(page: CasePage, point: Point) -> str:
    """Return the figures of a point that a fact proves; of an answered one its page has the answer."""
    if point.said is None or point.item.proof is None:
        return ""
    return spoken(page.frame, point.said, page.request.state.locale)


@router.get(PAGE, dependencies=[allowed(closing.READ)])
def shown(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show what is done and what is missing before the grant can be closed, with figures."""
    return _page(request, uow, who, reference)


class AnswerForm(FormModel):
    """The form that answers a point."""

    answer: Outcome
    note: str = ""
    version: int


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    given = request.state.typed | {"item": request.path_params["item"]}
    more = {"conflict": problem, "given": given, "status_code": 409}
    return _page(request, uow, who, request.path_params["reference"], **more)


@router.post(PAGE + "/{item}", dependencies=[stay(_stays), allowed(closing.ANSWER)], response_model=None)
def answer(  # noqa: PLR0917 - what FastAPI gives
    request: Request, reference: str, item: str, form: Annotated[AnswerForm, Form()], who: Who, uow: Uow
) -> Response | RedirectResponse:
    """Answer a point; refused, the note comes back as it was typed."""
    said = form.model_dump(exclude={"csrf"})
    try:
        closing.answer(uow, who, reference, item, closing.AnswerPoint.model_validate(said))
    except InvalidError as error:
        uow.abandon()
        given = {"item": item, "note": form.note, "answer": form.answer}
        return _page(request, uow, who, reference, errors=error.fields, given=given, status_code=422)
    return back(case_path(reference, "closeout"))


@router.get(API, dependencies=[allowed(closing.READ)])
def listed(reference: str, who: Who, uow: Uow) -> Mapping[str, object]:
    """Return the checklist with figures, and what would be due if the grant ended now."""
    return closing.view(closing.standing(uow, who, reference))


@router.post(API + "/{item}", dependencies=[allowed(closing.ANSWER)])
def answer_by_machine(
    reference: str, item: str, command: closing.AnswerPoint, who: Who, uow: Uow
) -> Mapping[str, object]:
    """Answer a point of the checklist with a note."""
    closing.answer(uow, who, reference, item, command)
    uow.flush()
    return closing.view(closing.standing(uow, who, reference))
