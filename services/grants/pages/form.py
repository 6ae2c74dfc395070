"""The application form: it keeps every word, on its own and when told; then answers are checked and handed in."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.grants.domain.application import Application, BudgetLine
from services.grants.domain.form import MAX_LINES, words
from services.grants.domain.pack import Call
from services.grants.handlers import applying, listing, viewing
from services.grants.pages.common import CasePage, back, case_path, show
from shared.database import UnitOfWork
from shared.errors import InvalidError, NotFoundError, StaleVersionError
from shared.i18n import translate
from shared.money import Money
from shared.web.dependencies import Uow, Who, allowed
from shared.web.errors import partial
from shared.web.forms import rule_of
from shared.web.identity import Identity
from shared.workflow.model import say

router = APIRouter(prefix="/applications/{reference}")
BLANK_LINES = 3
_LINE = re.compile(r"b\.(\d{1,3})\.(line|note|grant|own)")


async def posted(request: Request) -> FormData:
    """Return the fields of a posted form whose names come from the call."""
    return await request.form()


Posted = Annotated[FormData, Depends(posted)]


class Filled:
    """What a posted form says, and what of it can't be read."""

    def __init__(self, form: FormData, currency: str) -> None:
        self.errors: dict[str, str] = {}
        self.currency = currency
        self.version = self._version(form.get("version"))
        self.title = str(form.get("title", "")).strip()
        self.answers: dict[str, str] = {}
        self.go = str(form.get("go", ""))
        rows: dict[int, dict[str, str]] = {}
        for name, value in form.multi_items():
            self._take(name, str(value), rows)
        # Numbered as the form will show them again: without the blank ones between.
        self.raw = [row for _, row in sorted(rows.items()) if any(row.get(name) for name in ("note", "grant", "own"))]
        self.budget = [line for index, raw in enumerate(self.raw) if (line := self._line(index, raw))]

    def _version(self, given: Any) -> int:
        try:
            return int(str(given))
        except ValueError as error:
            raise InvalidError({"version": "is not a whole number"}) from error

    def _take(self, name: str, value: str, rows: dict[int, dict[str, str]]) -> None:
        if name.startswith("a."):
            self.answers[name.removeprefix("a.")] = value.replace("\r\n", "\n").strip()
        elif (match := _LINE.fullmatch(name)) and int(match[1]) < MAX_LINES:
            rows.setdefault(int(match[1]), {})[match[2]] = value.strip()
        elif name not in {"csrf", "version", "title", "go"}:
            self.errors[name[:80]] = "is not a field of this form"

    def _line(self, index: int, raw: dict[str, str]) -> BudgetLine | None:
        grant, own = self._money(index, raw, "grant"), self._money(index, raw, "own")
        if not raw.get("line"):
            self.errors[f"budget.{index}.line"] = "is required"
        if grant is None or own is None or not raw.get("line"):
            return None
        return BudgetLine(line=raw["line"], note=raw.get("note", ""), grant=grant, own=own)

    def _money(self, index: int, raw: dict[str, str], name: str) -> Money | None:
        try:
            return Money.model_validate({"amount": raw.get(name) or "0", "currency": self.currency})
        except ValidationError as error:
            self.errors[f"budget.{index}.{name}"] = rule_of(error.errors()[0])
            return None


def _rows(call: Call, application: Application, filled: Filled | None) -> list[dict[str, str]]:
    """Return the budget rows as the form shows them: what was typed, or what is stored, and some blank ones."""
    if filled:
        rows = [{"line": "", "note": "", "grant": "", "own": ""} | raw for raw in filled.raw]
    else:
        rows = [
            {"line": line.line, "note": line.note, "grant": str(line.grant.amount), "own": str(line.own.amount)}
            for line in application.budget
        ]
    blank = [{"line": "", "note": "", "grant": "", "own": ""}] * BLANK_LINES
    return (rows + blank)[:MAX_LINES] if call.budget_lines else []


def _form(
    request: Request, call: Call, application: Application, filled: Filled | None = None, **more: Any
) -> HTMLResponse:
    given = filled.answers if filled else application.answers
    context: dict[str, Any] = {
        "application": application,
        "call": call,
        "answers": application.answers | given,
        "title": filled.title if filled else application.title,
        "rows": _rows(call, application, filled),
        "version": application.version,
        "base": case_path(application.id),
        "words": words,
        "errors": {},
        "stale": None,
        "saved": False,
        "labels": _labels(call, request.state.locale),
    }
    return show(request, "form.html", **(context | more))


@router.get("/form", dependencies=[allowed("grants.application.write")])
def form(request: Request, reference: str, who: Who, uow: Uow, saved: bool = False) -> Response:
    """Show the form of a draft; of anything later, its answers."""
    return draft(request, uow, who, reference, saved=saved)


def draft(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> Response:
    """Return the form as it is stored, or the way to the answers."""
    application = viewing.application_seen(uow, who, reference)
    if application.organisation != who.organisation:
        raise NotFoundError("There is no such record")
    pack = listing.pack_of_case(uow.connection, application)
    if application.stage != pack.workflows[application.workflow].initial:
        return back(case_path(reference, "answers"))
    return _form(request, pack.call(application.call), application, **more)


@router.post("/form", dependencies=[allowed("grants.application.write")])
def save(request: Request, reference: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Keep what the form says; what can't be kept comes back as it was typed, with what is wrong with it."""
    seen = viewing.application_seen(uow, who, reference)
    call = listing.pack_of_case(uow.connection, seen).call(seen.call)
    filled = Filled(fields, call.currency)
    command = applying.SaveAnswers(
        version=filled.version, title=filled.title, answers=filled.answers, budget=filled.budget
    )
    try:
        application, wrong = applying.save_what_fits(uow, who, reference, command, filled.errors)
    except StaleVersionError as error:
        uow.abandon()
        return _refused(request, call, seen, filled, filled.version, stale=error, status_code=409)
    uow.flush()
    if wrong:
        return _refused(request, call, application, filled, application.version, errors=wrong, status_code=422)
    if partial(request):
        return _kept(request, call, {"version": application.version, "at": uow.now()})
    return back(case_path(reference, "check" if filled.go == "check" else "form?saved=true"))


def _kept(request: Request, call: Call, facts: dict[str, Any]) -> HTMLResponse:
    """Answer the form's own saving: the version that it names next, and whether its words are kept."""
    context = {"stale": None, "errors": {}, "at": None, "labels": _labels(call, request.state.locale)}
    return show(request, "form_saved.html", **(context | facts))


def _refused(
    request: Request, call: Call, seen: Application, filled: Filled, version: int, **more: Any
) -> HTMLResponse:
    """Answer a form of which not all was kept; the form's own saving goes on under `version`."""
    if partial(request):
        return _kept(request, call, {"version": version} | more)
    return _form(request, call, seen, filled, **more)


@router.get("/check", dependencies=[allowed("grants.application.write")])
def check(request: Request, reference: str, who: Who, uow: Uow) -> Response:
    """Show all answers as they will be handed in, and what is missing."""
    page = CasePage(request, uow, who, viewing.application_seen(uow, who, reference))
    if not page.inside and page.application.stage == page.frame.workflow.initial:
        missing = applying.missing(uow, page.application, page.frame.pack)
        return show(
            request,
            "check.html",
            missing=missing,
            labels=_labels(page.frame.call, request.state.locale),
            words=words,
            **page.context("check"),
        )
    return back(case_path(reference))


def _labels(call: Call, locale: str) -> dict[str, str]:
    """Return the fields' names as the form shows them."""
    found = {f"answers.{name}": say(question.label, locale) for name, question in call.questions.items()}
    found |= {f"documents.{item.type}": say(item.name, locale) for item in call.documents}
    found |= {"title": translate("grants", "What is your project called?", locale=locale)}
    return found | {f"budget.{item.id}": say(item.name, locale) for item in call.budget_lines}
