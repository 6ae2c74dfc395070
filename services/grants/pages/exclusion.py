"""Exclusion lists: importing one, the hits that wait for somebody, and a case's own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from services.grants.api.exclusion import asked
from services.grants.handlers import exclusion, viewing
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.policy import POLICY
from services.grants.storage import exclusion as stored
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity

router = APIRouter()
CASE = "/applications/{reference}/screening"
HERE = "/grants/exclusion-lists"
KINDS = {"applicant": "Applicant", "partner": "Partner", "person": "Person", "supplier": "Supplier"}


@router.get("/exclusion-lists", dependencies=[allowed("grants.exclusion.list")])
def lists(request: Request, who: Who, uow: Uow) -> HTMLResponse:
    """Show the lists, their versions, and the hits that wait for a decision."""
    return _lists(request, uow, who)


def _lists(request: Request, uow: UnitOfWork, who: Identity, **more: Any) -> HTMLResponse:
    context: dict[str, Any] = {
        "lists": stored.all_lists(uow.connection),
        "waiting": stored.waiting(uow.connection, who.programmes),
        "may_import": bool(POLICY.scopes("grants.exclusion.import", who)),
        "errors": {},
        "given": {},
        "conflict": None,
        "made": None,
        "today": request.app.state.clock().date(),
    }
    return show(request, "exclusion_lists.html", **(context | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _lists(request, uow, who, conflict=problem, given=request.state.typed, status_code=409)


@router.post("/exclusion-lists", dependencies=[stay(_stays), allowed("grants.exclusion.import")])
def import_list(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    list_id: Annotated[str, Form(alias="list")] = "",
    name: Annotated[str, Form()] = "",
    source: Annotated[str, Form()] = "",
    dated: Annotated[str, Form()] = "",
    column_name: Annotated[str, Form()] = "name",
    column_number: Annotated[str, Form()] = "",
    column_aliases: Annotated[str, Form()] = "",
    column_note: Annotated[str, Form()] = "",
) -> Response:
    """Import a file, and show what became of its rows and which cases have new hits."""
    about = {"list": list_id.strip(), "name": name.strip(), "source": source.strip(), "dated": dated}
    columns = {"name": column_name, "number": column_number, "aliases": column_aliases, "note": column_note}
    columns = {key: text.strip() for key, text in columns.items()}
    try:
        made = exclusion.import_list(uow, who, asked(about, columns), file.file.read(), file.filename or "")
    except InvalidError as error:
        uow.abandon()
        given = about | {f"column_{key}": text for key, text in columns.items()}
        return _lists(request, uow, who, errors=error.fields, given=given, status_code=422)
    uow.flush()
    return _lists(request, uow, who, made=made)


@router.get("/applications/{reference}/screening", dependencies=[allowed("grants.exclusion.read")])
def screening(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show what the lists say of everybody on a case; the read is recorded."""
    return _case(request, uow, who, reference)


def _case(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    application = viewing.screening_seen(uow, who, reference)
    page = CasePage(request, uow, who, application)
    found = stored.find_screening(uow.connection, application.id)
    context = page.context("screening") | {
        "screening": exclusion.view(found, application.id),
        "hits": sorted(found.hits, key=lambda hit: (hit.status != "open", -hit.score)) if found else [],
        "kinds": KINDS,
        "errors": {},
        "given": {},
        "may": bool({"officer", "programme_manager"} & set(page.roles)) and not page.barred,
        "blocks": page.frame.call.exclusion.blocks,
    }
    return show(request, "screening.html", **(context | more))


def _stays_at_case(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    given = request.state.typed
    return _case(request, uow, who, request.path_params["reference"], conflict=problem, given=given, status_code=409)


STAY = stay(_stays_at_case)


@router.post("/applications/{reference}/screening", dependencies=[STAY, allowed("grants.exclusion.screen")])
def look(reference: str, who: Who, uow: Uow) -> RedirectResponse:
    """Look at the lists now."""
    exclusion.look(uow, who, reference)
    return back(case_path(reference, "screening"))


class SubjectForm(FormModel):
    """The form that names somebody to be looked for."""

    kind: str = "person"
    name: str = ""
    number: str = ""
    version: int


@router.post(CASE + "/subjects", dependencies=[STAY, allowed("grants.exclusion.screen")])
def name_subject(
    request: Request, reference: str, form: Annotated[SubjectForm, Form()], who: Who, uow: Uow
) -> Response:
    """Add somebody to be looked for."""
    given = form.model_dump(exclude={"csrf"})
    if form.kind not in KINDS:
        raise InvalidError({"kind": "is not one of the choices"})
    try:
        exclusion.name_subject(uow, who, reference, exclusion.NameSubject.model_validate(given))
    except InvalidError as error:
        uow.abandon()
        return _case(request, uow, who, reference, errors=error.fields, given=given, status_code=422)
    return back(case_path(reference, "screening"))


class HitForm(FormModel):
    """The form that decides a hit."""

    same: bool
    reason: str = ""
    version: int


@router.post(
    "/applications/{reference}/screening/hits/{place}", dependencies=[STAY, allowed("grants.exclusion.decide")]
)
def decide(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request, reference: str, place: int, form: Annotated[HitForm, Form()], who: Who, uow: Uow
) -> Response:
    """Decide a hit."""
    given = form.model_dump(exclude={"csrf"})
    try:
        exclusion.decide(uow, who, reference, place, exclusion.DecideHit(**given))
    except InvalidError as error:
        uow.abandon()
        more = {"errors": {f"hit.{place}": rule for rule in error.fields.values()}, "given": given | {"place": place}}
        return _case(request, uow, who, reference, status_code=422, **more)
    return back(case_path(reference, "screening") + f"#hit-{place}")
