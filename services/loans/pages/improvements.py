"""Pages of improvement plans: what to do after a decline, and what it came to, by case and by programme."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field
from starlette.datastructures import FormData

from services.loans import storage
from services.loans.domain.improvement import Task
from services.loans.domain.scoring import FIGURES
from services.loans.handlers import access, improvements
from services.loans.handlers.improvements import Opened
from services.loans.pages import forms, words
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Line, Prose
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
# Each figure's word; a share is said in per cent, the years as a whole number.
LABELS = {
    "dscr": "Debt service cover, lowest year",
    "own_share": "Own share",
    "collateral_coverage": "Collateral coverage",
    "current_ratio": "Current ratio",
    "debt_to_equity": "Debt to equity",
    "history_years": "Years of accounts",
}


class TaskForm(forms.VersionedForm):
    text: Annotated[Line, Field(min_length=1)]
    by: Literal["applicant", "officer"] = "applicant"
    due: date


class FinishForm(forms.VersionedForm):
    evidence: Annotated[Prose, Field(min_length=1)]
    document: Line = ""


@router.get("/improvements", dependencies=[allowed("loans.improvement.list")])
def read_all(request: Request, who: Who, connection: Reader, cursor: str | None = None) -> HTMLResponse:
    return render(
        request,
        "improvements.html",
        page=storage.improvement_rows(connection, who.programmes, cursor=cursor),
        lifts=storage.lift(connection, who.programmes),
        stages=words.STAGES,
        today=request.app.state.clock().date(),
    )


@router.get("/improvements/{reference}", dependencies=[allowed("loans.improvement.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    opened = improvements.open_improvement(uow, who, reference)
    locale = request.state.locale
    reasons = {item.code: item.said(locale) for item in opened.finance.decline_reasons}
    return render(
        request,
        "improvement.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        opened=opened,
        plan=opened.plan,
        reasons=[reasons.get(code, code) for code in opened.plan.reasons],
        tasks=[(item, _said(item.task, opened, locale)) for item in opened.tasks],
        figures=[(name, LABELS[name], opened.plan.before.figure(name), opened.now.figure(name)) for name in FIGURES],
        sides={"applicant": "The firm", "officer": "Programme officer"},
        stages=words.STAGES,
        today=access.today(uow),
        move_names=words.move_names(),
        **({"conflict": None, "done": ""} | more),
    )


def _said(task: Task, opened: Opened, locale: str) -> str:
    """Return what a task says: its own words, the bank's floor, or the rule that is not met."""
    if task.name:
        return task.name.get(locale) or task.name["en"]
    if task.source == "bank":
        return words.say("The bank's own floor: %(figure)s", {"figure": words.say(LABELS[task.figure]).lower()})
    block = next((rule.block for rule in opened.finance.readiness if rule.code == task.rule), "")
    return words.say(
        "The programme's rule is not met: %(block)s", {"block": words.say(words.BLOCKS.get(block, task.rule))}
    )


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed)


WORK = [stay(_stays), allowed("loans.improvement.work")]


def _do(
    *, request: Request, uow: UnitOfWork, who: Identity, reference: str, posted: FormData, act: Callable[[], object]
) -> Response:
    """Do one act and show the plan; a form with mistakes comes back with what was typed."""
    try:
        act()
    except InvalidError as error:
        done = request.path_params.get("code", "add")
        return _page(request, uow, who, reference, errors=error.fields, given=forms.posted_values(posted), done=done)
    return seen(f"/loans/improvements/{reference}")


@router.post("/improvements/{reference}/tasks", dependencies=WORK)
def add_task(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        form = forms.parsed(TaskForm, posted)
        task = improvements.NewTask(text=form.text, by=form.by, due=form.due)
        improvements.add_task(uow, who, reference, task, version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/improvements/{reference}/tasks/{code}/evidence", dependencies=WORK)
def finish(request: Request, reference: str, code: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:  # noqa: PLR0917
    def act() -> None:
        form = forms.parsed(FinishForm, posted)
        improvements.finish_task(uow, who, reference, code, form.evidence, form.document, version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/improvements/{reference}/tasks/{code}/reopening", dependencies=WORK)
def reopen(reference: str, code: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    improvements.reopen_task(uow, who, reference, code, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/improvements/{reference}")
