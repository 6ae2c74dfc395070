"""JSON API of guarantee facilities: propose, approve, refuse, close, and how much of one is used on a day."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.loans import storage
from services.loans.api.shapes import Given
from services.loans.domain.facility import Change, Facility, FacilityTerms
from services.loans.handlers import facilities
from services.loans.handlers.facilities import Utilisation
from shared.events.fields import Line, Prose
from shared.money import Amount, Money
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["guarantees"])
LIST, READ = [allowed("loans.facility.list")], [allowed("loans.facility.read")]
CHANGE = [allowed("loans.facility.change")]


class Begin(BaseModel):
    """A new facility of one's own organisation; it holds when another person has approved it."""

    model_config = ConfigDict(extra="forbid")

    programme: Line = ""
    why: Prose = ""
    terms: FacilityTerms


class Adopt(BaseModel):
    model_config = ConfigDict(extra="forbid")

    programme: Line = ""


class Alter(Given):
    terms: FacilityTerms
    why: Prose = ""


class Because(Given):
    why: Annotated[Prose, Field(min_length=1)]


class FacilityOut(BaseModel):
    """A facility: the terms that hold (the proposed ones while `number` is 0), and what waits, for the guarantor."""

    reference: str
    version: int
    programme: str
    guarantor: str
    guarantor_name: str
    stage: str
    number: int
    terms: FacilityTerms
    change: Change | None
    approved_by: str
    approved_at: datetime | None
    ended_why: str
    legal: list[str]

    @classmethod
    def of(cls, item: Facility, *, own: bool) -> FacilityOut:
        same = {name: getattr(item, name) for name in cls.model_fields if name in Facility.model_fields}
        shown = same if own else same | {"change": None}
        return cls(reference=item.id, legal=item.legal() if own else [], **shown)


class FacilityLine(BaseModel):
    reference: str
    programme: str
    guarantor: str
    guarantor_name: str
    stage: str
    number: int
    name: str
    currency: str
    ceiling: Amount
    coverage: Decimal
    valid_from: date
    valid_until: date | None
    waits: bool
    used: Amount


class FacilityList(BaseModel):
    items: list[FacilityLine]
    next: str | None


class PartOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    bank: str
    bank_name: str
    guarantees: int
    committed: Money
    outstanding: Money
    guaranteed: Money


class UtilisationOut(BaseModel):
    """A facility on a day: ceiling = committed + spent + free; `guaranteed` is what of the outstanding it covers."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    ceiling: Money
    committed: Money
    spent: Money
    free: Money
    outstanding: Money
    guaranteed: Money
    paid: Money
    cap: Money
    parts: list[PartOut]

    @classmethod
    def made(cls, found: Utilisation, who: Any, facility: Facility) -> UtilisationOut:
        """Return it; a bank reads its own part alone."""
        out = cls.model_validate(found)
        if "finance_partner" in who.roles and who.organisation != facility.guarantor:
            return out.model_copy(update={"parts": [item for item in out.parts if item.bank == who.organisation]})
        return out


@router.get("/facilities", dependencies=LIST)
def read_all(
    who: Who, connection: Reader, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> FacilityList:
    page = storage.facility_rows(connection, **facilities.seen_by(who), cursor=cursor, limit=limit)
    sums = storage.used(connection, [row.id for row in page.items])
    names = set(FacilityLine.model_fields) - {"reference", "used"}
    items = [
        FacilityLine(
            reference=row.id,
            used=sums[row.id].committed + sums[row.id].spent if row.id in sums else Decimal(0),
            **{name: getattr(row, name) for name in names},
        )
        for row in page.items
    ]
    return FacilityList(items=items, next=page.next)


@router.post("/facilities", status_code=201, dependencies=[allowed("loans.facility.begin")])
def begin(given: Begin, who: Who, uow: Uow) -> FacilityOut:
    facility = facilities.begin(uow, who, given.terms, programme=given.programme, why=given.why)
    uow.flush()
    return FacilityOut.of(facility, own=True)


@router.post("/facilities/pack", status_code=201, dependencies=[allowed("loans.facility.begin")])
def adopt(given: Adopt, who: Who, uow: Uow) -> list[FacilityOut]:
    """Propose the facilities of the programme's pack that this guarantor does not have yet."""
    found = facilities.adopt(uow, who, given.programme)
    uow.flush()
    return [FacilityOut.of(item, own=True) for item in found]


@router.get("/facilities/{reference}", dependencies=READ)
def read(reference: str, who: Who, uow: Uow) -> FacilityOut:
    item = facilities.open_facility(uow, who, reference)
    return FacilityOut.of(item, own=who.organisation == item.guarantor)


@router.get("/facilities/{reference}/utilisation", dependencies=READ)
def utilisation(reference: str, who: Who, uow: Uow, as_of: date | None = None) -> UtilisationOut:
    item = facilities.open_facility(uow, who, reference)
    return UtilisationOut.made(facilities.utilisation(uow, item, as_of), who, item)


@router.post("/facilities/{reference}/changes", status_code=201, dependencies=CHANGE)
def propose(reference: str, given: Alter, who: Who, uow: Uow) -> FacilityOut:
    facility = facilities.propose(uow, who, reference, given.terms, given.why, version=given.version)
    uow.flush()
    return FacilityOut.of(facility, own=True)


@router.post("/facilities/{reference}/approval", dependencies=CHANGE)
def approve(reference: str, given: Given, who: Who, uow: Uow) -> FacilityOut:
    facility = facilities.approve(uow, who, reference, version=given.version)
    uow.flush()
    return FacilityOut.of(facility, own=True)


@router.post("/facilities/{reference}/refusal", dependencies=CHANGE)
def refuse(reference: str, given: Because, who: Who, uow: Uow) -> FacilityOut:
    facility = facilities.refuse(uow, who, reference, given.why, version=given.version)
    uow.flush()
    return FacilityOut.of(facility, own=True)


@router.post("/facilities/{reference}/closure", dependencies=CHANGE)
def close(reference: str, given: Because, who: Who, uow: Uow) -> FacilityOut:
    facility = facilities.close(uow, who, reference, given.why, version=given.version)
    uow.flush()
    return FacilityOut.of(facility, own=True)
