"""The result of due diligence: capacity assessment, earlier ones to take over, and the conditions that follow."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from services.grants.handlers import capacity as diligence
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.pages.form import Posted
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.kept import keeps_words

router = APIRouter()
CASE = "/applications/{reference}/capacity"
_MOST_DIGITS = 10


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    found = diligence.seen(uow, who, reference)
    page = CasePage(request, uow, who, found.application)
    made = found.capacity
    context = page.context("capacity") | {
        "found": found,
        "made": made,
        "given": {item.question: (item.option, item.note) for item in made.answers} if made else {},
        "dropped": {item.condition: item for item in made.dropped} if made else {},
        "may": found.open and not page.barred and bool({"officer", "programme_manager"} & set(page.roles)),
        "errors": {},
    }
    return show(request, "capacity.html", **(context | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    typed = _given(request.state.typed)
    more: dict[str, Any] = {"given": typed} if typed else {}
    return _page(request, uow, who, request.path_params["reference"], conflict=problem, status_code=409, **more)


STAY = stay(_stays)


def _given(fields: FormData | dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return {question: (option, note)} as it was typed."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in fields.items():
        kind, _, question = name.partition(".")
        if kind in {"option", "note"} and question:
            option, note = found.get(question[:80], ("", ""))
            found[question[:80]] = (str(value), note) if kind == "option" else (option, str(value).strip())
    return found


@router.get(CASE, dependencies=[allowed("grants.capacity.read")])
def capacity(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the assessment, what may be taken over, and the conditions that an agreement gets."""
    return _page(request, uow, who, reference)


@router.post(CASE, dependencies=[STAY, allowed("grants.capacity.assess")])
@keeps_words
def assess(request: Request, reference: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Keep the answers, or finish; refused, the form comes back as it was filled."""
    given, version = _given(fields), str(fields.get("version", ""))
    try:
        diligence.assess(uow, who, reference, _command(given, version, finish=fields.get("go") == "finish"))
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, reference, given=given, errors=error.fields, status_code=422)
    return back(case_path(reference, "capacity"))


def _command(given: dict[str, tuple[str, str]], version: str, *, finish: bool) -> diligence.Assess:
    if not (version.isascii() and version.isdecimal() and len(version) < _MOST_DIGITS):
        raise InvalidError({"version": "is not a whole number"})
    answers = {name: diligence.Given(option=option, note=note) for name, (option, note) in given.items()}
    return diligence.Assess(answers=answers, finish=finish, version=int(version))


class TakingOverForm(FormModel):
    """The button that takes an earlier assessment over."""

    source: str
    version: int = 0


@router.post(CASE + "/taking-over", dependencies=[STAY, allowed("grants.capacity.assess")])
def take_over(reference: str, form: Annotated[TakingOverForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Take an earlier assessment over."""
    diligence.take_over(uow, who, reference, diligence.TakeOver(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference, "capacity"))
