"""Pages of an adviser: the firms at a glance, and one firm with contacts and the next step."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from services.loans.domain.advice import Step
from services.loans.handlers import access, cases
from services.loans.handlers.cases import Case
from services.loans.pages import fees as fee_pages
from services.loans.pages import forms, words
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Day, Line, Prose
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
Sort = Literal["due", "contact", "changed", "name"]
Stage = Literal["", "draft", "locked"]
SORTS = {"due": "What is due first", "contact": "Longest without contact", "changed": "Newest change", "name": "Name"}
HOWS = {"visit": "visit", "meeting": "meeting", "call": "call", "letter": "letter or message"}
DUES = {"step": "Agreed step", "plan": "Improvement plan", "bank": "The bank's answer"}
SIDES = {"firm": "The firm", "adviser": "The adviser"}


class ContactForm(FormModel):
    version: Annotated[int, Field(ge=0)]
    on: date
    how: Literal["visit", "meeting", "call", "letter"] = "visit"
    note: Annotated[Prose, Field(min_length=1)]
    step: Line = ""
    side: Literal["firm", "adviser"] = "firm"
    due: Day = None

    def agreed(self) -> Step | None:
        """Return the step, if one is agreed; raises InvalidError when it is half told."""
        if not self.step and self.due is None:
            return None
        if self.due is None:
            raise InvalidError({"due": "is required"})
        return Step(text=self.step, side=self.side, due=self.due)


@router.get("/cases", dependencies=[allowed("loans.case.list")])
def read_all(
    *,
    request: Request,
    who: Who,
    uow: Uow,
    sort: Sort = "due",
    stage: Stage = "",
    late: bool = False,
    q: Annotated[str, Query(max_length=200)] = "",
    adviser: Annotated[str, Query(max_length=80)] = "",
    cursor: str | None = None,
) -> HTMLResponse:
    chosen, advisers = cases.adviser_of(uow, who, adviser)
    asked = cases.Asked(sort=sort, stage=stage, late=late, q=q, cursor=cursor)
    page = cases.cases(uow, who, chosen, asked)
    return render(
        request,
        "cases.html",
        page=page,
        asked=asked,
        adviser=chosen,
        advisers=advisers,
        sorts=[(code, words.say(text)) for code, text in SORTS.items()],
        stages=words.STAGES,
        fee_stages=fee_pages.STAGES,
        dues=DUES,
        today=access.today(uow),
    )


@router.get("/cases/{organisation}", dependencies=[allowed("loans.case.read")])
def read(
    request: Request, organisation: str, who: Who, uow: Uow, adviser: Annotated[str, Query(max_length=80)] = ""
) -> HTMLResponse:
    return _page(request, uow, who, organisation, adviser=adviser)


def _page(
    request: Request, uow: UnitOfWork, who: Identity, organisation: str, adviser: str = "", **more: Any
) -> HTMLResponse:
    opened = cases.open_case(uow, who, organisation, adviser)
    case: Case = opened.case
    todos = [words.todo_text(item.todo, opened.finance) for item in case.checks if item.todo]
    return render(
        request,
        "case.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        opened=opened,
        case=case,
        advice=opened.advice,
        todos=todos,
        mine=opened.place.side == "adviser",
        stages=words.STAGES,
        dues=DUES,
        hows=HOWS,
        how_choices=[(code, words.say(text)) for code, text in HOWS.items()],
        side_choices=[(code, words.say(text)) for code, text in SIDES.items()],
        side_words=SIDES,
        today=access.today(uow),
        **({"conflict": None} | more),
    )


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    organisation = request.path_params["organisation"]
    return _page(request, uow, who, organisation, conflict=problem, given=request.state.typed)


KEEP = [stay(_stays), allowed("loans.case.keep")]


@router.post("/cases/{organisation}/contacts", dependencies=KEEP)
def contact(request: Request, organisation: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(ContactForm, posted)
        noted = cases.Noted(on=form.on, how=form.how, note=form.note, step=form.agreed())
        cases.contact(uow, who, organisation, noted, version=form.version)
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, organisation, errors=error.fields, given=forms.posted_values(posted))
    return seen(f"/loans/cases/{organisation}")


@router.post("/cases/{organisation}/step/done", dependencies=KEEP)
def finish_step(organisation: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    cases.finish_step(uow, who, organisation, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/cases/{organisation}")
