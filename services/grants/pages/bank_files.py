"""Bank files: what waits for the bank, a file with its payments, the bank's confirmations with a dry run."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse

from services.grants.api.applications import store, vault
from services.grants.api.bank_files import file_of
from services.grants.domain.bank_file import BankFile, FileKind, Payment
from services.grants.domain.bulk import Sayable
from services.grants.handlers import bank_confirming, bank_files, listing
from services.grants.handlers.bank_files import Because, MakeBankFile
from services.grants.handlers.base import Packs
from services.grants.pages.common import back, show
from services.grants.pages.form import Posted
from services.grants.policy import POLICY
from services.grants.storage import bank_files as stored
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, StepUpError
from shared.i18n import translate
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity, has_confirmed

router = APIRouter(prefix="/bank-files")
HERE = "/grants/bank-files"
MOST_BYTES = 200_000


def _list(request: Request, uow: UnitOfWork, who: Identity, programme: str, **more: Any) -> HTMLResponse:
    connection, now = uow.connection, uow.now()
    chosen = listing.programme_of(connection, who, bank_files.READ, programme)
    rows = bank_files.waiting(connection, who, chosen, now) if chosen else []
    pack = Packs(connection, chosen).newest
    groups = [
        {"currency": currency, "sum": sums, "rows": [row for row in rows if row.tranche.amount.currency == currency]}
        for currency, sums in sorted(bank_files.sums(rows).items())
    ]
    context: dict[str, Any] = {
        "programme": chosen or "",
        "groups": groups,
        "files": stored.latest(connection, chosen) if chosen else [],
        "debtor": pack.payments.debtor if pack else None,
        "day": bank_files.next_day(pack, now) if pack else None,
        "may": _may(who, bank_files.MAKE, chosen),
        "errors": {},
        "given": {},
        "ticked": None,
        "conflict": None,
    }
    return show(request, "bank_files.html", **(context | more))


def _may(who: Identity, action: str, programme: str | None) -> bool:
    return programme is not None and programme in who.programmes and bool(POLICY.scopes(action, who))


def _list_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    typed = request.state.typed
    return _list(request, uow, who, typed.get("programme", ""), conflict=problem, given=typed, status_code=409)


@router.get("", dependencies=[allowed(bank_files.READ)])
def listed(request: Request, who: Who, uow: Uow, programme: Annotated[str, Query(max_length=80)] = "") -> HTMLResponse:
    """Show what is released and waits for the bank, and the latest files."""
    return _list(request, uow, who, programme)


@router.post("", dependencies=[stay(_list_stays), allowed(bank_files.MAKE)], response_model=None)
def make(request: Request, fields: Posted, who: Who, uow: Uow) -> Response:
    """Make a file of what is ticked; refused, the page comes back with the ticks and what is wrong."""
    programme, ticked = str(fields.get("programme", "")), [str(item) for item in fields.getlist("tranche")]
    day = str(fields.get("execution_day", ""))
    try:
        asked = MakeBankFile(programme=programme, tranches=ticked[:500], execution_day=_day(day))
        file = bank_files.make(uow, who, asked, store(request), vault(request))
    except InvalidError as error:
        uow.abandon()
        more = {"errors": error.fields, "ticked": ticked, "given": {"execution_day": day}, "status_code": 422}
        return _list(request, uow, who, programme, **more)
    return back(f"{HERE}/{file.id}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidError({"execution_day": "is not a date: write year-month-day"}) from error


def _page(request: Request, uow: UnitOfWork, who: Identity, file_id: str, **more: Any) -> HTMLResponse:
    file, _ = bank_files.seen(uow.connection, who, file_id)
    awards = reads.awards_by_case(uow.connection, sorted({item.case for item in file.payments}))
    rows = [_row(file, item, awards[item.case]) for item in file.payments]
    pack = Packs(uow.connection, file.programme).newest
    again = pack is not None and "confirm" in pack.payments.step_up and not has_confirmed(who, uow.now())
    context: dict[str, Any] = {
        "file": file,
        "rows": rows,
        "left": [(item, _said(request, item.why)) for item in file.left_out],
        "paid": sum(row["state"] == "paid" for row in rows),
        "open": sum(row["state"] == "waits" for row in rows),
        "may": _may(who, bank_files.MAKE, file.programme),
        "mine": file.made_by == f"user:{who.user}",
        "step_up": again,
        "asks_again": bank_files.asks_again(uow.connection, who, file.programme, uow.now()),
        "base": f"{HERE}/{file.id}",
        "errors": {},
        "given": {},
        "conflict": None,
        "tried": None,
        "results": [],
    }
    return show(request, "bank_file.html", **(context | more))


def _row(file: BankFile, item: Payment, award: Any) -> dict[str, Any]:
    tranche = award.tranche(item.tranche)
    state = "out" if item.taken_out else "elsewhere"
    if not item.taken_out and tranche.batch == file.id:
        state = "paid" if tranche.status == "paid" else "waits"
    return {"item": item, "state": state, "tranche": tranche}


def _said(request: Request, why: tuple[Sayable, ...]) -> str:
    locale = request.state.locale
    return "; ".join(translate("grants", one.message, one.params or None, locale=locale) for one in why)


@router.get("/{file_id}", dependencies=[allowed(bank_files.READ)])
def seen(request: Request, file_id: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show a bank file: its payments, who took it out, what the bank has paid of it."""
    return _page(request, uow, who, file_id)


def _page_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    typed = request.state.typed | {"form": request.scope["path"]}
    return _page(request, uow, who, request.path_params["file_id"], conflict=problem, given=typed, status_code=409)


STAY = stay(_page_stays)


@router.get("/{file_id}/file.{kind}", dependencies=[allowed(bank_files.TAKE)])
def download(request: Request, file_id: str, kind: FileKind, who: Who, uow: Uow) -> Response:
    """Download the file; that it was taken out is recorded. Who must give their password first comes back here."""
    try:
        return file_of(request, uow, who, file_id, kind)
    except StepUpError:
        uow.abandon()
        return RedirectResponse(f"/confirm?next={quote(f'{HERE}/{file_id}')}", 303)


class WhyForm(FormModel):
    """The form of an act with its reason."""

    why: str = ""
    version: int


def _because(form: WhyForm) -> Because:
    if not 1 <= len(form.why) <= 1000:
        raise InvalidError({"why": "is required"})
    return Because(why=form.why, version=form.version)


def _refused(  # noqa: PLR0917 - what was typed beside what every page has
    request: Request, uow: UnitOfWork, who: Identity, file_id: str, error: InvalidError, typed: dict[str, str]
) -> HTMLResponse:
    uow.abandon()
    given = typed | {"form": request.scope["path"]}
    return _page(request, uow, who, file_id, errors=error.fields, given=given, status_code=422)


@router.post("/{file_id}/cancellation", dependencies=[STAY, allowed(bank_files.CANCEL)], response_model=None)
def cancel(request: Request, file_id: str, form: Annotated[WhyForm, Form()], who: Who, uow: Uow) -> Response:
    """Cancel a file of which nothing is paid."""
    try:
        bank_files.cancel(uow, who, file_id, _because(form))
    except InvalidError as error:
        return _refused(request, uow, who, file_id, error, {"why": form.why})
    return back(f"{HERE}/{file_id}")


@router.post(
    "/{file_id}/payments/{case}/{number}/removal",
    dependencies=[STAY, allowed(bank_files.CANCEL)],
    response_model=None,
)
def take_out(  # noqa: PLR0917 - what names a payment, beside what every route has
    request: Request, file_id: str, case: str, number: int, form: Annotated[WhyForm, Form()], who: Who, uow: Uow
) -> Response:
    """Take a payment out that the bank did not carry out."""
    try:
        bank_files.take_out(uow, who, file_id, f"{case}/{number}", _because(form))
    except InvalidError as error:
        return _refused(request, uow, who, file_id, error, {"why": form.why})
    return back(f"{HERE}/{file_id}")


@router.post("/{file_id}/confirmations", dependencies=[STAY, allowed(bank_confirming.CONFIRM)], response_model=None)
def confirm(request: Request, file_id: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Try the bank's list out and show what each row comes to; then confirm exactly that list."""
    try_out = fields.get("act") != "confirm"
    try:
        text = _list_of(fields.get("file"), str(fields.get("csv", "")))
        command = bank_confirming.Confirmations.model_construct(csv=text, try_out=try_out)
        _, rows = bank_confirming.confirm(uow, who, file_id, command)
    except InvalidError as error:
        return _refused(request, uow, who, file_id, error, {"csv": str(fields.get("csv", ""))})
    uow.flush()
    results = [(row, _said(request, row.why)) for row in rows]
    good = any(not row.why for row in rows)
    return _page(request, uow, who, file_id, tried=text if try_out else None, good=good, results=results)


def _list_of(upload: Any, typed: str) -> str:
    if not isinstance(upload, UploadFile) and not hasattr(upload, "file"):
        return typed
    content = upload.file.read(MOST_BYTES * 4 + 1)
    if not content:
        return typed
    try:
        return bytes(content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError({"csv": "is not text in UTF-8"}) from error
