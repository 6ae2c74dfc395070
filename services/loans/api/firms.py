"""JSON API of firms' profiles: dated facts with their source, the size class with the figures it rests on."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.loans import storage
from services.loans.api.proposals import Limit
from services.loans.api.shapes import Given, ProposalOut
from services.loans.domain.facts import Source, Topic
from services.loans.domain.firm import Fact
from services.loans.handlers import access, firms
from services.loans.handlers.firms import Opened
from shared.database import UnitOfWork
from shared.events.fields import Prose
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["firms"])


class EntryOut(BaseModel):
    """One fact; `corrects` is the entry that it takes the place of."""

    number: int
    topic: Topic
    as_of: date
    source: Source
    side: str
    by_name: str
    at: datetime
    corrects: int | None
    why: str
    content: dict[str, Any]


class YearOut(BaseModel):
    """A year by its own figures; `held` says of each criterion whether it holds, null where nobody stated it."""

    year: int
    employees: Decimal | None
    turnover: Decimal | None
    balance_total: Decimal | None
    by_figures: str | None
    held: dict[str, bool | None]
    stands: str | None


class SizeOut(BaseModel):
    """The size class, the law it rests on, and how it came about; `pending` needs another year like the last."""

    code: str | None
    pending: str | None
    years: list[YearOut]


class FirmOut(BaseModel):
    organisation: str
    name: str
    programme: str
    currency: str
    version: int
    size: SizeOut | None
    entries: list[EntryOut]

    @classmethod
    def of(cls, opened: Opened) -> FirmOut:
        firm, size = opened.firm, opened.size
        years = [
            YearOut(
                **{name: getattr(item.figures, name) for name in ("year", "employees", "turnover", "balance_total")},
                **{name: getattr(item, name) for name in ("by_figures", "held", "stands")},
            )
            for item in (size.years if size else [])
        ]
        return cls(
            organisation=firm.id,
            **{name: getattr(firm, name) for name in ("name", "programme", "currency", "version")},
            size=SizeOut(code=size.code, pending=size.pending, years=years) if size else None,
            entries=[EntryOut.model_validate(item, from_attributes=True) for item in firm.entries],
        )


class FirmLine(BaseModel):
    organisation: str
    name: str
    programme: str
    entries: int
    employees: Decimal | None
    turnover: Decimal | None
    women_percent: Decimal | None
    currency: str


class FirmList(BaseModel):
    items: list[FirmLine]
    next: str | None


class Enter(Given):
    """A fact as of a day; the content's members depend on the topic. `corrects` asks for `why`."""

    version: Annotated[int | None, Field(ge=0)] = None  # 0 says that there is no profile yet
    topic: Topic
    as_of: date
    source: Source
    content: dict[str, Any]
    corrects: int | None = None
    why: Prose = ""


def _out(uow: UnitOfWork, who: Identity, organisation: str) -> FirmOut:
    return FirmOut.of(firms.open_firm(uow, who, organisation))


@router.get("/firms", dependencies=[allowed("loans.firm.list")])
def profiles(
    who: Who,
    connection: Reader,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: str | None = None,
    limit: Limit = 50,
) -> FirmList:
    page = storage.firm_rows(connection, firms.listed(who), q=q, cursor=cursor, limit=limit)
    names = set(FirmLine.model_fields) - {"organisation"}
    items = [FirmLine(organisation=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return FirmList(items=items, next=page.next)


@router.get("/firms/{organisation}", dependencies=[allowed("loans.firm.read")])
def read(organisation: str, who: Who, uow: Uow) -> FirmOut:
    return _out(uow, who, organisation)


@router.post("/firms/{organisation}/facts", status_code=201, dependencies=[allowed("loans.firm.write")])
def enter(organisation: str, given: Enter, who: Who, uow: Uow) -> FirmOut:
    fact = Fact(**given.model_dump(exclude={"version"}))
    firms.enter(uow, who, organisation, fact, version=given.version)
    uow.flush()
    return _out(uow, who, organisation)


@router.post("/proposals/{reference}/profile", dependencies=[allowed("loans.proposal.write")])
def fill_in(reference: str, given: Given, who: Who, uow: Uow) -> ProposalOut:
    firms.fill_in(uow, who, reference, version=given.version)
    uow.flush()
    return ProposalOut.of(access.proposal(uow, who, reference, "loans.proposal.read", lock=False))


class AdviserOut(BaseModel):
    """Who reads a firm's profile as its adviser, and how many of its proposals it supports."""

    organisation: str
    name: str
    proposals: int


@router.get("/firms/{organisation}/advisers", dependencies=[allowed("loans.firm.advisers")])
def advisers(organisation: str, who: Who, uow: Uow) -> list[AdviserOut]:
    rows = firms.advisers(uow, who, organisation)
    return [AdviserOut(organisation=row.id, name=row.name, proposals=row.proposals) for row in rows]


@router.post("/firms/{organisation}/advisers/{adviser}/end", dependencies=[allowed("loans.firm.part")])
def part(organisation: str, adviser: str, who: Who, uow: Uow) -> list[str]:
    """End an adviser's access; returns the proposals that it supported."""
    return firms.part(uow, who, organisation, adviser)
