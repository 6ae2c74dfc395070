"""JSON API of guarantees: the firm's consent, the bank's request and claims, the guarantor's decisions."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field

from services.loans import storage
from services.loans.api.facilities import Because
from services.loans.api.proposals import store
from services.loans.api.shapes import Given
from services.loans.domain.guarantee import Guarantee
from services.loans.domain.guarantee_parts import Checked, Claim, Due, GuaranteeTerms, Position, Recovery
from services.loans.domain.matching import Finding
from services.loans.domain.permission import Permission
from services.loans.handlers import access, claims, guarantees
from services.loans.handlers.guarantees import Opened
from shared.events.fields import Line, Percent, Prose
from shared.money import Amount, Money
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["guarantees"])
LIST, READ = [allowed("loans.guarantee.list")], [allowed("loans.guarantee.read")]
DECIDE, PAY = [allowed("loans.guarantee.decide")], [allowed("loans.guarantee.pay")]
CLAIM, PERMIT = [allowed("loans.guarantee.claim")], [allowed("loans.permission.give")]


class Permit(Given):
    """A consent: one guarantor, fields ("block" or "block.field"), a purpose, until a day."""

    guarantor: Line
    fields: Annotated[list[Line], Field(min_length=1, max_length=200)]
    purpose: Line
    until: date
    language: Line = "en"
    text_version: Line


class Ask(Given):
    """What a bank asks for; the sum is `coverage_percent` of the loan's principal."""

    facility: Line
    coverage_percent: Percent
    note: Prose = ""


class Paid(Given):
    """How a sum was paid: the day, and its reference in the books."""

    on: date
    payment: Line


class Claimed(Given):
    amount: Amount
    note: Prose = ""


class Recovered(Given):
    amount: Amount
    on: date
    reference: Line


class PermissionOut(BaseModel):
    reference: str
    version: int
    loan: str
    guarantor: str
    guarantor_name: str
    fields: list[str]
    purpose: str
    until: date
    revoked_at: datetime | None

    @classmethod
    def of(cls, item: Permission) -> PermissionOut:
        agreed = item.consent.model_dump(include={"fields", "purpose", "until"})
        names = ("version", "loan", "guarantor", "guarantor_name", "revoked_at")
        return cls(reference=item.id, **agreed, **{name: getattr(item, name) for name in names})


class CheckOut(BaseModel):
    """One rule of the facility: met, not met, or (none) not to be told from what was shared."""

    rule: str
    met: bool | None
    said: str

    @classmethod
    def of(cls, item: Finding | Checked) -> CheckOut:
        message, params = (item.message, item.params) if isinstance(item, Checked) else item.said
        return cls(rule=item.rule, met=item.met, said=message % params if params else message)


class GuaranteeOut(BaseModel):
    """A guarantee as its reader may see it; `fields` are the firm's, for the guarantor, by its live consent alone."""

    reference: str
    version: int
    facility: str
    facility_name: str
    programme: str
    loan: str
    organisation_name: str
    bank: str
    bank_name: str
    guarantor: str
    guarantor_name: str
    stage: str
    legal: list[str]
    terms: GuaranteeTerms
    principal: Money
    sum: Money
    note: str
    requested_at: datetime
    requested_by: str
    issued_on: date | None
    until: date | None
    lapses_on: date | None
    ended_on: date | None
    ended_why: str
    paid: Money
    recovered: Money
    net: Money
    position: Position | None
    checks: list[CheckOut]
    dues: list[Due]
    documents: list[dict[str, Any]]
    claims: list[Claim]
    recoveries: list[Recovery]
    fields: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, found: Opened, position: Position | None) -> GuaranteeOut:
        item = found.guarantee
        made = {"checks", "documents"}
        same = {n: getattr(item, n) for n in cls.model_fields if n in Guarantee.model_fields and n not in made}
        inner = found.side in {"guarantor", "bank"}
        same |= {} if inner else {"claims": [], "note": ""}
        said = {name: getattr(item, name)() for name in ("paid", "recovered", "net", "lapses_on")}
        return cls(
            reference=item.id,
            legal=item.legal(found.side),
            position=position,
            documents=[document.model_dump(mode="json") for document in item.documents] if inner else [],
            checks=[CheckOut.of(check) for check in found.checks],
            fields={block: dict(values) for block, values in found.fields.items()},
            **same,
            **said,
        )


class GuaranteeLine(BaseModel):
    reference: str
    facility: str
    loan: str
    programme: str
    organisation_name: str
    bank: str
    bank_name: str
    guarantor_name: str
    stage: str
    currency: str
    principal: Amount
    sum: Amount
    coverage: Decimal
    net: Amount
    issued_on: date | None
    ended_on: date | None


class GuaranteeList(BaseModel):
    items: list[GuaranteeLine]
    next: str | None


def _out(uow: Any, who: Any, item: Guarantee) -> GuaranteeOut:
    uow.flush()
    return GuaranteeOut.of(guarantees.open_guarantee(uow, who, item.id), claims.position(uow, item))


@router.post("/loans/{reference}/permissions", status_code=201, dependencies=PERMIT)
def permit(reference: str, given: Permit, who: Who, uow: Uow) -> PermissionOut:
    agreement = guarantees.Agreement(**given.model_dump(exclude={"version"}))
    item = guarantees.permit(uow, who, reference, agreement)
    uow.flush()
    return PermissionOut.of(item)


@router.get("/loans/{reference}/permissions", dependencies=[allowed("loans.permission.list")])
def permissions(reference: str, who: Who, uow: Uow) -> list[PermissionOut]:
    """Return the consents about a loan that were not taken back."""
    access.scoped(uow, who, "loan", reference, "loans.permission.list")
    found = storage.live_permissions(uow.connection, reference)
    return [PermissionOut.of(storage.permissions(uow).get(item, for_update=False)) for item in found]


@router.post("/permissions/{reference}/revocation", dependencies=PERMIT)
def revoke(reference: str, given: Given, who: Who, uow: Uow) -> PermissionOut:
    item = guarantees.revoke(uow, who, reference, version=given.version)
    uow.flush()
    return PermissionOut.of(item)


@router.post("/loans/{reference}/guarantees", status_code=201, dependencies=[allowed("loans.guarantee.request")])
def request(reference: str, given: Ask, who: Who, uow: Uow) -> GuaranteeOut:
    wanted = guarantees.Wanted(given.facility, given.coverage_percent, given.note)
    return _out(uow, who, guarantees.request(uow, who, reference, wanted))


@router.get("/guarantees", dependencies=LIST)
def read_all(  # noqa: PLR0917 - the filters of the list
    who: Who,
    connection: Reader,
    facility: Line = "",
    stage: Line = "",
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> GuaranteeList:
    asked: dict[str, Any] = {"of": facility, "stage": stage, "q": q, "cursor": cursor, "limit": limit}
    page = storage.guarantee_rows(connection, **guarantees.seen_by(who), **asked)
    names = set(GuaranteeLine.model_fields) - {"reference"}
    items = [GuaranteeLine(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return GuaranteeList(items=items, next=page.next)


@router.get("/guarantees/{reference}", dependencies=READ)
def read(reference: str, who: Who, uow: Uow) -> GuaranteeOut:
    found = guarantees.open_guarantee(uow, who, reference)
    return GuaranteeOut.of(found, claims.position(uow, found.guarantee))


@router.post("/guarantees/{reference}/issue", dependencies=DECIDE)
def issue(reference: str, given: Given, who: Who, uow: Uow) -> GuaranteeOut:
    """Issue it, or agree as the first of the two people whom a large guarantee needs."""
    return _out(uow, who, guarantees.issue(uow, who, reference, version=given.version))


@router.post("/guarantees/{reference}/refusal", dependencies=DECIDE)
def decline(reference: str, given: Because, who: Who, uow: Uow) -> GuaranteeOut:
    return _out(uow, who, guarantees.decline(uow, who, reference, given.why, version=given.version))


@router.post("/guarantees/{reference}/withdrawal", dependencies=CLAIM)
def withdraw(reference: str, given: Given, who: Who, uow: Uow) -> GuaranteeOut:
    return _out(uow, who, guarantees.withdraw(uow, who, reference, version=given.version))


@router.post("/guarantees/{reference}/dues/{number}", dependencies=[allowed("loans.guarantee.receive")])
def receive(reference: str, number: int, given: Paid, who: Who, uow: Uow) -> GuaranteeOut:
    paid = (given.on, given.payment)
    return _out(uow, who, claims.receive(uow, who, reference, number, paid, version=given.version))


@router.post("/guarantees/{reference}/documents", status_code=201, dependencies=CLAIM)
def add_document(
    request: Request, reference: str, who: Who, uow: Uow, file: Annotated[UploadFile, File()]
) -> GuaranteeOut:
    access.scoped(uow, who, "guarantee", reference, guarantees.CLAIM)
    stored = store(request).put(file.filename or "", file.file)
    return _out(uow, who, claims.add_document(uow, who, reference, stored))


@router.get("/guarantees/{reference}/documents/{sha256}", dependencies=[allowed("loans.guarantee.document")])
def document(request: Request, reference: str, sha256: str, who: Who, uow: Uow) -> Response:
    found = claims.document_of(uow, who, reference, sha256)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(found.name)}", "cache-control": "no-store"}
    return Response(store(request).get(found.sha256), media_type=found.media_type, headers=headers)


@router.post("/guarantees/{reference}/claims", status_code=201, dependencies=CLAIM)
def claim(reference: str, given: Claimed, who: Who, uow: Uow) -> GuaranteeOut:
    return _out(uow, who, claims.claim(uow, who, reference, given.amount, given.note, version=given.version))


@router.post("/guarantees/{reference}/claim/approval", dependencies=PAY)
def approve_claim(reference: str, given: Given, who: Who, uow: Uow) -> GuaranteeOut:
    return _out(uow, who, claims.approve(uow, who, reference, version=given.version))


@router.post("/guarantees/{reference}/claim/payment", dependencies=PAY)
def pay_claim(reference: str, given: Paid, who: Who, uow: Uow) -> GuaranteeOut:
    return _out(uow, who, claims.pay(uow, who, reference, (given.on, given.payment), version=given.version))


@router.post("/guarantees/{reference}/claim/refusal", dependencies=PAY)
def refuse_claim(reference: str, given: Because, who: Who, uow: Uow) -> GuaranteeOut:
    return _out(uow, who, claims.refuse(uow, who, reference, given.why, version=given.version))


@router.post("/guarantees/{reference}/recoveries", status_code=201, dependencies=CLAIM)
def recover(reference: str, given: Recovered, who: Who, uow: Uow) -> GuaranteeOut:
    said = (given.on, given.reference)
    return _out(uow, who, claims.recover(uow, who, reference, given.amount, said, version=given.version))


@router.post("/guarantees/{reference}/claw-back", dependencies=PAY)
def claw_back(reference: str, given: Given, who: Who, uow: Uow) -> GuaranteeOut:
    """Ask back what was paid, when the loan has caught up by the tape."""
    return _out(uow, who, claims.claw_back(uow, who, reference, version=given.version))


@router.post("/guarantees/{reference}/closure", dependencies=PAY)
def close(reference: str, given: Because, who: Who, uow: Uow) -> GuaranteeOut:
    return _out(uow, who, claims.close(uow, who, reference, given.why, version=given.version))
