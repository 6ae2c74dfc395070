"""JSON API of success fees: assign, read, approve, pay, return, and the statement of each adviser."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from services.loans import storage
from services.loans.api.shapes import Given
from services.loans.domain.fee import Accrual, ClawBack, Fee, Payout, Return
from services.loans.domain.fee_rules import SuccessFee
from services.loans.handlers import fees
from shared.events.fields import Line
from shared.money import Amount, Money
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["fees"])
LIST = [allowed("loans.fee.list")]
PAY = [allowed("loans.fee.pay")]


class Assign(BaseModel):
    model_config = ConfigDict(extra="forbid")

    adviser: Line


class Paid(Given):
    """How a sum was paid: the day, and its reference in the books."""

    on: date
    payment: Line

    def said(self) -> tuple[date, str]:
        return self.on, self.payment


class Returned(Paid):
    amount: Amount


class FeeOut(BaseModel):
    """A fee with all that it is made of: earned - lost - approved - paid + returned = to_approve - due_back."""

    reference: str
    version: int
    proposal: str
    programme: str
    adviser: str
    adviser_name: str
    firm_name: str
    stage: str
    rule: SuccessFee
    earned: Money
    lost: Money
    approved: Money
    paid: Money
    returned: Money
    to_approve: Money
    due_back: Money
    assigned_at: datetime
    assigned_by: str
    accruals: list[Accrual]
    payouts: list[Payout]
    claw_back: ClawBack | None
    returns: list[Return]

    @classmethod
    def of(cls, fee: Fee) -> FeeOut:
        same = {name: getattr(fee, name) for name in cls.model_fields if name in Fee.model_fields}
        sums = ("earned", "lost", "approved", "paid", "returned", "to_approve", "due_back", "stage")
        said = {name: getattr(fee, name)() for name in sums}
        return cls(reference=fee.id, adviser=fee.organisation, adviser_name=fee.organisation_name, **same, **said)


class FeeLine(BaseModel):
    reference: str
    proposal: str
    programme: str
    organisation: str
    organisation_name: str
    firm_name: str
    stage: str
    currency: str
    earned: Decimal
    lost: Decimal
    approved: Decimal
    paid: Decimal
    returned: Decimal

    @classmethod
    def of(cls, row: Any) -> FeeLine:
        same = {name: getattr(row, name) for name in cls.model_fields if name != "reference"}
        return cls(reference=row.id, **same)


class FeeList(BaseModel):
    items: list[FeeLine]
    next: str | None


class Statement(BaseModel):
    """All fees of an adviser in one currency."""

    model_config = ConfigDict(from_attributes=True)

    organisation: str
    organisation_name: str
    currency: str
    fees: int
    earned: Decimal
    lost: Decimal
    approved: Decimal
    paid: Decimal
    returned: Decimal


@router.get("/fees", dependencies=LIST)
def read_all(
    who: Who,
    connection: Reader,
    adviser: Line = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> FeeList:
    page = storage.fee_rows(connection, *fees.seen_by(who, adviser), cursor, limit)
    return FeeList(items=[FeeLine.of(row) for row in page.items], next=page.next)


@router.get("/fees/statements", dependencies=LIST)
def statements(who: Who, connection: Reader, adviser: Line = "") -> list[Statement]:
    return [Statement.model_validate(row) for row in storage.fee_sums(connection, *fees.seen_by(who, adviser))]


@router.post("/proposals/{reference}/adviser", status_code=201, dependencies=[allowed("loans.fee.assign")])
def assign(reference: str, given: Assign, who: Who, uow: Uow) -> FeeOut:
    fee = fees.assign(uow, who, reference, given.adviser)
    uow.flush()
    return FeeOut.of(fee)


@router.get("/fees/{reference}", dependencies=[allowed("loans.fee.read")])
def read(reference: str, who: Who, uow: Uow) -> FeeOut:
    return FeeOut.of(fees.open_fee(uow, who, reference))


@router.post("/fees/{reference}/approval", dependencies=[allowed("loans.fee.approve")])
def approve(reference: str, given: Given, who: Who, uow: Uow) -> FeeOut:
    fee = fees.approve(uow, who, reference, version=given.version)
    uow.flush()
    return FeeOut.of(fee)


@router.post("/fees/{reference}/payments/{number}", dependencies=PAY)
def pay(reference: str, number: int, given: Paid, who: Who, uow: Uow) -> FeeOut:
    fee = fees.pay(uow, who, reference, number, given.said(), version=given.version)
    uow.flush()
    return FeeOut.of(fee)


@router.post("/fees/{reference}/returns", dependencies=PAY)
def give_back(reference: str, given: Returned, who: Who, uow: Uow) -> FeeOut:
    fee = fees.give_back(uow, who, reference, given.amount, given.said(), version=given.version)
    uow.flush()
    return FeeOut.of(fee)
