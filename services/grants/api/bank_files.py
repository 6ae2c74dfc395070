"""JSON: bank files. Whole account numbers stand in the files alone, which only finance takes out."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from services.grants.api.applications import store, vault
from services.grants.domain.bank_file import BankFile, FileKind
from services.grants.domain.bulk import Sayable
from services.grants.handlers import bank_confirming, bank_files, listing
from services.grants.storage import bank_files as stored
from shared.database import UnitOfWork
from shared.i18n import translate
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api/bank-files", tags=["bank files"])
READ = [allowed(bank_files.READ)]
Programme = Annotated[str, Query(max_length=80)]
TYPES = {"xml": "application/xml", "csv": "text/csv; charset=utf-8"}


def _why(items: tuple[Sayable, ...]) -> list[str]:
    return [translate("grants", item.message, item.params or None) for item in items]


def view(uow: UnitOfWork, file: BankFile) -> dict[str, Any]:
    """Return a bank file as JSON types, with its sums."""
    uow.flush()  # so that the answer carries the version that the next act must name
    control = file.control_sum().model_dump(mode="json")
    payments = [item.model_dump(mode="json") | {"id": item.id} for item in file.payments]
    left = [{"id": item.id, "payee": item.payee, "why": _why(item.why)} for item in file.left_out]
    about = {"version": file.version, "control_sum": control, "number_of_payments": len(payments)}
    return file.model_dump(mode="json") | about | {"payments": payments, "left_out": left}


def file_of(request: Request, uow: UnitOfWork, who: Identity, file_id: str, kind: FileKind) -> Response:
    """Return the kept bytes as a download."""
    file, sha256, content = bank_files.download(uow, who, file_id, kind, store(request), vault(request))
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(f'{file.id}.{kind}')}",
        "x-content-type-options": "nosniff",
        "etag": f'"{sha256}"',
        "cache-control": "private, no-store",
    }
    return Response(content, media_type=TYPES[kind], headers=headers)


@router.get("/waiting", dependencies=READ)
def waiting(request: Request, who: Who, connection: Reader, programme: Programme = "") -> list[dict[str, Any]]:
    """Return the released tranches that are in no file; `why_not` says what keeps one out of a file now."""
    chosen = listing.programme_of(connection, who, bank_files.READ, programme)
    found = bank_files.waiting(connection, who, chosen, request.app.state.clock()) if chosen else []
    return [
        {
            "id": item.id,
            "payee": item.award.organisation_name,
            "masked": item.masked,
            "spelled": item.spelled,
            "amount": item.tranche.amount.model_dump(mode="json"),
            "why_not": str(item.refusal) if item.refusal else None,
        }
        for item in found
    ]


@router.get("", dependencies=READ)
def listed(who: Who, connection: Reader, programme: Programme = "") -> list[dict[str, Any]]:
    """Return the latest bank files of a programme, newest first, without their payments."""
    chosen = listing.programme_of(connection, who, bank_files.READ, programme)
    items = stored.latest(connection, chosen) if chosen else []
    hidden = {"payments", "left_out", "downloads"}
    return [
        item.model_dump(mode="json", exclude=hidden)
        | {"control_sum": item.control_sum().model_dump(mode="json"), "number_of_payments": len(item.payments)}
        for item in items
    ]


@router.post("", status_code=201, dependencies=[allowed(bank_files.MAKE)])
def make(request: Request, command: bank_files.MakeBankFile, who: Who, uow: Uow) -> dict[str, Any]:
    """Put released tranches into a file; `left_out` names those that may not be paid now, each with the reason."""
    return view(uow, bank_files.make(uow, who, command, store(request), vault(request)))


@router.get("/{file_id}", dependencies=READ)
def seen(file_id: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return a bank file with its payments."""
    return view(uow, bank_files.seen(uow.connection, who, file_id)[0])


@router.get("/{file_id}/file.{kind}", dependencies=[allowed(bank_files.TAKE)])
def download(request: Request, file_id: str, kind: FileKind, who: Who, uow: Uow) -> Response:
    """Download the ISO 20022 message or the CSV, the same bytes each time; each download is recorded.

    Where a release asks for the password again, this does too: `POST /api/confirm` of the portal first.
    """
    return file_of(request, uow, who, file_id, kind)


@router.post("/{file_id}/cancellation", dependencies=[allowed(bank_files.CANCEL)])
def cancel(file_id: str, command: bank_files.Because, who: Who, uow: Uow) -> dict[str, Any]:
    """Cancel a file of which nothing is paid; another person than made it does."""
    return view(uow, bank_files.cancel(uow, who, file_id, command))


@router.post("/{file_id}/payments/{case}/{number}/removal", dependencies=[allowed(bank_files.CANCEL)])
def take_out(  # noqa: PLR0917 - what names a payment, beside what every route has
    file_id: str, case: str, number: int, command: bank_files.Because, who: Who, uow: Uow
) -> dict[str, Any]:
    """Take a payment out that the bank did not carry out."""
    return view(uow, bank_files.take_out(uow, who, file_id, f"{case}/{number}", command))


@router.post("/{file_id}/confirmations", dependencies=[allowed(bank_confirming.CONFIRM)])
def confirm(file_id: str, command: bank_confirming.Confirmations, who: Who, uow: Uow) -> dict[str, Any]:
    """Confirm what the bank's list (`csv`) says is paid, each row by itself; with `try_out` nothing is kept."""
    file, rows = bank_confirming.confirm(uow, who, file_id, command)
    said = [item.model_dump(exclude={"why"}) | {"taken": not item.why, "why": _why(item.why)} for item in rows]
    taken = sum(not item.why for item in rows)
    return {"file": file.id, "tried_out": command.try_out, "taken": taken, "refused": len(rows) - taken, "rows": said}
