"""Exports of the log: ask for one, see how far it is, fetch the file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.audit.domain.export import DOSSIER, FORMATS, Export
from services.audit.handlers import exporting, tiling
from services.audit.handlers.exporting import Files
from services.audit.storage import exports
from shared.asking import MAX_TEXT
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(prefix="/exports", include_in_schema=False)
MAKE = allowed("audit.export.make")
NAMES = {
    DOSSIER: "Dossier of a case (zip): what it must show, what is missing, and the proof bundle of its acts",
    "bundle": "Proof bundle (zip): a table that anybody can check without us",
    "csv": "CSV table",
    "xlsx": "XLSX workbook",
    "jsonl": "JSON, one entry a line",
    "pdf": "PDF, at most 2,000 entries",
}
Id = Annotated[str, Path(max_length=80)]


class AskForm(FormModel):
    q: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    format: Annotated[str, Field(max_length=20)] = ""
    purpose: Annotated[str, Field(max_length=2000)] = ""


def _overview(request: Request, uow: UnitOfWork, **more: Any) -> HTMLResponse:
    given: dict[str, Any] = {"errors": {}, "typed": {}, "conflict": None} | more
    files = Files(request.app.state.settings)
    items = exports.recent(uow.connection)
    return render(
        request,
        "exports.html",
        status_code=422 if given["errors"] else 409 if given["conflict"] else 200,
        items=[(item, files.there(item)) for item in items],
        formats=[(name, NAMES[name]) for name in sorted(FORMATS, key=list(NAMES).index)],
        days=exporting.KEPT.days,
        **given,
    )


def _stays(request: Request, uow: UnitOfWork, _who: Identity, problem: ConflictError) -> Response:
    return _overview(request, uow, conflict=problem, typed=getattr(request.state, "typed", {}))


def _begun(request: Request, uow: UnitOfWork, search: str, format_: str, purpose: str) -> Export:
    about = {"search": search, "format_": format_, "purpose": purpose, "locale": request.state.locale}
    return exporting.begun(uow, request.app.state, **about)


@router.get("", dependencies=[MAKE])
def overview(request: Request, uow: Uow, q: Annotated[str, Query(max_length=MAX_TEXT)] = "") -> HTMLResponse:
    """Show the newest exports, and ask for one of a search."""
    return _overview(request, uow, typed={"q": q})


@router.post("", dependencies=[stay(_stays), MAKE])
def ask(request: Request, form: Annotated[AskForm, Form()], uow: Uow) -> Response:
    """Ask for an export; it is made beside this request."""
    try:
        item = _begun(request, uow, form.q, form.format, form.purpose)
    except InvalidError as error:
        uow.abandon()
        return _overview(request, uow, errors=error.fields, typed=form.model_dump())
    return RedirectResponse(f"/audit/exports/{item.id}", 303)


@router.get("/{export_id}", dependencies=[MAKE])
def one(request: Request, export_id: Id, uow: Uow) -> HTMLResponse:
    """Show how far an export is; the page loads itself anew until the file is there."""
    item = exporting.found(uow, export_id)
    files = Files(request.app.state.settings)
    facts: dict[str, Any] = {"item": item, "there": files.there(item), "progress": files.progress(item), "names": NAMES}
    return render(request, "export.html", days=exporting.KEPT.days, **facts)


@router.post("/{export_id}/again", dependencies=[MAKE])
def again(request: Request, export_id: Id, _form: Annotated[FormModel, Form()], uow: Uow) -> RedirectResponse:
    """Make an export that stood still, or whose file is gone, anew: as a new one, of the log as it is now."""
    item = exporting.found(uow, export_id)
    made = _begun(request, uow, item.search, item.format, item.purpose)
    return RedirectResponse(f"/audit/exports/{made.id}", 303)


@router.get("/{export_id}/file", dependencies=[MAKE])
def file(request: Request, export_id: Id, uow: Uow) -> FileResponse:
    """Give the file; fetching it is recorded."""
    item, path = exporting.fetch(uow, request.app.state.settings, export_id)
    headers = exporting.HEADERS | tiling.header(uow.connection)
    return FileResponse(path, media_type=exporting.MEDIA[item.format], filename=item.file, headers=headers)
