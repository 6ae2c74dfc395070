"""JSON API of banks that are asked one after another."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.loans.api.shapes import Agree, Given
from services.loans.domain.sequence import Sequence, Step
from services.loans.handlers import proposals, sequences
from shared.errors import NotFoundError
from shared.events.fields import Line
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["sequences"])
REFER = [allowed("loans.proposal.refer")]


class OrderIn(Given):
    """The banks that still wait, in their new order; who is left out is asked no more."""

    banks: Annotated[list[Line], Field(max_length=100)]


class StepOut(BaseModel):
    """One bank; `why` is how its turn ended, or why it had none."""

    bank: str
    bank_name: str
    state: str
    referral: str | None
    asked_at: datetime | None
    over_at: datetime | None
    why: str
    fields: list[str]
    purpose: str
    until: date
    product: str | None
    product_number: int | None

    @classmethod
    def of(cls, step: Step) -> StepOut:
        agreed = {"fields", "purpose", "until"}
        own = {name: getattr(step, name) for name in cls.model_fields if name not in agreed}
        return cls(**own, **{name: getattr(step.consent, name) for name in agreed})


class SequenceOut(BaseModel):
    """A sequence; `next_on` is when the next bank is asked should the present one not answer."""

    reference: str
    version: int
    proposal: str
    number: int
    stage: str
    why: str
    steps: list[StepOut]
    next_on: date | None

    @classmethod
    def of(cls, item: Sequence, next_on: date | None) -> SequenceOut:
        made = {"reference", "steps", "next_on"}
        same = {name: getattr(item, name) for name in cls.model_fields if name not in made}
        return cls(reference=item.id, steps=[StepOut.of(step) for step in item.steps], next_on=next_on, **same)


def _out(uow: Uow, who: Identity, reference: str) -> SequenceOut:
    uow.flush()
    found = sequences.open_sequence(uow, who, reference)
    if found.sequence is None:
        raise NotFoundError("There is no such record")
    return SequenceOut.of(found.sequence, found.next_on)


@router.get("/proposals/{reference}/sequence", dependencies=REFER)
def read(reference: str, who: Who, uow: Uow) -> SequenceOut:
    return _out(uow, who, reference)


@router.post("/proposals/{reference}/sequence/steps", status_code=201, dependencies=REFER)
def add(reference: str, given: Agree, who: Who, uow: Uow) -> SequenceOut:
    agreement = proposals.Agreement(**given.model_dump(exclude={"version"}))
    sequences.add(uow, who, reference, agreement, version=given.version)
    return _out(uow, who, reference)


@router.put("/proposals/{reference}/sequence/order", dependencies=REFER)
def arrange(reference: str, given: OrderIn, who: Who, uow: Uow) -> SequenceOut:
    sequences.arrange(uow, who, reference, given.banks, version=given.version)
    return _out(uow, who, reference)


@router.post("/proposals/{reference}/sequence/start", dependencies=REFER)
def start(reference: str, given: Given, who: Who, uow: Uow) -> SequenceOut:
    sequences.start(uow, who, reference, version=given.version)
    return _out(uow, who, reference)


@router.post("/proposals/{reference}/sequence/end", dependencies=REFER)
def end(reference: str, given: Given, who: Who, uow: Uow) -> SequenceOut:
    sequences.end(uow, who, reference, version=given.version)
    return _out(uow, who, reference)
