"""JSON: bank details of organisations. Whole numbers are for finance and their owner; others read the last four.

Lifting the cooling-off asks for the password again: `POST /api/confirm` of the portal first.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from services.grants.api.applications import file_answer, store, vault
from services.grants.domain.payee import Payee
from services.grants.handlers import payees
from shared.database import UnitOfWork
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["bank details"])
_OF = "/organisations/{organisation}/bank"
_ONE = _OF + "/{number}"


def view(request: Request, uow: UnitOfWork, who: Identity, organisation: str) -> dict[str, Any]:
    """Return an organisation's bank details as `who` may see them."""
    uow.flush()  # so that the answer carries the version that the next act must name
    seen = payees.seen(uow, who, organisation, vault(request))
    known = seen.payee
    about = {"organisation": seen.organisation, "name": seen.name, "cooling_off_hours": seen.hours}
    items = []
    for item in known.details if known else []:
        free = item.free_at(seen.hours, seen.programme)
        items.append(
            item.model_dump(mode="json")
            | {"value": seen.numbers.get(item.number), "free_at": free.isoformat() if free else None}
            | {"shared_with": seen.shared_with.get(item.number, [])}
        )
    return about | {"version": known.version if known else 0, "details": items}


def _row(item: Payee) -> dict[str, Any]:
    waits, current = item.waiting, item.current
    shown = {"waiting": waits.masked if waits else None, "current": current.masked if current else None}
    return {"organisation": item.id, "name": item.name, "version": item.version} | shown


@router.get("/bank-details", dependencies=[allowed(payees.LIST)])
def listed(who: Who, connection: Reader, *, waiting: bool = False) -> list[dict[str, Any]]:
    """Return whose bank details one's programmes know, those that changed last first; `waiting` to be confirmed."""
    return [_row(item) for item in payees.listed(connection, who, waiting=waiting)]


@router.get(_OF, dependencies=[allowed(payees.READ)])
def details(request: Request, organisation: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return all bank details that an organisation has or had."""
    return view(request, uow, who, organisation)


@router.post(_OF, status_code=201, dependencies=[allowed(payees.ENTER)])
def enter(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    organisation: str,
    who: Who,
    uow: Uow,
    holder: Annotated[str, Form(max_length=140)],
    file: Annotated[UploadFile, File()],
    iban: Annotated[str, Form(max_length=60)] = "",
    bic: Annotated[str, Form(max_length=20)] = "",
    country: Annotated[str, Form(max_length=2)] = "",
    account: Annotated[str, Form(max_length=60)] = "",
    bank: Annotated[str, Form(max_length=120)] = "",
    version: Annotated[int, Form()] = 0,
) -> dict[str, Any]:
    """Enter an IBAN, or a domestic account with country and bank, and the bank's letter that shows it."""
    given = {"holder": holder, "iban": iban, "bic": bic, "country": country, "account": account, "bank": bank}
    command = payees.EnterDetails(**given, version=version)
    name = file.filename or ""
    payees.enter(
        uow, who, organisation, command, vault=vault(request), store=store(request), name=name, content=file.file
    )
    return view(request, uow, who, organisation)


@router.post(_ONE + "/confirmation", dependencies=[allowed(payees.CONFIRM)])
def confirm(  # noqa: PLR0917 - what names an account, beside what every route has
    request: Request, organisation: str, number: int, command: payees.Confirmation, who: Who, uow: Uow
) -> dict[str, Any]:
    """Confirm what another person entered; 422 on `note` says what has to be made sure of."""
    payees.confirm(uow, who, organisation, number, command, vault(request))
    return view(request, uow, who, organisation)


@router.post(_ONE + "/refusal", dependencies=[allowed(payees.REFUSE)])
def refuse(  # noqa: PLR0917 - what names an account, beside what every route has
    request: Request, organisation: str, number: int, command: payees.Because, who: Who, uow: Uow
) -> dict[str, Any]:
    """Do not confirm, or take back, with the reason."""
    payees.refuse(uow, who, organisation, number, command)
    return view(request, uow, who, organisation)


@router.post(_ONE + "/lift", dependencies=[allowed(payees.LIFT)])
def lift(  # noqa: PLR0917 - what names an account, beside what every route has
    request: Request, organisation: str, number: int, command: payees.Because, who: Who, uow: Uow
) -> dict[str, Any]:
    """Let payments of one's programme begin before the cooling-off is over, with the reason."""
    payees.lift(uow, who, organisation, number, command)
    return view(request, uow, who, organisation)


@router.post(_ONE + "/block", dependencies=[allowed(payees.BLOCK)])
def block(  # noqa: PLR0917 - what names an account, beside what every route has
    request: Request, organisation: str, number: int, command: payees.Because, who: Who, uow: Uow
) -> dict[str, Any]:
    """Pay no more to an account in use, with the reason."""
    payees.block(uow, who, organisation, number, command)
    return view(request, uow, who, organisation)


@router.get(_ONE + "/letter", dependencies=[allowed(payees.REVEAL)])
def letter(request: Request, organisation: str, number: int, who: Who, uow: Uow) -> Response:
    """Return the bank's letter, its hash checked; the read is recorded."""
    return file_answer(*payees.letter(uow, who, organisation, number, store(request), vault(request)))
