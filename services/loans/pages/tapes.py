"""Pages of repayment tapes: send one, read every line's result, let it count or drop it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from services.loans import storage
from services.loans.api.proposals import store
from services.loans.api.tapes import received
from services.loans.domain.tape_rows import COLUMNS
from services.loans.handlers import access, tapes
from services.loans.pages import forms, words
from services.loans.pages.editor import download
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.exports.tables import CSV_TYPE, Column, Table, csv_pieces
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
Folder = Literal["all", "wrong", "different", "missing", "late"]
READ = [allowed("loans.tape.read")]


@router.get("/tapes", dependencies=[allowed("loans.tape.list")])
def read_all(request: Request, who: Who, connection: Reader, cursor: str | None = None) -> HTMLResponse:
    return _list(request, who, connection, cursor)


def _list(request: Request, who: Identity, connection: Any, cursor: str | None = None, **more: Any) -> HTMLResponse:
    own = "finance_partner" in who.roles
    page = storage.tape_rows(connection, who.programmes, (who.organisation or "") if own else None, cursor=cursor)
    return render(
        request,
        "tapes.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        page=page,
        own=own,
        stages=words.TAPES,
        programmes=[(name, name) for name in who.programmes],
        columns=COLUMNS,
        today=request.app.state.clock().date(),
        **({"conflict": None} | more),
    )


def _list_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _list(request, who, uow.connection, conflict=problem, given=request.state.typed)


@router.post("/tapes", dependencies=[stay(_list_stays), allowed("loans.tape.check")])
def upload(
    *,
    request: Request,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    as_of: Annotated[str, Form()] = "",
    programme: Annotated[str, Form()] = "",
) -> Response:
    documents = store(request)
    try:
        day = _day(as_of)
        kept = received(documents, file)
        tape, new = tapes.check(uow, who, kept, documents.keep, as_of=day, programme=programme)
        uow.flush()
    except InvalidError as error:
        uow.abandon()
        given = {"as_of": as_of, "programme": programme}
        return _list(request, who, uow.connection, errors=error.fields, given=given)
    return seen(f"/loans/tapes/{tape.id}{'' if new else '?same=1'}")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InvalidError({"as_of": "is not a day"}) from error


@router.get("/tapes/form.csv", dependencies=[allowed("loans.tape.check")])
def form(who: Who, uow: Uow, programme: str = "") -> StreamingResponse:
    """Give a file to begin with: the bank's loans that a tape should have."""
    name = programme if programme in who.programmes else next(iter(who.programmes), "")
    rows = storage.open_loans(uow.connection, who.organisation or "", name)
    day = access.today(uow)
    table = Table("tape", [Column(name) for name in COLUMNS], _form_rows(rows, day))
    header = {"content-disposition": f'attachment; filename="tape-{day.isoformat()}.csv"'}
    return StreamingResponse(csv_pieces(table), media_type=CSV_TYPE, headers=header)


def _form_rows(rows: Iterable[Any], day: date) -> Iterator[list[str]]:
    for row in rows:
        cells = {"as_of": day.isoformat(), "loan": row.id, "currency": row.currency}
        yield [cells.get(name, "") for name in COLUMNS]


@router.get("/tapes/{reference}", dependencies=READ)
def read(
    *,
    request: Request,
    reference: str,
    who: Who,
    uow: Uow,
    folder: Folder | None = None,
    cursor: str | None = None,
    same: bool = False,
) -> HTMLResponse:
    return _page(request, uow, who, reference, folder=folder, cursor=cursor, same=same)


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    tape = tapes.open_tape(uow, who, reference)
    first = "wrong" if tape.counts and tape.counts.wrong else "all"
    folder = more.pop("folder", None) or first
    page = storage.lines(uow.connection, tape.id, folder=folder, cursor=more.pop("cursor", None))
    return render(
        request,
        "tape.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        tape=tape,
        page=page,
        folder=folder,
        folders=words.TAPE_FOLDERS,
        stages=words.TAPES,
        loan_stages=words.STAGES,
        columns=words.TAPE_COLUMNS,
        own=who.organisation == tape.bank,
        may_open="auditor" not in who.roles or len(who.roles) > 1,
        **({"conflict": None, "same": False} | more),
    )


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, request.path_params["reference"], conflict=problem)


APPLY = [stay(_stays), allowed("loans.tape.apply")]


@router.get("/tapes/{reference}/file", dependencies=READ)
def file_of(request: Request, reference: str, who: Who, uow: Uow) -> Response:
    tape = tapes.open_tape(uow, who, reference)
    return download(store(request).get(tape.sha256), tape.media_type, tape.name)


@router.post("/tapes/{reference}/apply", dependencies=APPLY)
def apply(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)
    try:
        without = values.get("without_missing") == "true"
        tapes.apply(uow, who, reference, version=forms.version_of(values), without_missing=without)
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, reference, errors=error.fields)
    return seen(f"/loans/tapes/{reference}")


@router.post("/tapes/{reference}/check", dependencies=APPLY)
def again(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    version = forms.version_of(forms.posted_values(posted))
    tapes.again(uow, who, reference, store(request).get, version=version)
    return seen(f"/loans/tapes/{reference}")


@router.post("/tapes/{reference}/discard", dependencies=APPLY)
def discard(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    tapes.discard(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen("/loans/tapes")
