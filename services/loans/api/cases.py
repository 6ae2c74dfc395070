"""JSON API of an adviser's cases: the firms at a glance, contacts, the next step."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.loans.api.proposals import Limit
from services.loans.domain.advice import How, Side, Step
from services.loans.handlers import cases
from services.loans.handlers.cases import Case, Opened
from shared.database import UnitOfWork
from shared.events.fields import Line, Prose
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["cases"])


class StepOut(BaseModel):
    text: str
    side: Side
    due: date


class CaseLine(BaseModel):
    """A firm with its newest proposal; `readiness` is the share of rules that are met, from 0 to 1."""

    organisation: str
    organisation_name: str
    proposal: str
    title: str
    stage: str
    met: int
    of: int
    readiness: Decimal
    last_contact: date | None
    step: StepOut | None
    improvement_plans: int
    banks: list[dict[str, str]]
    fee_earned: Decimal | None
    fee_stage: str | None

    @classmethod
    def of_case(cls, case: Case) -> CaseLine:
        row = case.row
        return cls(
            **{name: getattr(row, name) for name in ("organisation", "organisation_name", "title", "stage")},
            proposal=row.id,
            met=case.met,
            of=case.of,
            readiness=round(case.share, 4),
            last_contact=row.last_contact,
            step=StepOut.model_validate(case.step, from_attributes=True) if case.step else None,
            improvement_plans=case.plans.plans if case.plans is not None else 0,
            banks=[{"bank": item.bank_name, "stage": item.stage} for item in case.banks],
            fee_earned=case.fee.earned if case.fee is not None else None,
            fee_stage=case.fee.stage if case.fee is not None else None,
        )


class CaseList(BaseModel):
    items: list[CaseLine]
    next: str | None


class ContactOut(BaseModel):
    on: date
    how: How
    note: str
    by_name: str


class CaseOut(CaseLine):
    """A case with its contacts; version 0 before the first one."""

    version: int
    contacts: list[ContactOut]

    @classmethod
    def of_opened(cls, opened: Opened) -> CaseOut:
        advice = opened.advice
        contacts = [
            ContactOut.model_validate(item, from_attributes=True) for item in (advice.contacts if advice else [])
        ]
        line = CaseLine.of_case(opened.case).model_dump()
        return cls(**line, version=advice.version if advice else 0, contacts=contacts)


class StepIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Annotated[Line, Field(min_length=1)]
    side: Side = "firm"
    due: date


class NoteContact(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Annotated[int | None, Field(ge=0)] = None  # 0 says that there is no contact yet
    on: date
    how: How
    note: Annotated[Prose, Field(min_length=1)]
    step: StepIn | None = None


class StepDone(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Annotated[int | None, Field(ge=1)] = None


def _out(uow: UnitOfWork, who: Identity, organisation: str) -> CaseOut:
    uow.flush()
    return CaseOut.of_opened(cases.open_case(uow, who, organisation))


@router.get("/cases", dependencies=[allowed("loans.case.list")])
def read_all(
    *,
    who: Who,
    uow: Uow,
    sort: Literal["due", "contact", "changed", "name"] = "due",
    stage: Literal["", "draft", "locked"] = "",
    late: bool = False,
    q: Annotated[str, Query(max_length=200)] = "",
    adviser: Annotated[str, Query(max_length=80)] = "",
    cursor: str | None = None,
    limit: Limit = 25,
) -> CaseList:
    asked = cases.Asked(sort=sort, stage=stage, late=late, q=q, cursor=cursor, limit=limit)
    page = cases.cases(uow, who, cases.adviser_of(uow, who, adviser)[0], asked)
    return CaseList(items=[CaseLine.of_case(item) for item in page.items], next=page.next)


@router.get("/cases/{organisation}", dependencies=[allowed("loans.case.read")])
def read(organisation: str, who: Who, uow: Uow) -> CaseOut:
    return _out(uow, who, organisation)


@router.post("/cases/{organisation}/contacts", status_code=201, dependencies=[allowed("loans.case.keep")])
def contact(organisation: str, given: NoteContact, who: Who, uow: Uow) -> CaseOut:
    step = Step(**given.step.model_dump()) if given.step else None
    noted = cases.Noted(on=given.on, how=given.how, note=given.note, step=step)
    cases.contact(uow, who, organisation, noted, version=given.version)
    return _out(uow, who, organisation)


@router.post("/cases/{organisation}/step/done", dependencies=[allowed("loans.case.keep")])
def finish_step(organisation: str, given: StepDone, who: Who, uow: Uow) -> CaseOut:
    cases.finish_step(uow, who, organisation, version=given.version)
    return _out(uow, who, organisation)
