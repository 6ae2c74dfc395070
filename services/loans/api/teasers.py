"""JSON API of anonymised teasers. A bank is given the face of a teaser and nothing that leads to the firm."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.loans import storage
from services.loans.api.shapes import Given
from services.loans.domain.teaser import Face, Teaser
from services.loans.handlers import access, teasers
from services.loans.handlers.teasers import Showing
from shared.events.fields import Line
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["teasers"])
TEASE = [allowed("loans.proposal.tease")]


class TeaserOut(BaseModel):
    """A teaser as its bank sees it."""

    reference: str
    version: int
    programme: str
    stage: str
    until: date
    face: Face
    reasons: list[str]

    @classmethod
    def of(cls, item: Teaser) -> TeaserOut:
        names = set(cls.model_fields) - {"reference"}
        return cls(reference=item.id, **{name: getattr(item, name) for name in names})


class TeaserList(BaseModel):
    items: list[TeaserOut]
    next: str | None


class AnswerIn(Given):
    """Whether the bank wants to see more; without interest at least one of the programme's coded reasons."""

    interested: bool
    reasons: Annotated[list[Line], Field(max_length=20)] = []


class TeaseIn(Given):
    """The banks that may see the teaser, until a day."""

    banks: Annotated[list[Line], Field(min_length=1, max_length=100)]
    until: date


class ShownOut(BaseModel):
    """One bank's teaser as the firm sees it."""

    teaser: str
    bank: str
    bank_name: str
    stage: str
    until: date
    reasons: list[str]
    answered_at: datetime | None
    answered_by: str

    @classmethod
    def of(cls, item: Teaser) -> ShownOut:
        return cls(teaser=item.id, **{name: getattr(item, name) for name in cls.model_fields if name != "teaser"})


class ShowingOut(BaseModel):
    """What banks would see of a proposal today, and what they answered."""

    face: Face
    shown: list[ShownOut]

    @classmethod
    def of(cls, found: Showing) -> ShowingOut:
        return cls(face=found.face, shown=[ShownOut.of(item) for item in found.shown])


@router.get("/teasers", dependencies=[allowed("loans.teaser.list")])
def inbox(  # noqa: PLR0917 - what the list is asked for
    request: Request,
    who: Who,
    connection: Reader,
    stage: Literal["", "shown", "interested", "not_for_us"] = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TeaserList:
    today, stages = access.local_day(request.app.state.clock()), (stage,) if stage else ()
    page = storage.teaser_rows(connection, who.organisation or "", today, stages=stages, cursor=cursor, limit=limit)
    names = set(TeaserOut.model_fields) - {"reference"}
    items = [TeaserOut(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return TeaserList(items=items, next=page.next)


@router.get("/teasers/{reference}", dependencies=[allowed("loans.teaser.read")])
def read(reference: str, who: Who, uow: Uow) -> TeaserOut:
    return TeaserOut.of(teasers.read(uow, who, reference)[0])


@router.post("/teasers/{reference}/answer", dependencies=[allowed("loans.teaser.answer")])
def answer(reference: str, given: AnswerIn, who: Who, uow: Uow) -> TeaserOut:
    item = teasers.answer(uow, who, reference, given.interested, given.reasons, version=given.version)
    uow.flush()
    return TeaserOut.of(item)


@router.get("/proposals/{reference}/teaser", dependencies=TEASE)
def showing(reference: str, who: Who, uow: Uow) -> ShowingOut:
    return ShowingOut.of(teasers.showing(uow, who, reference))


@router.post("/proposals/{reference}/teasers", status_code=201, dependencies=TEASE)
def show(reference: str, given: TeaseIn, who: Who, uow: Uow) -> ShowingOut:
    teasers.show(uow, who, reference, given.banks, given.until, version=given.version)
    uow.flush()
    return ShowingOut.of(teasers.showing(uow, who, reference))


@router.post("/proposals/{reference}/teasers/end", dependencies=TEASE)
def take_back(reference: str, given: Given, who: Who, uow: Uow) -> ShowingOut:
    teasers.take_back(uow, who, reference, version=given.version)
    uow.flush()
    return ShowingOut.of(teasers.showing(uow, who, reference))
