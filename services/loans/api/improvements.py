"""JSON API of improvement plans: what to do after a decline, who has done what, and the lift that came of it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.loans import storage
from services.loans.api.shapes import Given
from services.loans.domain.scoring import Score
from services.loans.handlers import improvements
from services.loans.handlers.improvements import Opened
from shared.database import UnitOfWork
from shared.events.fields import Line, Prose
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["improvements"])
WORK = [allowed("loans.improvement.work")]


class TaskOut(BaseModel):
    """A task as it stands: `value` is the present figure of one that is measured by a figure."""

    code: str
    source: str
    name: dict[str, str]
    by: str
    due: date
    figure: str
    at_least: Decimal | None
    rule: str
    done: bool
    late: bool
    value: Decimal | None
    done_at: datetime | None
    done_by: str | None
    evidence: str
    document: str


class ImprovementOut(BaseModel):
    """A plan; `now` is the score of the proposal as it is, or of the version that was referred again."""

    reference: str
    version: int
    proposal: str
    referral: str
    number: int
    bank: str
    bank_name: str
    organisation: str
    organisation_name: str
    title: str
    reasons: list[str]
    opened_on: date
    before: Score
    now: Score
    tasks: list[TaskOut]
    again: str | None
    outcome: str | None

    @classmethod
    def of(cls, opened: Opened) -> ImprovementOut:
        made = {"reference", "now", "tasks", "outcome"}
        return cls(
            reference=opened.plan.id,
            now=opened.now,
            tasks=[
                TaskOut(done=item.done, late=item.late, value=item.value, **_own(item.task)) for item in opened.tasks
            ],
            outcome=opened.again.stage if opened.again else None,
            **{name: getattr(opened.plan, name) for name in cls.model_fields if name not in made},
        )


def _own(task: BaseModel) -> dict[str, object]:
    return {name: getattr(task, name) for name in TaskOut.model_fields if name not in {"done", "late", "value"}}


class ImprovementLine(BaseModel):
    reference: str
    proposal: str
    referral: str
    programme: str
    organisation_name: str
    bank_name: str
    title: str
    due: date | None
    again: str | None
    outcome: str | None
    readiness_before: Decimal
    readiness_after: Decimal | None
    dscr_before: Decimal | None
    dscr_after: Decimal | None


class ImprovementList(BaseModel):
    items: list[ImprovementLine]
    next: str | None


class LiftOut(BaseModel):
    """What plans of a programme came to; means are of those that were referred again."""

    programme: str
    plans: int
    again: int
    decided: int
    lent: int
    readiness_before: Decimal | None
    readiness_after: Decimal | None
    dscr_before: Decimal | None
    dscr_after: Decimal | None


class AddTask(Given):
    text: Annotated[Line, Field(min_length=1)]
    by: Literal["applicant", "officer"] = "applicant"
    due: date


class Finish(Given):
    """What shows that the task is done; `document` is the hash of one of the proposal's documents."""

    evidence: Annotated[Prose, Field(min_length=1)]
    document: Line = ""


def _out(uow: UnitOfWork, who: Identity, reference: str) -> ImprovementOut:
    uow.flush()
    return ImprovementOut.of(improvements.open_improvement(uow, who, reference))


@router.get("/improvements", dependencies=[allowed("loans.improvement.list")])
def plans(
    who: Who, connection: Reader, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> ImprovementList:
    page = storage.improvement_rows(connection, who.programmes, cursor=cursor, limit=limit)
    names = set(ImprovementLine.model_fields) - {"reference"}
    items = [ImprovementLine(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return ImprovementList(items=items, next=page.next)


@router.get("/improvements/lift", dependencies=[allowed("loans.improvement.list")])
def lift(who: Who, connection: Reader) -> list[LiftOut]:
    return [LiftOut.model_validate(dict(row._mapping)) for row in storage.lift(connection, who.programmes)]  # noqa: SLF001


@router.get("/improvements/{reference}", dependencies=[allowed("loans.improvement.read")])
def read(reference: str, who: Who, uow: Uow) -> ImprovementOut:
    return ImprovementOut.of(improvements.open_improvement(uow, who, reference))


@router.post("/improvements/{reference}/tasks", status_code=201, dependencies=WORK)
def add_task(reference: str, given: AddTask, who: Who, uow: Uow) -> ImprovementOut:
    task = improvements.NewTask(text=given.text, by=given.by, due=given.due)
    improvements.add_task(uow, who, reference, task, version=given.version)
    return _out(uow, who, reference)


@router.post("/improvements/{reference}/tasks/{code}/evidence", dependencies=WORK)
def finish(reference: str, code: str, given: Finish, who: Who, uow: Uow) -> ImprovementOut:
    improvements.finish_task(uow, who, reference, code, given.evidence, given.document, version=given.version)
    return _out(uow, who, reference)


@router.post("/improvements/{reference}/tasks/{code}/reopening", dependencies=WORK)
def reopen(reference: str, code: str, given: Given, who: Who, uow: Uow) -> ImprovementOut:
    improvements.reopen_task(uow, who, reference, code, version=given.version)
    return _out(uow, who, reference)
