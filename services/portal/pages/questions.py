"""The form of a call in the editor: its sections, its questions one by one, and all of it as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.portal import storage
from services.portal.domain import form_editing as editing
from services.portal.domain.call_parts import PARTS, QUESTIONS, part_of, rows_at
from services.portal.domain.call_reading import one, options_text, source_of
from services.portal.domain.draft import CallDraft
from services.portal.domain.form_asks import COLUMNS, ask_place
from services.portal.domain.form_kinds import KINDS, kind_of, questions_of
from services.portal.handlers import calls
from services.portal.handlers.calls import EDIT, READ
from services.portal.pages.call_choices import choices, in_language, tongues_of
from services.portal.pages.call_part import posted_of, version_of
from services.portal.pages.calls import DRAFT, back, path_of
from services.portal.pages.telling import labelled
from services.portal.storage import drafts
from shared.database import UnitOfWork
from shared.entity import canonical_hash
from shared.errors import InvalidError, NotFoundError, Rule
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.kept import keeps_words
from shared.web.pages import render

router = APIRouter()
PAGE, TEXT = f"{DRAFT}/{QUESTIONS}", f"{DRAFT}/json/{{what}}"
MOST_TEXT = 90_000


def _form(draft: CallDraft) -> dict[str, Any]:
    found = draft.content["call"].get("form")
    return found if isinstance(found, dict) else {}


def _page(
    request: Request, uow: UnitOfWork, draft: CallDraft, template: str, status: int = 200, **more: Any
) -> HTMLResponse:
    pack = storage.programmes(uow).get(draft.programme, for_update=False).pack
    wrong = calls.problems(pack, draft) if draft.open else {}
    facts: dict[str, Any] = {
        "draft": draft,
        "form": _form(draft),
        "wrong": {place: rule for place, rule in wrong.items() if part_of(place) == QUESTIONS},
        "labels": {place: labelled(place, draft.content) for place in wrong},
        "errors": {},
        "stale": False,
        "stored": "",
        "given": {},
        "last": drafts.last_change(uow.connection, draft.id),
        "mark": canonical_hash(_form(draft)),
        "tongues": tongues_of(pack, draft.content),
        "pages": [*((item.id, item.name) for item in PARTS), (QUESTIONS, "Questions of the form")],
        "base": path_of(draft),
        "kinds": {name: label for name, (label, _) in KINDS.items()},
        "editing": editing,
        "kind_of": kind_of,
        "questions_of": questions_of,
        "say": in_language,
    }
    return render(request, template, status_code=status, **(facts | more))


def _opened(
    uow: UnitOfWork, who: Identity, draft_id: str, posted: dict[str, list[str]]
) -> tuple[CallDraft, bool, tuple[str, ...]]:
    """Return the draft, whether its form is the one that was shown, and the programme's languages."""
    draft = calls.seen(uow, who, draft_id, action=EDIT, lock=True)
    same = version_of(posted) == draft.version or one(posted, "base") == canonical_hash(_form(draft))
    return draft, same, tongues_of(storage.programmes(uow).get(draft.programme, for_update=False).pack, draft.content)


def _keep(uow: UnitOfWork, who: Identity, draft: CallDraft, form: Any) -> None:
    call = {**draft.content["call"], "form": form}
    command = calls.SaveDraft(version=draft.version, call=call, scoring=draft.content["scoring"])
    calls.save(uow, who, draft.id, command)


@router.get(PAGE, dependencies=[allowed(READ)])
def questions(request: Request, draft_id: str, who: Who, uow: Uow, more: bool = False) -> HTMLResponse:
    """Show the sections with their questions."""
    return _page(request, uow, calls.seen(uow, who, draft_id), "draft_questions.html", more=more)


@router.post(PAGE, dependencies=[allowed(EDIT)], response_model=None)
@keeps_words
def save_sections(request: Request, draft_id: str, who: Who, uow: Uow) -> Response:
    """Save the sections, and do what one of the buttons asks; a new question is opened at once."""
    posted = posted_of(request)
    draft, same, languages = _opened(uow, who, draft_id, posted)
    if not same:
        return _page(request, uow, draft, "draft_questions.html", 409, stale=True, more=False)
    try:
        form = editing.with_sections(_form(draft), posted, languages)
    except InvalidError as error:
        return _page(request, uow, draft, "draft_questions.html", 422, errors=error.fields, more=False, given=posted)
    _keep(uow, who, draft, form)
    verb, _, rest = one(posted, "go").partition(":")
    if verb == "ask":
        return back(path_of(draft, f"{QUESTIONS}/{one(posted, f'new.{rest}.id')}"))
    if verb in {"done", "add"}:
        return back(path_of(draft) if verb == "done" else path_of(draft, f"{QUESTIONS}?more=true#new-row"))
    return back(path_of(draft, QUESTIONS))


@router.get(f"{PAGE}/{{name}}", dependencies=[allowed(READ)])
def question(request: Request, draft_id: str, name: str, who: Who, uow: Uow, more: str = "") -> HTMLResponse:  # noqa: PLR0917
    """Show one question, with an empty column where one is asked for."""
    return _question(request, uow, calls.seen(uow, who, draft_id), name, new=more)


def _question(  # noqa: PLR0917 - what a page is made of
    request: Request, uow: UnitOfWork, draft: CallDraft, name: str, form: Any = None, status: int = 200, new: str = ""
) -> HTMLResponse:
    shown = form or _form(draft)
    asked = editing.question(shown, name)
    order = [item for section in editing.sections_of(shown) for item in section.get("fields", [])]
    earlier = order[: order.index(name)] if name in order else []
    known = questions_of(shown)
    deciding = [item for item in earlier if item in known and kind_of(known[item]) in {"choice", "yes_no"}]
    when = (
        next(iter((asked.get("x-when") or {"": []}).items())) if isinstance(asked.get("x-when"), Mapping) else ("", [])
    )
    more = {
        "name": name,
        "question": asked,
        "kind": kind_of(asked),
        "required": name in shown.get("required", []) or bool(asked.get("x-required")),
        "when": when,
        "deciding": [(item, known[item]) for item in deciding],
        "stale": status == 409,
        "stored": questions_of(_form(draft)).get(name),
        **_columns(request, uow, draft, name, asked),
        "more": new,
    }
    return _page(request, uow, draft, "draft_question.html", status, **more)


def _columns(request: Request, uow: UnitOfWork, draft: CallDraft, name: str, asked: Mapping[str, Any]) -> Any:
    """Return what the rows are made of that say what a repeating question asks."""
    pack = storage.programmes(uow).get(draft.programme, for_update=False).pack
    start = f"call.form.properties.{name}.items"
    wrong = calls.problems(pack, draft) if draft.open else {}
    found = {ask_place(asked.get("items"), start, place): rule for place, rule in wrong.items()}
    return {
        "columns": COLUMNS,
        "rows_at": rows_at,
        "choices": choices(pack, draft.content, request.state.locale),
        "options_text": options_text,
        "source_of": source_of,
        "errors": {
            f"{COLUMNS.path}{place.removeprefix(start)}": rule
            for place, rule in found.items()
            if place.startswith(start)
        },
    }


@router.post(f"{PAGE}/{{name}}", dependencies=[allowed(EDIT)], response_model=None)
@keeps_words
def save_question(request: Request, draft_id: str, name: str, who: Who, uow: Uow) -> Response:
    """Save one question as it was typed."""
    posted = posted_of(request)
    draft, same, languages = _opened(uow, who, draft_id, posted)
    form = editing.with_question(_form(draft), name, posted, languages)
    if not same and editing.question(_form(draft), name) != editing.question(form, name):
        return _question(request, uow, draft, name, form, 409)
    _keep(uow, who, draft, form)
    if one(posted, "go") == "done":
        return back(path_of(draft, QUESTIONS))
    added = one(posted, "go") == f"add:{COLUMNS.path}"
    return back(path_of(draft, f"{QUESTIONS}/{name}?" + (f"more={COLUMNS.path}#new-row" if added else "saved=true")))


def _written(draft: CallDraft, what: str) -> dict[str, Any]:
    """Return what of a draft is edited as text: its form, or all of the call."""
    if what not in {"form", "call"}:
        raise NotFoundError("There is no such record")
    return _form(draft) if what == "form" else draft.content["call"]


def _text_page(  # noqa: PLR0917 - what a page is made of
    request: Request, uow: UnitOfWork, draft: CallDraft, what: str, text: str = "", status: int = 200, **more: Any
) -> HTMLResponse:
    stored = json.dumps(_written(draft, what), ensure_ascii=False, indent=2)
    facts = {"text": text or stored, "stored": stored, "what": what, "mark": canonical_hash(_written(draft, what))}
    return _page(request, uow, draft, "draft_json.html", status, **(facts | more))


@router.get(TEXT, dependencies=[allowed(READ)])
def text_page(request: Request, draft_id: str, what: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the form as JSON Schema, or all of the call as JSON."""
    return _text_page(request, uow, calls.seen(uow, who, draft_id), what)


@router.post(TEXT, dependencies=[allowed(EDIT)], response_model=None)
@keeps_words
def save_text(request: Request, draft_id: str, what: str, who: Who, uow: Uow) -> Response:
    """Save the form or the call from its text; what is no JSON comes back with the line that is wrong."""
    posted = posted_of(request)
    typed = one(posted, "text")
    draft = calls.seen(uow, who, draft_id, action=EDIT, lock=True)
    before = _written(draft, what)
    same = version_of(posted) == draft.version or one(posted, "base") == canonical_hash(before)
    try:
        value = _json_of(typed)
        if not same and value != before:
            return _text_page(request, uow, draft, what, typed, 409, stale=True)
        call = value if what == "call" else {**draft.content["call"], "form": value}
        command = calls.SaveDraft(version=draft.version, call=call, scoring=draft.content["scoring"])
        calls.save(uow, who, draft.id, command)
    except InvalidError as error:
        return _text_page(request, uow, draft, what, typed, 422, errors=error.fields)
    return back(path_of(draft, f"json/{what}?saved=true"))


def _json_of(typed: str) -> dict[str, Any]:
    if len(typed) > MOST_TEXT:
        raise InvalidError({"text": "is too long"})
    try:
        value = json.loads(typed)
    except ValueError as error:
        raise InvalidError({"text": _no_json(error)}) from error
    if not isinstance(value, dict):
        raise InvalidError({"text": "must be a mapping"})
    return value


def _no_json(error: ValueError) -> str:
    line, column = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else (1, 1)
    return Rule("is no JSON: line %(line)s, character %(column)s", line=line, column=column)
