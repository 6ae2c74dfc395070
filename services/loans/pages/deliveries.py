"""Pages of deliveries: reported by form or file with each line's arithmetic first, answered, transferred, received."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from starlette.datastructures import FormData

from services.loans.domain.delivery_rows import COLUMNS, MOST
from services.loans.handlers import access, deliveries
from services.loans.handlers.deliveries import Report
from services.loans.pages import chain_words, forms, words
from services.loans.pages.proposals import seen
from services.loans.pages.tripartite import do, stays
from services.loans.storage import chain
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Line
from shared.exports.tables import CSV_TYPE, Column, Table, csv_pieces
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
REPORT = [allowed("loans.delivery.report")]
MAX_FILE = 1024 * 1024


class TransferForm(FormModel):
    deliveries: list[Line] = []
    on: date
    payment: Line = ""


class ReceiptForm(forms.VersionedForm):
    on: date


@router.get("/deliveries", dependencies=REPORT)
def form(request: Request, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who)


def _page(request: Request, uow: UnitOfWork, who: Identity, **more: Any) -> HTMLResponse:
    mine = chain.live_of(uow, who.organisation or "")
    report: Report | None = more.get("report")
    return render(
        request,
        "deliveries.html",
        status_code=422 if "errors" in more else 409 if more.get("conflict") else 200,
        agreements=[(item.id, f"{item.organisation_name} · {item.id}") for item in mine],
        goods=[
            (good.code, f"{good.name}, {good.unit} · {item.organisation_name}")
            for item in mine
            for good in item.terms.goods
        ],
        columns=COLUMNS,
        most=MOST,
        today=access.today(uow),
        fields=chain_words.FIELDS,
        labels={name: words.say(chain_words.FIELDS.get(name, name)) for name in more.get("errors", {})},
        sent=json.dumps([row.given | {"line": str(row.line)} for row in report.rows]) if report else "",
        **({"conflict": None, "report": None} | more),
    )


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, conflict=problem, given=request.state.typed)


STAY = stay(_stays)


@router.post("/deliveries/check", dependencies=[STAY, *REPORT])
def check(
    *,
    request: Request,
    posted: forms.Posted,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Show what each line of a file, or the one line of the form, comes to; nothing counts yet."""
    values = forms.posted_values(posted)
    typed = not (file and file.filename)
    try:
        rows = _sent(file, values)
        report = deliveries.check(uow, who, rows)
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, errors=error.fields, given=values)
    if typed and report.wrong:
        wrong: dict[str, str] = {item.field: item.rule for item in report.rows[0].problems}
        return _page(request, uow, who, errors=wrong, given=values)
    return _page(request, uow, who, report=report, given=values)


def _sent(file: UploadFile | None, values: dict[str, str]) -> list[dict[str, str]]:
    if file is None or not file.filename:
        return [{name: values.get(name, "") for name in COLUMNS}]
    content = file.file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise InvalidError({"file": "must be at most 1 MB"})
    return deliveries.rows_of_file(file.filename, content)


@router.post("/deliveries", dependencies=[STAY, *REPORT])
def report(request: Request, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    """Let the lines count that were just shown, all or none."""
    values = forms.posted_values(posted)
    try:
        rows = _read(values.get("rows", ""))
        found = deliveries.report(uow, who, rows, result=values.get("result"))
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, errors=error.fields)
    names = {row.agreement for row in found.rows}
    return seen(f"/loans/tripartite/{names.pop()}" if len(names) == 1 else "/loans/tripartite")


def _read(text: str) -> list[dict[str, str]]:
    wrong = InvalidError({"rows": "is not what the check gave: check the file again"})
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise wrong from error
    fits = isinstance(rows, list) and all(
        isinstance(row, dict) and all(isinstance(value, str) for value in row.values()) for row in rows
    )
    if not fits:
        raise wrong
    return list(rows)


@router.get("/deliveries/form.csv", dependencies=REPORT)
def empty(who: Who, uow: Uow) -> StreamingResponse:
    """Give a file to begin with: a line for each good of each agreement in force."""
    day = access.today(uow)
    cells = [
        [item.id, "", good.code, "", str(good.price), item.terms.currency, day.isoformat(), day.isoformat()]
        for item in chain.live_of(uow, who.organisation or "")
        for good in item.terms.goods
    ]
    table = Table("deliveries", [Column(name) for name in COLUMNS], iter(cells))
    header = {"content-disposition": f'attachment; filename="deliveries-{day.isoformat()}.csv"'}
    return StreamingResponse(csv_pieces(table), media_type=CSV_TYPE, headers=header)


# --- answers, transfers, receipts ---------------------------------------------------

ON_PAGE = stay(stays)
ANSWER = [ON_PAGE, allowed("loans.delivery.answer")]
TRANSFER = [ON_PAGE, allowed("loans.delivery.transfer")]
RECEIVE = [ON_PAGE, allowed("loans.delivery.receive")]


def _why(posted: FormData) -> str:
    return forms.posted_values(posted).get("why", "")[:2000]


@router.post("/tripartite/{reference}/deliveries/confirm", dependencies=ANSWER)
def confirm(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        chosen = [value for value in posted.getlist("deliveries") if isinstance(value, str)]
        deliveries.confirm_all(uow, who, reference, chosen)

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/tripartite/{reference}/deliveries/{delivery}/dispute", dependencies=ANSWER)
def dispute(request: Request, reference: str, delivery: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:  # noqa: PLR0917 - what the address and the form give
    def act() -> None:
        deliveries.dispute(uow, who, reference, delivery, _why(posted))

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/tripartite/{reference}/deliveries/{delivery}/take-back", dependencies=ANSWER)
def take_back(reference: str, delivery: str, who: Who, uow: Uow) -> Response:
    deliveries.take_back(uow, who, reference, delivery)
    return seen(f"/loans/tripartite/{reference}")


@router.post("/tripartite/{reference}/transfers", dependencies=TRANSFER)
def transfer(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        given = forms.parsed(TransferForm, posted)
        deliveries.transfer(uow, who, reference, given.deliveries, given.on, given.payment)

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/tripartite/{reference}/transfers/{number}/receive", dependencies=RECEIVE)
def receive(request: Request, reference: str, number: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:  # noqa: PLR0917 - what the address and the form give
    def act() -> None:
        given = forms.parsed(ReceiptForm, posted)
        deliveries.receive(uow, who, reference, number, given.on, version=given.version)

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)


@router.post("/tripartite/{reference}/transfers/{number}/refuse", dependencies=RECEIVE)
def refuse(request: Request, reference: str, number: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:  # noqa: PLR0917 - what the address and the form give
    def act() -> None:
        version = forms.version_of(forms.posted_values(posted))
        deliveries.refuse(uow, who, reference, number, _why(posted), version=version)

    return do(request=request, uow=uow, who=who, reference=reference, posted=posted, act=act)
