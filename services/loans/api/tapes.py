"""JSON API of repayment tapes: send, see every line's result, apply, drop."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile

from services.loans import storage
from services.loans.api.proposals import store
from services.loans.api.shapes import Given
from services.loans.api.tape_shapes import ApplyTape, LineList, LineOut, SendTape, TapeLine, TapeList, TapeOut
from services.loans.handlers import tapes
from services.loans.handlers.tape_reading import MOST, TapeFile
from shared.documents import DocumentStore
from shared.events.fields import Line
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["tapes"])
Folder = Literal["all", "wrong", "different", "missing", "late"]
CHECK = [allowed("loans.tape.check")]
APPLY = [allowed("loans.tape.apply")]


def received(documents: DocumentStore, file: UploadFile) -> TapeFile:
    """Return an uploaded file after the checks of every document."""
    stored = documents.put(file.filename or "", file.file)
    return TapeFile(stored.name, stored.media_type, documents.get(stored.sha256))


@router.get("/tapes", dependencies=[allowed("loans.tape.list")])
def read_all(
    who: Who, connection: Reader, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> TapeList:
    bank = (who.organisation or "") if "finance_partner" in who.roles else None
    page = storage.tape_rows(connection, who.programmes, bank, cursor=cursor, limit=limit)
    names = set(TapeLine.model_fields) - {"reference"}
    items = [TapeLine(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return TapeList(items=items, next=page.next)


@router.post("/tapes", status_code=201, dependencies=CHECK)
def send(request: Request, given: SendTape, who: Who, uow: Uow, response: Response) -> TapeOut:
    file = TapeFile.of_rows([row.cells() for row in given.rows])
    keep = (lambda _: file.sha256) if given.dry_run else store(request).keep
    tape, new = tapes.check(uow, who, file, keep, as_of=given.as_of, programme=given.programme)
    uow.flush()
    response.status_code = 201 if new and not given.dry_run else 200
    if not given.dry_run:
        return TapeOut.of(tape, unchanged=not new)
    page = storage.lines(uow.connection, tape.id, limit=MOST)
    out = TapeOut.of(tape, unchanged=not new, dry_run=True, lines=[LineOut.of(row) for row in page.items])
    uow.abandon()
    return out


@router.post("/tapes/files", status_code=201, dependencies=CHECK)
def upload(
    *,
    request: Request,
    who: Who,
    uow: Uow,
    response: Response,
    file: Annotated[UploadFile, File()],
    as_of: Annotated[date | None, Form()] = None,
    programme: Annotated[Line, Form()] = "",
) -> TapeOut:
    documents = store(request)
    tape, new = tapes.check(uow, who, received(documents, file), documents.keep, as_of=as_of, programme=programme)
    uow.flush()
    response.status_code = 201 if new else 200
    return TapeOut.of(tape, unchanged=not new)


@router.get("/tapes/{reference}", dependencies=[allowed("loans.tape.read")])
def read(reference: str, who: Who, uow: Uow) -> TapeOut:
    return TapeOut.of(tapes.open_tape(uow, who, reference))


@router.get("/tapes/{reference}/lines", dependencies=[allowed("loans.tape.read")])
def lines(
    *,
    reference: str,
    who: Who,
    uow: Uow,
    folder: Folder = "all",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> LineList:
    tape = tapes.open_tape(uow, who, reference)
    page = storage.lines(uow.connection, tape.id, folder=folder, cursor=cursor, limit=limit)
    return LineList(items=[LineOut.of(row) for row in page.items], next=page.next)


@router.post("/tapes/{reference}/check", dependencies=APPLY)
def again(request: Request, reference: str, given: Given, who: Who, uow: Uow) -> TapeOut:
    tape = tapes.again(uow, who, reference, store(request).get, version=given.version)
    uow.flush()
    return TapeOut.of(tape)


@router.post("/tapes/{reference}/application", dependencies=APPLY)
def apply(reference: str, given: ApplyTape, who: Who, uow: Uow) -> TapeOut:
    tape = tapes.apply(uow, who, reference, version=given.version, without_missing=given.without_missing)
    uow.flush()
    return TapeOut.of(tape)


@router.post("/tapes/{reference}/removal", dependencies=APPLY)
def discard(reference: str, given: Given, who: Who, uow: Uow) -> TapeOut:
    tape = tapes.discard(uow, who, reference, version=given.version)
    uow.flush()
    return TapeOut.of(tape)
