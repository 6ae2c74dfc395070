"""JSON API of looks: every time a bank opened what a firm had agreed to show it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from services.loans.handlers import looks
from shared.web.dependencies import Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["proposals"])


class LookOut(BaseModel):
    """One look; `fields` are whole blocks or "block.field", and none without a live consent."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    referral: str
    bank: str
    bank_name: str
    person_name: str
    role: str
    way: str
    live: bool
    fields: list[str]


class BankLooksOut(BaseModel):
    """How often a referral was looked at; `in_vain` are looks without a live consent."""

    model_config = ConfigDict(from_attributes=True)

    referral: str
    bank: str
    bank_name: str
    looks: int
    people: int
    in_vain: int
    last: datetime


class LookList(BaseModel):
    items: list[LookOut]
    banks: list[BankLooksOut]
    next: str | None


@router.get("/proposals/{reference}/looks", dependencies=[allowed("loans.proposal.looks")])
def read(  # noqa: PLR0917 - what the list is asked for
    reference: str,
    who: Who,
    uow: Uow,
    referral: Annotated[str, Query(max_length=80)] = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> LookList:
    found = looks.looked(uow, who, reference, referral=referral, cursor=cursor, limit=limit)
    return LookList(
        items=[LookOut.model_validate(row) for row in found.page.items],
        banks=[BankLooksOut.model_validate(row) for row in found.banks],
        next=found.page.next,
    )
