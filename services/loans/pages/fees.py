"""Pages of success fees: the statement of each adviser, and one fee with what it is made of."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from services.loans import storage
from services.loans.handlers import access, fees
from services.loans.pages import forms
from services.loans.pages.proposals import STAY as PROPOSAL_STAYS
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Line
from shared.money import Amount
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
STAGES: dict[str, tuple[str, str]] = {
    "assigned": ("Nothing earned yet", ""),
    "accrued": ("Waits for approval", "warn"),
    "approved": ("Waits for payment", "warn"),
    "paid": ("Paid", "good"),
    "clawed_back": ("Clawed back", "bad"),
    "due_back": ("Due back", "bad"),
}


class PayForm(forms.VersionedForm):
    on: date
    payment: Line = ""


class ReturnForm(PayForm):
    amount: Amount


@router.get("/fees", dependencies=[allowed("loans.fee.list")])
def read_all(
    request: Request,
    who: Who,
    connection: Reader,
    adviser: Annotated[str, Query(max_length=80)] = "",
    cursor: str | None = None,
) -> HTMLResponse:
    scope = fees.seen_by(who, adviser)
    page, sums = storage.fee_rows(connection, *scope, cursor), storage.fee_sums(connection, *scope)
    context: dict[str, Any] = {
        "page": page,
        "sums": sums,
        "adviser": adviser,
        "stages": STAGES,
        "own": scope[0] is None,
    }
    return render(request, "fees.html", **context)


@router.post("/proposals/{reference}/adviser", dependencies=[PROPOSAL_STAYS, allowed("loans.fee.assign")])
def assign(reference: str, who: Who, uow: Uow, adviser: Annotated[str, Form(max_length=80)] = "") -> Response:
    fee = fees.assign(uow, who, reference, adviser)
    return seen(f"/loans/fees/{fee.id}")


@router.get("/fees/{reference}", dependencies=[allowed("loans.fee.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    fee = fees.open_fee(uow, who, reference)
    context: dict[str, Any] = {
        "fee": fee,
        "stages": STAGES,
        "today": access.today(uow),
        "may_approve": "programme_manager" in who.roles and who.user != fee.assigner,
        "may_pay": "finance_officer" in who.roles,
        "may_open": bool({"officer", "programme_manager"} & set(who.roles)),
        "me": who.user,
        "conflict": None,
        "done": "",
    }
    status = 422 if "errors" in more else 409 if "conflict" in more else 200
    return render(request, "fee.html", status_code=status, **(context | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed)


STAY = stay(_stays)
PAY = [STAY, allowed("loans.fee.pay")]


@router.post("/fees/{reference}/approve", dependencies=[STAY, allowed("loans.fee.approve")])
def approve(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    fees.approve(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/fees/{reference}")


@router.post("/fees/{reference}/payments/{number}", dependencies=PAY)
def pay(  # noqa: PLR0917 - what the address and the form give
    request: Request, reference: str, number: int, posted: forms.Posted, who: Who, uow: Uow
) -> Response:
    try:
        form = forms.parsed(PayForm, posted)
        fees.pay(uow, who, reference, number, (form.on, form.payment), version=form.version)
    except InvalidError as error:
        uow.abandon()
        given = forms.posted_values(posted)
        return _page(request, uow, who, reference, errors=error.fields, given=given, done=str(number))
    return seen(f"/loans/fees/{reference}")


@router.post("/fees/{reference}/returns", dependencies=PAY)
def give_back(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(ReturnForm, posted)
        fees.give_back(uow, who, reference, form.amount, (form.on, form.payment), version=form.version)
    except InvalidError as error:
        uow.abandon()
        given = forms.posted_values(posted)
        return _page(request, uow, who, reference, errors=error.fields, given=given, done="return")
    return seen(f"/loans/fees/{reference}")
