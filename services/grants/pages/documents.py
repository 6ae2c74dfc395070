"""The documents of a case: seen, added, taken out, downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from services.grants.api.applications import file_answer, store
from services.grants.handlers import applying, viewing
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.pages.form import draft
from services.grants.pages.money import money_page
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity

router = APIRouter(prefix="/applications/{reference}")


@router.get("/documents", dependencies=[allowed("grants.application.read")])
def documents(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the documents of a case; the read is recorded."""
    return _documents(request, uow, who, reference)


def _documents(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    page = CasePage(request, uow, who, viewing.application_seen(uow, who, reference))
    if page.inside:
        viewing.record(uow, page.application, "documents")
    may_add = not page.inside and page.application.holder == "applicant"
    return show(request, "documents.html", may_add=may_add, **(page.context("documents") | more))


def _stays_at_documents(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _documents(request, uow, who, request.path_params["reference"], conflict=problem, status_code=409)


STAY_AT_DOCUMENTS = stay(_stays_at_documents)
# Where else a form for a document stands.
_PAGES: dict[str, Callable[..., Response]] = {"form": draft, "money": money_page}


@router.post("/documents", dependencies=[STAY_AT_DOCUMENTS, allowed("grants.application.write")])
def attach(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    reference: str,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str, Form(max_length=60)],
    to: Annotated[str, Form(max_length=20)] = "documents",
) -> Response:
    """Attach a document, then go back to where the form stood; a refused one is named there, beside its field."""
    place, name = store(request), file.filename or ""
    try:
        applying.attach(uow, who, reference, store=place, kind=kind, name=name, content=file.file)
    except InvalidError as error:
        uow.abandon()
        page: Callable[..., Response] = _PAGES.get(to, _documents)
        return page(request, uow, who, reference, refused_file=error, chosen_kind=kind, status_code=422)
    return back(case_path(reference, to if to in _PAGES else "documents"))


class RemovalForm(FormModel):
    """The form that takes a document out."""

    version: int
    to: str = "documents"


@router.post("/documents/{document_id}/removal", dependencies=[STAY_AT_DOCUMENTS, allowed("grants.application.write")])
def detach(
    reference: str, document_id: str, form: Annotated[RemovalForm, Form()], who: Who, uow: Uow
) -> RedirectResponse:
    """Take a document out of a draft."""
    applying.detach(uow, who, reference, document_id, form.version)
    return back(case_path(reference, "form" if form.to == "form" else "documents"))


@router.get("/documents/{document_id}", dependencies=[allowed("grants.document.read")])
def download(request: Request, reference: str, document_id: str, who: Who, uow: Uow) -> Response:
    """Download a document, its hash checked; the read is recorded."""
    document = viewing.document(uow, who, reference, document_id)
    return file_answer(document, store(request).get(document.sha256))
