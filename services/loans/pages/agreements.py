"""Pages of a loan: its terms, what was paid out and confirmed, and the repayment schedule."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.loans import storage
from services.loans.handlers import access, loans
from services.loans.pages import chain_words, forms, words
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)


@router.get("/agreements/{reference}", dependencies=[allowed("loans.loan.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    loan = access.loan(uow, who, reference, "loans.loan.read", lock=False)
    side = "bank" if who.organisation == loan.bank else "applicant" if who.organisation == loan.organisation else ""
    today = access.today(uow)
    status = 422 if "errors" in more else 409 if "conflict" in more else 200
    context = {"loan": loan, "side": side, "today": today, "conflict": None, "done": ""} | more
    stands = loans.stands(uow, loan)
    context |= {"stands": stands, "stages": words.STAGES, "columns": words.TAPE_COLUMNS}
    shown = storage.chain.agreements_of(uow.connection, loan.referral)
    context["chain"] = [row for row in shown if side != "bank" or (row.shared and row.stage != "withdrawn")]
    context["chain_stages"] = chain_words.STAGES
    return render(request, "loan.html", status_code=status, **context)


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed)


STAY = stay(_stays)
CONFIRM = [STAY, allowed("loans.loan.confirm")]


@router.post("/agreements/{reference}/disbursements", dependencies=[STAY, allowed("loans.loan.disburse")])
def disburse(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(forms.DisburseForm, posted)
        loans.report(uow, who, reference, form.amount, form.on)
    except InvalidError as error:
        return _page(request, uow, who, reference, errors=error.fields, given=forms.posted_values(posted))
    return seen(f"/loans/agreements/{reference}")


@router.post("/agreements/{reference}/disbursements/{number}/confirm", dependencies=CONFIRM)
def confirm(reference: str, number: int, who: Who, uow: Uow) -> Response:
    loans.confirm(uow, who, reference, number)
    return seen(f"/loans/agreements/{reference}")


@router.post("/agreements/{reference}/restructure", dependencies=[STAY, allowed("loans.loan.restructure")])
def restructure(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(forms.RestructureForm, posted)
        loans.restructure(uow, who, reference, loans.NewTerms.of(form), version=form.version)
    except InvalidError as error:
        uow.abandon()
        given = forms.posted_values(posted)
        return _page(request, uow, who, reference, errors=error.fields, given=given, done="restructure")
    return seen(f"/loans/agreements/{reference}")
