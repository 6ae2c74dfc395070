"""The application form: it keeps every word, on its own and when told; then answers are checked and handed in."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.grants.domain.application import Application, BudgetLine
from services.grants.domain.form import MAX_LINES
from services.grants.domain.merging import TITLE, Merged, digest, marks, owner, texts
from services.grants.domain.pack import BUDGET, Call
from services.grants.handlers import applying, editing, listing, viewing
from services.grants.handlers.base import Frame
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.pages.eligibility import told
from services.grants.pages.posted import posted
from shared.database import UnitOfWork
from shared.errors import InvalidError, NotFoundError, StaleVersionError
from shared.forms import shown, tidy, words
from shared.i18n import translate
from shared.money import Money
from shared.web.dependencies import Uow, Who, allowed
from shared.web.errors import partial
from shared.web.forms import rule_of
from shared.web.identity import Identity
from shared.web.kept import keeps_words
from shared.workflow.model import say

router = APIRouter(prefix="/applications/{reference}")
BLANK_LINES = 3
_LINE = re.compile(r"b\.(\d{1,3})\.(line|note|grant|own)")


Posted = Annotated[FormData, Depends(posted)]


class Filled:
    """What a posted form says, and what of it can't be read. What is locked is not posted and stays as it is."""

    def __init__(self, form: FormData, call: Call, seen: Application) -> None:
        self.errors: dict[str, str] = {}
        self.call, self.seen, self.currency = call, seen, call.currency
        self.version = self._version(form.get("version"))
        self.base = self._base(form.get("base"))
        self.title = str(form.get("title", "" if not seen.asked else seen.title)).strip()
        self.answers: dict[str, str] = {}
        self.choices: dict[str, str] = {}
        self.go = str(form.get("go", ""))
        rows: dict[int, dict[str, str]] = {}
        for name, value in form.multi_items():
            self._take(name, str(value), rows)
        # Numbered as the form will show them again: without the blank ones between.
        self.raw = [row for _, row in sorted(rows.items()) if any(row.get(name) for name in ("note", "grant", "own"))]
        self.budget = [line for index, raw in enumerate(self.raw) if (line := self._line(index, raw))]
        if seen.asked and BUDGET not in seen.asked:
            self.budget = seen.budget
        self._drop_row()
        self._choose()

    def _base(self, given: Any) -> dict[str, str] | None:
        """Return {field: digest} of what the form was filled from; None of a form that does not say it."""
        try:
            base = json.loads(str(given)) if given else None
        except ValueError as error:
            raise InvalidError({"base": "is not JSON"}) from error
        return {str(k): str(v) for k, v in base.items()} if isinstance(base, dict) else None

    def _drop_row(self) -> None:
        verb, _, place = self.go.partition(":")
        if verb == "drop":
            gone = {name for name in self.answers if name.startswith(place.replace(":", ".") + ".")}
            self.answers |= dict.fromkeys(gone, "")

    def _choose(self) -> None:
        """Settle what two windows changed: mine, the stored one, or both below each other."""
        for field, choice in self.choices.items():
            name = field.removeprefix("answers.")
            if choice == "stored":
                self._as_stored(field)
            elif choice == "both" and name in self.answers:
                both = [text for text in (self.answers[name], self.seen.answers.get(name, "")) if text]
                self.answers[name] = "\n\n".join(dict.fromkeys(both))

    def _as_stored(self, field: str) -> None:
        if field == TITLE:
            self.title = self.seen.title
        elif field == BUDGET:
            self.budget = self.seen.budget
            self.errors = {name: rule for name, rule in self.errors.items() if not name.startswith("budget")}
        else:
            kept = {name: text for name, text in self.answers.items() if owner(self.call.form, name) != field}
            self.answers = kept

    @property
    def more(self) -> str:
        """Return the rows of which one more is to be shown."""
        verb, _, place = self.go.partition(":")
        return place if verb == "add" and place in self.call.questions else ""

    @property
    def anchor(self) -> str:
        """Return the field at which the form is to be shown again."""
        verb, _, place = self.go.partition(":")
        name = place.partition(":")[0]
        return f"#f-a.{name}" if verb in {"add", "drop", "show"} and name in self.call.questions else ""

    def _version(self, given: Any) -> int:
        try:
            return int(str(given))
        except ValueError as error:
            raise InvalidError({"version": "is not a whole number"}) from error

    def _take(self, name: str, value: str, rows: dict[int, dict[str, str]]) -> None:
        if name.startswith("a."):
            self.answers[name.removeprefix("a.")] = value.replace("\r\n", "\n").strip()
        elif name.startswith("k."):
            self.choices[name.removeprefix("k.")] = value
        elif (match := _LINE.fullmatch(name)) and int(match[1]) < MAX_LINES:
            rows.setdefault(int(match[1]), {})[match[2]] = value.strip()
        elif name not in {"csrf", "version", "title", "go", "base"}:
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
    return (rows + blank)[: max(call.budget_rows.max, len(rows))] if call.budget_lines else []


def form_shown(
    request: Request, call: Call, application: Application, filled: Filled | None = None, **more: Any
) -> HTMLResponse:
    """Return the form of an application as it is stored, or as it was just typed."""
    answers = application.answers | (tidy(call.form, filled.answers) if filled else {})
    context: dict[str, Any] = {
        "application": application,
        "call": call,
        "answers": answers,
        "asked": shown(call.form, answers),
        "deciding": {question.when.field for question in call.questions.values() if question.when},
        "title": filled.title if filled else application.title,
        "rows": _rows(call, application, filled),
        "version": application.version,
        "base_marks": json.dumps(marks(call, application)),
        "writing": getattr(request.state, "writing", ()),
        "colleagues": getattr(request.state, "colleagues", ()),
        "base": case_path(application.id),
        "open_parts": application.asked or None,
        "words": words,
        "errors": {},
        "clashes": [],
        "merged": None,
        "changed": None,
        "more": "",
        "stale": None,
        "saved": False,
        "labels": _labels(call, request.state.locale),
    }
    return show(request, "form.html", **(context | more))


@router.get("/form", dependencies=[allowed("grants.application.write")])
def form(  # noqa: PLR0917 - the address's parts beside what every route has
    request: Request, reference: str, who: Who, uow: Uow, saved: bool = False, more: str = ""
) -> Response:
    """Show the form of a draft, or what of it is asked for again; of anything later, its answers."""
    return draft(request, uow, who, reference, saved=saved, more=more)


def draft(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> Response:
    """Return the form as it is stored, or the way to the answers."""
    application = viewing.application_seen(uow, who, reference)
    if application.organisation != who.organisation:
        raise NotFoundError("There is no such record")
    frame = Frame(uow.connection, application)
    request.state.writing = editing.present(uow, who, application)
    request.state.colleagues = editing.colleagues(uow, who)
    if not applying.writable(application, frame.workflow):
        return back(case_path(reference, "answers"))
    return form_shown(request, frame.call, application, **more)


@router.post("/form", dependencies=[allowed("grants.application.write")])
@keeps_words
def save(request: Request, reference: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Keep what the form says; what can't be kept comes back as it was typed, with what is wrong with it."""
    seen = viewing.application_seen(uow, who, reference)
    request.state.writing = editing.present(uow, who, seen)
    call = listing.pack_of_case(uow.connection, seen).call(seen.call)
    filled = Filled(fields, call, seen)
    command = applying.SaveAnswers(
        version=filled.version, title=filled.title, answers=filled.answers, budget=filled.budget
    )
    try:
        kept = applying.save_what_fits(uow, who, reference, command, filled.errors, base=filled.base)
    except StaleVersionError as error:
        uow.abandon()
        return _refused(request, call, seen, filled, filled.version, stale=error, status_code=409)
    changed = applying.changed_last(uow, reference)
    uow.flush()
    clashes = _clashes(call, kept.merged, request.state.locale)
    if kept.wrong or clashes:
        facts = {"errors": kept.wrong, "clashes": clashes, "changed": changed, "merged": kept.merged}
        status = 409 if clashes else 422
        return _refused(request, call, kept.application, filled, filled.version, status_code=status, **facts)
    if partial(request):
        return _kept(request, call, filled, {"version": kept.application.version, "at": uow.now()})
    if kept.merged.theirs:
        return form_shown(
            request, call, kept.application, merged=kept.merged, changed=changed, saved=True, more=filled.more
        )
    if filled.go == "check":
        return back(case_path(reference, "check"))
    query = f"form?saved=true{'&more=' + filled.more if filled.more else ''}"
    return back(case_path(reference, query) + filled.anchor)


def _clashes(call: Call, merged: Merged, locale: str) -> list[dict[str, Any]]:
    """Return what both changed, in words: the texts as they are, rows and the budget line by line."""
    labels, found = _labels(call, locale), []
    for name, pair in merged.clashes.items():
        question = call.questions.get(name.removeprefix("answers."))
        lined = name == BUDGET or (question is not None and question.kind == "rows")
        mine, stored = (_lines(text) if lined else text for text in pair)
        label = labels.get(name) or translate("grants", "Budget", locale=locale)
        long = question is not None and question.kind in {"text", "long_text"}
        found.append({"name": name, "label": label, "mine": mine, "stored": stored, "long": long})
    return found


def _lines(text: str) -> str:
    rows: list[dict[str, Any]] = json.loads(text)
    cells = [[c["amount"] if isinstance(c, dict) else str(c) for c in row.values()] for row in rows]
    return "\n".join(" · ".join(cell for cell in row if cell) for row in cells)


def _kept(request: Request, call: Call, filled: Filled, facts: dict[str, Any]) -> HTMLResponse:
    """Answer the form's own saving: what its next one names, and whether its words are kept.

    The form goes on from what it shows, not from what is stored: so a field that another window changed stays theirs.
    """
    shows = {name: digest(text) for name, text in texts(call, filled.title, filled.answers, filled.budget).items()}
    clashing = {item["name"] for item in facts.get("clashes", [])}
    base = (filled.base or {}) | {name: mark for name, mark in shows.items() if name not in clashing}
    context: dict[str, Any] = {
        "stale": None,
        "errors": {},
        "clashes": [],
        "at": None,
        "labels": _labels(call, request.state.locale),
    }
    writing = getattr(request.state, "writing", ())
    return show(request, "form_saved.html", **(context | facts), writing=writing, base_marks=json.dumps(base))


def _refused(
    request: Request, call: Call, seen: Application, filled: Filled, version: int, **more: Any
) -> HTMLResponse:
    """Answer a form of which not all was kept; the form's own saving goes on under `version`."""
    if partial(request):
        return _kept(request, call, filled, {"version": version} | more)
    return form_shown(request, call, seen, filled, **more)


@router.get("/check", dependencies=[allowed("grants.application.write")])
def check(request: Request, reference: str, who: Who, uow: Uow) -> Response:
    """Show all answers as they will be handed in, what is missing, and how it stands with the call's rules."""
    page = CasePage(request, uow, who, viewing.application_seen(uow, who, reference))
    if not page.inside and applying.writable(page.application, page.frame.workflow):
        return show(
            request,
            "check.html",
            missing=applying.missing(uow, page.application, page.frame.pack),
            rules=told(request, page.frame.call, applying.judged(uow, page.application, page.frame.pack)),
            labels=_labels(page.frame.call, request.state.locale),
            words=words,
            **page.context("check"),
        )
    return back(case_path(reference))


def _labels(call: Call, locale: str) -> dict[str, str]:
    """Return the fields' names as the form shows them."""
    found = {f"answers.{name}": say(question.label, locale) for name, question in call.questions.items()}
    for question in call.questions.values():
        for column in question.columns:
            for number in range(question.max_rows):
                label = f"{say(question.label, locale)} {number + 1}: {say(column.label, locale)}"
                found[f"answers.{question.id}.{number}.{column.id}"] = label
    found |= {f"documents.{item.type}": say(item.name, locale) for item in call.documents}
    found |= {"title": translate("grants", "What is your project called?", locale=locale)}
    return found | {f"budget.{item.id}": say(item.name, locale) for item in call.budget_lines}
