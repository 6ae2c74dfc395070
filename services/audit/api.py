"""The log over HTTP for machines: search, one event, its proof, the newest checkpoint."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from services.audit import labels
from services.audit.domain.export import Export
from services.audit.domain.leaf import leaf_from
from services.audit.handlers import exporting, proofs, reading, tiling
from services.audit.handlers.signing import UnsignedError, signed_at_least
from services.audit.keys import Keys
from services.audit.pages.purpose import purpose_of_program
from services.audit.query import SearchQuery
from services.audit.storage import verifications
from services.audit.storage.opening import Opener
from services.audit.storage.subjects import subjects_of
from shared.asking import MAX_TEXT
from shared.errors import ConflictError, NotFoundError
from shared.web.dependencies import Uow, allowed

router = APIRouter(prefix="/api")


def _keys(request: Request) -> Keys:
    return Keys.of(request.app.state.settings)


def _opener(request: Request) -> Opener:
    return Opener(subjects_of(request.app.state.settings))


def _event(row: Any, opener: Opener) -> dict[str, Any]:
    mapping: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's way to the names of a row
    body = opener.body(row.body, row.event_id)
    mapping["actor_name"] = body["actor"]["name"]
    columns = {name: value for name, value in mapping.items() if name not in {"body", "leaf", "leaf_hash", "marks"}}
    return columns | body | {"what": labels.kind(row.type)}


@router.get("/search", dependencies=[allowed("audit.log.search")])
def search(request: Request, query: Annotated[SearchQuery, Query()], uow: Uow) -> dict[str, Any]:
    """Return a page of matches, the newest first; `next` is the cursor of the page after it.

    A page may have few items and a `next`: two things that seldom meet are looked for in bounded pieces, and
    `looked_back_to_leaf` says how far this piece went. With an end date, `recorded_in_time_only` says that what was
    recorded more than a day after it was not looked through. Where the house asks what a search is for, the header
    `X-Tamga-Purpose` says it, percent-encoded.
    """
    purpose = purpose_of_program(request)
    filters = query.filters(request)
    found = reading.find(uow, filters, before=query.before(), through="api", purpose=purpose)
    opener = _opener(request)
    told = {"items": [_event(row, opener) for row in found.page.items], "next": found.page.next}
    return told | {"looked_back_to_leaf": found.reached, "recorded_in_time_only": found.punctual}


@router.get("/events/{event_id}", dependencies=[allowed("audit.event.read")])
def event(request: Request, event_id: UUID, uow: Uow) -> dict[str, Any]:
    """Return one event as it is stored, with its leaf."""
    row = reading.open_event(uow, event_id)
    return _event(row, _opener(request)) | {"leaf": leaf_from(row).decode(), "leaf_hash": row.leaf_hash.hex()}


@router.get("/events/{event_id}/proof", dependencies=[allowed("audit.proof.read")])
def proof(request: Request, event_id: UUID, uow: Uow) -> dict[str, Any]:
    """Return the inclusion proof of an event under a signed checkpoint."""
    made = proofs.prove(uow.connection, event_id, _keys(request), clock=uow.clock).as_json()
    reading.viewed(uow, f"event:{event_id}", "proof")
    return made


@router.get("/checkpoint", dependencies=[allowed("audit.checkpoint.read")])
def checkpoint(request: Request, uow: Uow) -> dict[str, Any]:
    """Return a checkpoint of the log as it stands; keep it, and later verifications can't be fooled.

    While nobody signs it is the newest there is.
    """
    keys = _keys(request)
    try:
        signed = signed_at_least(uow.connection, keys, 1, clock=uow.clock)
    except UnsignedError as error:
        raise ConflictError("The log can't be signed: %(why)s", why=str(error)) from error
    if signed is None:
        raise NotFoundError("The log is empty")
    return {
        "size": signed.size,
        "root": signed.root.hex(),
        "note": signed.note,
        "signed_at": signed.signed_at,
        "verifier_key": keys.verifier.encode(),
    }


@router.get("/verification", dependencies=[allowed("audit.verification.read")])
def verification(uow: Uow) -> dict[str, Any]:
    """Return the newest verification."""
    runs = verifications.latest(uow.connection, 1)
    if not runs:
        raise NotFoundError("The log has not been verified yet")
    report: dict[str, Any] = runs[0].report
    return report


class ExportRequest(BaseModel):
    """What to export: a search in the language of the explorer, in which format, and what for."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    q: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    format: Annotated[str, Field(max_length=20)] = "bundle"
    purpose: Annotated[str, Field(max_length=2000)] = ""


@router.post("/exports", status_code=202, dependencies=[allowed("audit.export.make")])
def export(request: Request, asked: ExportRequest, uow: Uow) -> dict[str, Any]:
    """Ask for everything that a search shows, as a file; `stage` becomes ready, or failed with its problem."""
    about = {"search": asked.q, "format_": asked.format, "purpose": asked.purpose, "locale": request.state.locale}
    return _export(exporting.begun(uow, request.app.state, **about))


@router.get("/exports/{export_id}", dependencies=[allowed("audit.export.make")])
def export_state(export_id: Annotated[str, Path(max_length=80)], uow: Uow) -> dict[str, Any]:
    """Return how far an export is."""
    return _export(exporting.found(uow, export_id))


@router.get("/exports/{export_id}/file", dependencies=[allowed("audit.export.make")], response_class=FileResponse)
def export_file(request: Request, export_id: Annotated[str, Path(max_length=80)], uow: Uow) -> FileResponse:
    """Return the file of an export."""
    item, path = exporting.fetch(uow, request.app.state.settings, export_id)
    headers = exporting.HEADERS | tiling.header(uow.connection)
    return FileResponse(path, media_type=exporting.MEDIA[item.format], filename=item.file, headers=headers)


def _export(item: Export) -> dict[str, Any]:
    names = {"id", "search", "format", "purpose", "leaves", "stage", "rows", "bytes", "sha256", "problem", "asked_at"}
    return item.model_dump(mode="json", include=names)
