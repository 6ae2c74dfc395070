"""The dossier of a case as one file: the same for a button on the page and for machines."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import StreamingResponse

from services.grants.domain.application import Application
from services.grants.handlers import dossier
from services.grants.handlers.base import Frame, owns
from services.grants.pages.common import HOLDERS, part_names
from services.grants.pages.sentences import lines
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.forms import rows_of, shown, words
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.pages import shared_context
from shared.web.static import assets
from shared.workflow.model import say

router = APIRouter()
ASKED = [allowed(dossier.ASK)]


@router.post("/applications/{reference}/dossier", dependencies=ASKED)
def ask(request: Request, reference: str, _form: Annotated[FormModel, Form()], who: Who, uow: Uow) -> StreamingResponse:
    """Give the dossier of a case; the asking is on record."""
    return _sent(request, uow, who, reference)


@router.post("/api/applications/{reference}/dossier", dependencies=ASKED)
def ask_by_machine(request: Request, reference: str, who: Who, uow: Uow) -> StreamingResponse:
    """Give the dossier of a case as a zip; the asking is on record."""
    return _sent(request, uow, who, reference)


def _sent(request: Request, uow: UnitOfWork, who: Identity, reference: str) -> StreamingResponse:
    def page(application: Application, parts: dict[str, Any], left_out: list[str]) -> str:
        return _page(request, uow, who, application, {"parts": parts, "left_out": left_out})

    made = dossier.compose(uow, who, reference, page=page, style=assets()["tamga.css"].body)
    store = DocumentStore(request.app.state.settings.documents_folder)
    headers = {
        "content-disposition": f'attachment; filename="{made.reference}.zip"',
        "content-encoding": "identity",  # it is compressed already
        "cache-control": "private, no-store",
    }
    return StreamingResponse(dossier.pack(made, store.get), media_type="application/zip", headers=headers)


def _page(request: Request, uow: UnitOfWork, who: Identity, application: Application, more: dict[str, Any]) -> str:
    frame = Frame(uow.connection, application)
    inside, locale = not owns(who, application.organisation), request.state.locale

    def in_language(names: dict[str, str] | None) -> str:
        return say(names or {}, locale)

    context: dict[str, Any] = shared_context(request) | {
        "application": application,
        "call": frame.call,
        "inside": inside,
        "say": in_language,
        "words": words,
        "rows_of": rows_of,
        "holders": HOLDERS,
        "form_parts": list(part_names(frame.call, locale).items()),
        "asked": shown(frame.call.form, application.answers),
        "stage_name": frame.workflow.label(application.stage, locale, public=not inside),
        "acts": lines(request, more["parts"]["timeline"], frame.workflow, inside=inside),
        "documents": list(enumerate(dossier.documents_of(application), 1)),
        "asked_at": uow.now(),
        "pausing": (),
        "data": {
            "reviews": more["parts"].get("reviews"),
            "conflicts": more["parts"].get("conflicts-of-interest"),
            "award": more["parts"].get("agreement-and-payments"),
            "notes": more["parts"].get("notes"),
        },
    }
    html: str = request.app.state.pages.html("dossier.html", **(context | {"left_out": more["left_out"]}))
    return html
