"""The calls of a programme for its managers: the list, a draft's overview and everything done to it as a whole."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.portal import storage
from services.portal.domain.call_parts import PARTS, QUESTIONS, part_of
from services.portal.domain.draft import CallDraft
from services.portal.handlers import calls
from services.portal.handlers.calls import EDIT, PUBLISH, READ
from services.portal.handlers.checking import two_people
from services.portal.pages.call_choices import in_language
from services.portal.pages.telling import labelled
from services.portal.storage import drafts
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.call_rules import languages_of
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter()
LIST, DRAFT = "/programmes/{programme_id}/calls", "/calls/drafts/{draft_id}"


def back(path: str) -> RedirectResponse:
    """Return the answer to a form that did its work: go and look."""
    return RedirectResponse(path, 303)


def path_of(draft: CallDraft | str, part: str = "") -> str:
    """Return the address of a draft's page, or of a part of it."""
    return f"/calls/drafts/{draft if isinstance(draft, str) else draft.id}{'/' + part if part else ''}"


def _list(
    request: Request, connection: Any, who: Identity, programme_id: str, *, given: Any = None, errors: Any = None
) -> HTMLResponse:
    state = calls.pack_of(connection, who, programme_id)
    pack = state["pack"]
    return render(
        request,
        "calls_edited.html",
        status_code=422 if errors else 200,
        programme=programme_id,
        programme_name=in_language(pack["programme"].get("name"), request.state.locale),
        calls=[call for call in (pack.get("calls") or {}).values() if isinstance(call, dict)],
        drafts=drafts.open_drafts(connection, programme_id),
        today=request.app.state.clock().date().isoformat(),
        edited=state.get("edited") or {},
        given=given or {},
        errors=errors or {},
        say=in_language,
    )


@router.get(LIST, dependencies=[allowed(READ)])
def call_list(request: Request, programme_id: str, who: Who, reader: Reader) -> HTMLResponse:
    """Show a programme's calls, and which of them is being written."""
    return _list(request, reader, who, programme_id)


class BeginForm(FormModel):
    """Which call is to be written."""

    call: Annotated[str, Field(max_length=60)] = ""
    copy_of: Annotated[str, Field(max_length=80)] = ""
    new: bool = False


@router.post(LIST, dependencies=[allowed(EDIT)], response_model=None)
def begin(request: Request, programme_id: str, form: Annotated[BeginForm, Form()], who: Who, uow: Uow) -> Response:
    """Begin a draft, or go on with the one that there is."""
    command = calls.BeginDraft(call=form.call, copy_of=form.copy_of or None, new=form.new)
    try:
        draft, _ = calls.begin(uow, who, programme_id, command)
    except InvalidError as error:
        given = form.model_dump()
        return _list(request, uow.connection, who, programme_id, given=given, errors=error.fields)
    except ConflictError as error:
        wrong = {"call": str(error)}
        return _list(request, uow.connection, who, programme_id, given=form.model_dump(), errors=wrong)
    return back(path_of(draft))


def overview(request: Request, uow: UnitOfWork, who: Identity, draft: CallDraft, **more: Any) -> HTMLResponse:
    """Return a draft's page: its parts with what is still wrong in each, and what can be done with it."""
    state = storage.programmes(uow).get(draft.programme, for_update=False)
    wrong = calls.problems(state.pack, draft) if draft.open else {}
    groups: dict[str, list[tuple[str, str]]] = {}
    for place, rule in wrong.items():
        groups.setdefault(part_of(place), []).append((labelled(place, draft.content), rule))
    second = bool(two_people(state.pack))
    facts: dict[str, Any] = {
        "draft": draft,
        "pages": [*((part.id, part.name) for part in PARTS), (QUESTIONS, "Questions of the form")],
        "wrong": groups,
        "problems": len(wrong),
        "theirs": draft.theirs(state) if draft.open else [],
        "two": second,
        "mine": second and who.user in {*draft.editors, draft.handed_in_by},
        "base": path_of(draft),
        "programme_name": in_language(state.pack["programme"].get("name"), request.state.locale),
        "last": drafts.last_change(uow.connection, draft.id),
        "languages_of_pack": languages_of(state.pack),
        "problem": None,
        "kept": [],
        "say": in_language,
    }
    return render(request, "draft.html", **(facts | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> Response:
    draft = calls.seen(uow, who, request.path_params["draft_id"])
    page = overview(request, uow, who, draft, problem=problem)
    page.status_code = problem.status
    return page


STAY = stay(_stays)


@router.get(DRAFT, dependencies=[allowed(READ)])
def draft_page(request: Request, draft_id: str, who: Who, uow: Uow) -> HTMLResponse:
    return overview(request, uow, who, calls.seen(uow, who, draft_id))


class VersionForm(FormModel):
    """The version of the draft that was looked at."""

    version: int


class ReturnForm(VersionForm):
    """Why a draft is given back."""

    reason: Annotated[str, Field(min_length=3, max_length=500)]


@router.post(f"{DRAFT}/handing-in", dependencies=[STAY, allowed(EDIT)], response_model=None)
def hand_in(request: Request, draft_id: str, form: Annotated[VersionForm, Form()], who: Who, uow: Uow) -> Response:
    try:
        return back(path_of(calls.hand_in(uow, who, draft_id, form.version)))
    except InvalidError:
        return _unready(request, uow, who, draft_id)


@router.post(f"{DRAFT}/return", dependencies=[STAY, allowed(EDIT)], response_model=None)
def give_back(draft_id: str, form: Annotated[ReturnForm, Form()], who: Who, uow: Uow) -> Response:
    return back(path_of(calls.give_back(uow, who, draft_id, form.version, form.reason)))


@router.post(f"{DRAFT}/discard", dependencies=[STAY, allowed(EDIT)], response_model=None)
def discard(draft_id: str, form: Annotated[VersionForm, Form()], who: Who, uow: Uow) -> Response:
    draft = calls.discard(uow, who, draft_id, form.version)
    return back(LIST.format(programme_id=draft.programme))


@router.post(f"{DRAFT}/take-over", dependencies=[STAY, allowed(EDIT)], response_model=None)
def take_over(request: Request, draft_id: str, form: Annotated[VersionForm, Form()], who: Who, uow: Uow) -> Response:
    draft, both = calls.take_over(uow, who, draft_id, form.version)
    uow.flush()
    return overview(request, uow, who, draft, kept=[labelled(place, draft.content) for place in both])


@router.post(f"{DRAFT}/publication", dependencies=[STAY, allowed(PUBLISH)], response_model=None)
def issue(request: Request, draft_id: str, form: Annotated[VersionForm, Form()], who: Who, uow: Uow) -> Response:
    """Publish the draft as the next version of the programme's pack."""
    try:
        return back(path_of(calls.issue(uow, who, draft_id, form.version)))
    except InvalidError:
        return _unready(request, uow, who, draft_id)


def _unready(request: Request, uow: UnitOfWork, who: Identity, draft_id: str) -> Response:
    page = overview(request, uow, who, calls.seen(uow, who, draft_id), problem="unready")
    page.status_code = 422
    return page
