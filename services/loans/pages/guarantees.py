"""Pages of guarantees: the list, one with its arithmetic and its acts, and the page on which a firm agrees to one."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, File, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from services.loans import charts, storage
from services.loans.api.proposals import store
from services.loans.domain import guarantee_sums as sums
from services.loans.domain.disclosure import FIELDS
from services.loans.domain.guarantee import Guarantee
from services.loans.domain.loan import Loan
from services.loans.handlers import access, claims, guarantees
from services.loans.pages import forms, guarantee_words, words
from services.loans.pages.editor import download
from services.loans.pages.proposals import seen
from services.loans.pages.values import Values
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Line, Percent, Prose
from shared.money import Amount, Money
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.letters import by_event
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Query(max_length=200)]


class ConsentForm(FormModel):
    guarantor: Line = ""
    blocks: list[Line] = []
    purpose: Line = ""
    until: date
    text_version: Line
    language: Line


class AskForm(FormModel):
    facility: Line = ""
    coverage_percent: Percent
    note: Prose = ""


class PaidForm(forms.VersionedForm):
    on: date
    payment: Line = ""


class ClaimForm(forms.VersionedForm):
    amount: Amount
    note: Prose = ""


class RecoverForm(forms.VersionedForm):
    amount: Amount
    on: date
    reference: Line = ""


class WhyForm(forms.VersionedForm):
    why: Annotated[Prose, Field(min_length=1)]


@router.get("/guarantees", dependencies=[allowed("loans.guarantee.list")])
def read_all(  # noqa: PLR0917 - the filters of the page
    request: Request, who: Who, connection: Reader, stage: Text = "", q: Text = "", cursor: str | None = None
) -> HTMLResponse:
    asked = stage if stage in guarantee_words.STAGES else ""
    page = storage.guarantee_rows(connection, **guarantees.seen_by(who), stage=asked, q=q, cursor=cursor)
    context: dict[str, Any] = {"page": page, "q": q, "stage": asked, "own": "guarantor" in who.roles}
    return render(request, "guarantees.html", stages=guarantee_words.STAGES, **context)


# One guarantee.


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    found = guarantees.open_guarantee(uow, who, reference)
    item, day, locale = found.guarantee, access.today(uow), request.state.locale
    finance, _ = access.rules(uow, item.programme)
    values = Values(request.app.state.pages, finance, item.sum.currency, locale)
    letters_to = who.organisation if found.side else None
    letters = by_event(storage.letters(uow.connection, item.id, letters_to))
    return render(
        request,
        "guarantee.html",
        status_code=422 if "errors" in more else 409 if more.get("conflict") else 200,
        item=item,
        side=found.side,
        facility_name=found.facility.terms.said(locale),
        checks=guarantee_words.checks(found.checks, finance),
        fields={name: values.block(name, shown) for name, shown in found.fields.items() if name != "documents"},
        blocks=words.BLOCKS,
        possible=item.legal(found.side) if found.side else [],
        now=_now(request, item, claims.position(uow, item)),
        stages=guarantee_words.STAGES,
        loan_stages=words.STAGES,
        dues=guarantee_words.DUES,
        ended=guarantee_words.ENDED,
        move_names=guarantee_words.moves(),
        lines=words.acts(storage.timeline(uow.connection, item.id, refused=not found.side), letters),
        today=day,
        me=who.user,
        **({"conflict": None, "done": "", "given": {}, "number": 0} | more),
    )


def _now(request: Request, item: Guarantee, position: Any) -> dict[str, Any]:
    """Return what is guaranteed now with its picture, and what could be claimed, each with its figures."""
    outstanding = position.outstanding if position else item.principal
    nothing, paid = Money.zero(item.sum.currency), item.paid(item.cycle)
    guaranteed = max(sums.balance(item.sum, outstanding, item.terms.coverage_percent) - paid, nothing)
    parts = [(words.say("Guaranteed"), guaranteed.amount, "accent")]
    number = request.app.state.pages.number
    loss = item.loss(position) if position else None
    return {
        "position": position,
        "outstanding": outstanding,
        "guaranteed": guaranteed,
        "paid": paid,
        "bar": charts.usage_bar(parts, outstanding.amount, words.say("Guaranteed part of the loan"), number),
        "loss": loss,
        "most": loss.most(item.terms.first_claim_percent) if loss else nothing,
        "late": bool(position) and (position.days >= item.terms.claim_after_days or position.stage == "written_off"),
    }


@router.get("/guarantees/{reference}", dependencies=[allowed("loans.guarantee.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    given, done = request.state.typed, request.url.path.rsplit("/", 1)[-1]
    number = int(done) if done.isdigit() else 0
    return _page(
        request, uow, who, request.path_params["reference"], conflict=problem, given=given, done=done, number=number
    )


STAY = stay(_stays)
DECIDE, PAY = [STAY, allowed("loans.guarantee.decide")], [STAY, allowed("loans.guarantee.pay")]
CLAIM = [STAY, allowed("loans.guarantee.claim")]


def _back(reference: str) -> Response:
    return seen(f"/loans/guarantees/{reference}")


def _version(posted: Any) -> int:
    return forms.version_of(forms.posted_values(posted))


def _again(  # noqa: PLR0917 - what a refused form comes back with
    request: Request, uow: UnitOfWork, who: Identity, reference: str, posted: Any, error: InvalidError
) -> HTMLResponse:
    uow.abandon()
    done = request.url.path.rsplit("/", 1)[-1]
    number, given = int(done) if done.isdigit() else 0, forms.posted_values(posted)
    return _page(request, uow, who, reference, errors=error.fields, given=given, done=done, number=number)


@router.post("/guarantees/{reference}/issue", dependencies=DECIDE)
def issue(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    guarantees.issue(uow, who, reference, version=_version(posted))
    return _back(reference)


@router.post("/guarantees/{reference}/decline", dependencies=DECIDE)
def decline(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(WhyForm, posted)
        guarantees.decline(uow, who, reference, form.why, version=form.version)
    except InvalidError as error:
        return _again(request, uow, who, reference, posted, error)
    return _back(reference)


@router.post("/guarantees/{reference}/withdraw", dependencies=CLAIM)
def withdraw(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    guarantees.withdraw(uow, who, reference, version=_version(posted))
    return _back(reference)


@router.post("/guarantees/{reference}/dues/{number}", dependencies=[STAY, allowed("loans.guarantee.receive")])
def receive(  # noqa: PLR0917 - what the address and the form give
    request: Request, reference: str, number: int, posted: forms.Posted, who: Who, uow: Uow
) -> Response:
    try:
        form = forms.parsed(PaidForm, posted)
        claims.receive(uow, who, reference, number, (form.on, form.payment), version=form.version)
    except InvalidError as error:
        return _again(request, uow, who, reference, posted, error)
    return _back(reference)


@router.post("/guarantees/{reference}/documents", dependencies=CLAIM)
def add_document(  # noqa: PLR0917 - what the address and the form give
    request: Request, reference: str, posted: forms.Posted, file: Annotated[UploadFile, File()], who: Who, uow: Uow
) -> Response:
    access.scoped(uow, who, "guarantee", reference, guarantees.CLAIM)
    try:
        stored = store(request).put(file.filename or "", file.file)
        claims.add_document(uow, who, reference, stored, version=_version(posted))
    except InvalidError as error:
        return _again(request, uow, who, reference, posted, error)
    return _back(reference)


@router.get("/guarantees/{reference}/documents/{sha256}", dependencies=[allowed("loans.guarantee.document")])
def document(request: Request, reference: str, sha256: str, who: Who, uow: Uow) -> Response:
    found = claims.document_of(uow, who, reference, sha256)
    return download(store(request).get(found.sha256), found.media_type, found.name)


@router.post("/guarantees/{reference}/claim", dependencies=CLAIM)
def claim(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(ClaimForm, posted)
        claims.claim(uow, who, reference, form.amount, form.note, version=form.version)
    except InvalidError as error:
        return _again(request, uow, who, reference, posted, error)
    return _back(reference)


@router.post("/guarantees/{reference}/approve-claim", dependencies=PAY)
def approve_claim(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    claims.approve(uow, who, reference, version=_version(posted))
    return _back(reference)


@router.post("/guarantees/{reference}/pay-claim", dependencies=PAY)
def pay_claim(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(PaidForm, posted)
        claims.pay(uow, who, reference, (form.on, form.payment), version=form.version)
    except InvalidError as error:
        return _again(request, uow, who, reference, posted, error)
    return _back(reference)


@router.post("/guarantees/{reference}/refuse-claim", dependencies=PAY)
def refuse_claim(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(WhyForm, posted)
        claims.refuse(uow, who, reference, form.why, version=form.version)
    except InvalidError as error:
        return _again(request, uow, who, reference, posted, error)
    return _back(reference)


@router.post("/guarantees/{reference}/recoveries", dependencies=CLAIM)
def recover(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(RecoverForm, posted)
        claims.recover(uow, who, reference, form.amount, (form.on, form.reference), version=form.version)
    except InvalidError as error:
        return _again(request, uow, who, reference, posted, error)
    return _back(reference)


@router.post("/guarantees/{reference}/claw-back", dependencies=PAY)
def claw_back(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    claims.claw_back(uow, who, reference, version=_version(posted))
    return _back(reference)


@router.post("/guarantees/{reference}/close", dependencies=PAY)
def close(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(WhyForm, posted)
        claims.close(uow, who, reference, form.why, version=form.version)
    except InvalidError as error:
        return _again(request, uow, who, reference, posted, error)
    return _back(reference)


# The guarantees of a loan: where the firm agrees, and the bank asks.


def _of_loan(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    loan = access.loan(uow, who, reference, "loans.permission.list", lock=False)
    finance, _ = access.rules(uow, loan.programme)
    day, names = access.today(uow), storage.guarantors(uow.connection)
    given = [
        storage.permissions(uow).get(item, for_update=False)
        for item in storage.live_permissions(uow.connection, reference)
    ]
    live = [item for item in given if item.live_on(day)]
    terms = finance.for_guarantors()
    locale = request.state.locale if request.state.locale in terms.text else "en"
    side = {loan.bank: "bank", loan.organisation: "applicant"}.get(who.organisation or "", "")
    choices = _choices(uow, loan, live, day, request.state.locale) if side == "bank" else []
    return render(
        request,
        "loan_guarantees.html",
        status_code=422 if "errors" in more else 409 if more.get("conflict") else 200,
        loan=loan,
        side=side,
        permissions=live,
        guarantors=[
            (item.guarantor, names[item.guarantor])
            for item in finance.guarantors
            if item.guarantor in names and item.guarantor not in {one.guarantor for one in live}
        ],
        facilities=choices,
        facility_options=[(code, name) for code, name, _ in choices],
        rows=storage.guarantees_of(uow.connection, reference),
        free=not storage.held_for(uow.connection, [reference]),
        stages=guarantee_words.STAGES,
        consent=terms,
        blocks=[(name, words.BLOCKS[name], len(FIELDS[name]), name in terms.always) for name in FIELDS],
        purposes=[(item.code, item.said(locale)) for item in terms.purposes],
        text=terms.text[locale],
        language=locale,
        until=day + timedelta(days=terms.max_days),
        **({"conflict": None, "given": {}, "chosen": []} | more),
    )


def _choices(uow: UnitOfWork, loan: Loan, live: list[Any], day: date, locale: str) -> list[tuple[str, str, Decimal]]:
    """Return the facilities that the bank may ask under: those of guarantors whom the firm has named."""
    found = []
    for item in live:
        for row in storage.open_facilities(uow.connection, loan.programme, item.guarantor, day):
            name = row.names.get(locale) or row.names.get("en") or row.id
            found.append((row.id, f"{name} · {item.guarantor_name}", row.coverage))
    return found


@router.get("/agreements/{reference}/guarantees", dependencies=[allowed("loans.permission.list")])
def of_loan(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _of_loan(request, uow, who, reference)


def _loan_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _of_loan(request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed)


LOAN_STAYS = stay(_loan_stays)
PERMIT = allowed("loans.permission.give")


@router.post("/agreements/{reference}/permissions", dependencies=[LOAN_STAYS, PERMIT])
def permit(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(ConsentForm, posted)
        names = {"guarantor", "purpose", "until", "language", "text_version"}
        agreement = guarantees.Agreement(fields=form.blocks, **form.model_dump(include=names))
        guarantees.permit(uow, who, reference, agreement)
    except InvalidError as error:
        uow.abandon()
        again = {"given": forms.posted_values(posted), "chosen": posted.getlist("blocks")}
        return _of_loan(request, uow, who, reference, errors=error.fields, **again)
    return seen(f"/loans/agreements/{reference}/guarantees")


@router.post("/agreements/{reference}/permissions/{permission}/revoke", dependencies=[LOAN_STAYS, PERMIT])
def revoke(reference: str, permission: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    guarantees.revoke(uow, who, permission, version=_version(posted))
    return seen(f"/loans/agreements/{reference}/guarantees")


@router.post("/agreements/{reference}/guarantees", dependencies=[LOAN_STAYS, allowed("loans.guarantee.request")])
def ask(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(AskForm, posted)
        wanted = guarantees.Wanted(form.facility, form.coverage_percent, form.note)
        made = guarantees.request(uow, who, reference, wanted)
    except InvalidError as error:
        uow.abandon()
        return _of_loan(request, uow, who, reference, errors=error.fields, given=forms.posted_values(posted))
    return _back(made.id)
