"""JSON: calls, applications, their documents and moves."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile

from services.grants.api.views import (
    ApplicationPage,
    ApplicationView,
    application_view,
    row_view,
)
from services.grants.domain.application import Application, Document
from services.grants.domain.payee import Letter
from services.grants.handlers import applying, listing, moving, viewing
from services.grants.handlers import queue as queueing
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.vault import Vault, vault_of
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.paging import MAX_LIMIT

router = APIRouter(prefix="/api", tags=["applications"])


def store(request: Request) -> DocumentStore:
    """Return where documents are kept."""
    settings = request.app.state.settings
    return DocumentStore(settings.documents_folder, clamd=settings.clamd)


def vault(request: Request) -> Vault:
    """Return what seals and opens bank numbers."""
    return vault_of(request.app.state.settings.payee_key_file)


def _view(uow: UnitOfWork, who: Identity, application: Application) -> ApplicationView:
    uow.flush()  # so that the answer carries the version that the next act must name
    return application_view(uow.connection, who, application)


@router.get("/calls", dependencies=[allowed("grants.call.read")])
def calls(connection: Reader) -> list[dict[str, Any]]:
    """Return the calls of all programmes, newest first."""
    return [dict(row) for row in reads.calls(connection)]


@router.get("/calls/{call}", dependencies=[allowed("grants.call.read")])
def call(call: str, connection: Reader) -> dict[str, Any]:
    """Return a call with its form, budget lines and required documents."""
    found, _pack = listing.call_seen(connection, call)
    return found.model_dump(mode="json")


@router.post("/applications", status_code=201, dependencies=[allowed("grants.application.start")])
def start(command: applying.StartApplication, who: Who, uow: Uow) -> ApplicationView:
    """Start a draft for one's own organisation."""
    return _view(uow, who, applying.start(uow, who, command))


@router.get("/applications", dependencies=[allowed("grants.application.queue")])
def queue(request: Request, who: Who, connection: Reader, query: Annotated[queueing.Query, Query()]) -> ApplicationPage:
    """Return what the search `q` asks for, in the order `sort`: due, updated, since or amount, "-" before it turns it.

    `q` is the queue's language, such as `stage:review,panel holder:me amount:>50000EUR updated:<7d -officer:none
    "free words"`; 422 names the place of what is not understood and what would be right. Without `state:` or
    `stage:` in it, open applications are meant. The other parameters stand for terms of `q`.
    """
    asked = queueing.understood(queueing.asked(connection, who, query, request.app.state.clock))
    page = queueing.page(connection, asked, query)
    return ApplicationPage(items=[row_view(row) for row in page.items], next=page.next)


@router.get("/applications/mine", dependencies=[allowed("grants.application.mine")])
def mine(
    who: Who, connection: Reader, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50
) -> ApplicationPage:
    """Return one's own organisation's applications."""
    page = listing.mine(connection, who, cursor, limit)
    return ApplicationPage(items=[row_view(row) for row in page.items], next=page.next)


@router.get("/applications/{reference}", dependencies=[allowed("grants.application.read")])
def application(reference: str, who: Who, uow: Uow) -> ApplicationView:
    """Return an application with the moves that one has now."""
    return application_view(uow.connection, who, viewing.application_seen(uow, who, reference))


@router.put("/applications/{reference}/answers", dependencies=[allowed("grants.application.write")])
def save(reference: str, command: applying.SaveAnswers, who: Who, uow: Uow) -> ApplicationView:
    """Keep the answers and the budget; 409 names what changed since `version`, and by whom."""
    return _view(uow, who, applying.save(uow, who, reference, command))


@router.get("/applications/{reference}/problems", dependencies=[allowed("grants.application.read")])
def problems(reference: str, who: Who, uow: Uow) -> dict[str, str]:
    """Return what keeps the application from being handed in: {field: rule}."""
    application = viewing.application_seen(uow, who, reference)
    return applying.missing(uow, application, listing.pack_of_case(uow.connection, application))


@router.post("/applications/{reference}/documents", status_code=201, dependencies=[allowed("grants.application.write")])
def attach(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    reference: str,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str, Form(max_length=60)],
    version: Annotated[int | None, Form()] = None,
) -> Document:
    """Attach a document (at most 10 MB; PDF, PNG, JPEG, DOCX, XLSX, ODT, ODS, CSV, TXT)."""
    name = file.filename or ""
    return applying.attach(
        uow, who, reference, store=store(request), kind=kind, name=name, content=file.file, version=version
    )


@router.delete("/applications/{reference}/documents/{document_id}", dependencies=[allowed("grants.application.write")])
def detach(reference: str, document_id: str, who: Who, uow: Uow, version: int | None = None) -> ApplicationView:
    """Take a document out of a draft."""
    return _view(uow, who, applying.detach(uow, who, reference, document_id, version))


@router.get("/applications/{reference}/documents/{document_id}", dependencies=[allowed("grants.document.read")])
def download(request: Request, reference: str, document_id: str, who: Who, uow: Uow) -> Response:
    """Return a document's content, its hash checked; the read is recorded."""
    document = viewing.document(uow, who, reference, document_id)
    return file_answer(document, store(request).get(document.sha256))


def file_answer(document: Document | Letter, content: bytes) -> Response:
    """Return a document as a download that no browser takes for a page."""
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(document.name)}",
        "x-content-type-options": "nosniff",
        "etag": f'"{document.sha256}"',
        "cache-control": "private, no-store",
    }
    return Response(content, media_type=document.media_type, headers=headers)


@router.post("/applications/{reference}/moves", dependencies=[allowed("grants.application.move")])
def move(reference: str, command: moving.MoveApplication, who: Who, uow: Uow) -> ApplicationView:
    """Make a move of the workflow; 409 names the legal ones, or who changed the case since `version`."""
    return _view(uow, who, moving.move(uow, who, reference, command))


@router.post("/applications/{reference}/officer", dependencies=[allowed("grants.application.assign")])
def assign(reference: str, command: moving.AssignOfficer, who: Who, uow: Uow) -> ApplicationView:
    """Give the case to an officer."""
    return _view(uow, who, moving.assign(uow, who, reference, command))


@router.post("/applications/{reference}/checks", dependencies=[allowed("grants.application.check")])
def check(reference: str, command: moving.AnswerCheck, who: Who, uow: Uow) -> ApplicationView:
    """Answer one point of a checklist (`item` "risk" rates the risk)."""
    return _view(uow, who, moving.check(uow, who, reference, command))


@router.get("/applications/{reference}/timeline", dependencies=[allowed("grants.application.read")])
def timeline(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return the acts of a case, newest first, and the letters about it; an applicant sees their own side."""
    application = viewing.application_seen(uow, who, reference)
    return listing.timeline(uow.connection, who, application)
