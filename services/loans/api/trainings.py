"""JSON API of training and diagnostics: courses that are held, their attendance, a firm's people and scores."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.loans import storage
from services.loans.api.proposals import Limit
from services.loans.api.shapes import Given
from services.loans.domain.diagnostic import Diagnostic
from services.loans.domain.training import Seat
from services.loans.handlers import diagnostics, firms, trainings
from services.loans.handlers.trainings import Opened
from shared.database import UnitOfWork
from shared.events.fields import Line, Sum
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["training"])
KEEP = [allowed("loans.training.keep")]
Number = Annotated[int, Field(ge=1, le=1000)]


class SeatOut(BaseModel):
    """One person of a firm, by the number; the name for those alone who may see it, empty when it is erased."""

    organisation: str
    organisation_name: str
    person: int
    name: str
    role: str
    hours: Decimal
    percent: Decimal | None
    attempts: int
    passed_on: date | None
    certificate: str | None
    valid_until: date | None

    @classmethod
    def of(cls, seat: Seat, opened: Opened) -> SeatOut:
        name = opened.names.get(seat.key, "")
        return cls(name=name, **{field: getattr(seat, field) for field in cls.model_fields if field != "name"})


class TrainingOut(BaseModel):
    """A training; `seats` are all for who holds it, and those of the own firm for others."""

    reference: str
    version: int
    programme: str
    organisation: str
    organisation_name: str
    course: str
    hours: Decimal
    pass_percent: Decimal
    place: str
    starts: date
    ends: date
    stage: str
    why: str
    people: int
    seats: list[SeatOut]

    @classmethod
    def of(cls, opened: Opened) -> TrainingOut:
        item = opened.training
        names = ("version", "programme", "organisation", "organisation_name", "place", "starts", "ends", "stage", "why")
        return cls(
            reference=item.id,
            course=item.course.code,
            hours=item.course.hours,
            pass_percent=item.course.pass_percent,
            people=len(item.seats),
            seats=[SeatOut.of(seat, opened) for seat in opened.seats],
            **{name: getattr(item, name) for name in names},
        )


class TrainingLine(BaseModel):
    reference: str
    programme: str
    organisation: str
    organisation_name: str
    course: str
    stage: str
    starts: date
    ends: date
    people: int


class TrainingList(BaseModel):
    items: list[TrainingLine]
    next: str | None


class PlanCourse(BaseModel):
    model_config = ConfigDict(extra="forbid")

    course: Line
    starts: date
    ends: date
    place: Line = ""


class NamePerson(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[Line, Field(min_length=1)]
    role: Literal["owner", "manager", "employee"]


class PersonOut(BaseModel):
    number: int
    name: str
    role: str
    erased: bool


class Enrol(Given):
    firm: Line
    person: Number


class SeatLine(BaseModel):
    """What the list says of one person: hours, and a result of the test where there is one."""

    model_config = ConfigDict(extra="forbid")

    firm: Line
    person: Number
    hours: Sum
    percent: Sum | None = None


class Attendance(Given):
    lines: Annotated[list[SeatLine], Field(min_length=1, max_length=60)]


class Cancel(Given):
    why: Annotated[Line, Field(min_length=1)]


class Answers(Given):
    answers: dict[Line, Line]


class LevelIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: int
    evidence: str = ""


class TakeDiagnostic(BaseModel):
    """Levels from 0 to 4 by question."""

    model_config = ConfigDict(extra="forbid")

    taken_on: date
    answers: dict[Line, LevelIn]


class DiagnosticOut(BaseModel):
    """One taking; scores are shares from 0 to 1."""

    id: str
    organisation: str
    questionnaire: str
    number: int
    taken_on: date
    side: str
    by_name: str
    score: Decimal
    sections: dict[str, Decimal]


def _out(uow: UnitOfWork, who: Identity, reference: str) -> TrainingOut:
    uow.flush()
    return TrainingOut.of(trainings.open_training(uow, who, reference))


@router.get("/courses", dependencies=[allowed("loans.training.list")])
def held(who: Who, connection: Reader, cursor: str | None = None, limit: Limit = 50) -> TrainingList:
    page = storage.training_rows(connection, who.programmes, cursor=cursor, limit=limit)
    names = set(TrainingLine.model_fields) - {"reference"}
    items = [TrainingLine(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return TrainingList(items=items, next=page.next)


@router.post("/courses", status_code=201, dependencies=[allowed("loans.training.plan")])
def plan(given: PlanCourse, who: Who, uow: Uow) -> TrainingOut:
    return _out(uow, who, trainings.plan(uow, who, trainings.Planned(**given.model_dump())).id)


@router.get("/courses/{reference}", dependencies=[allowed("loans.training.read")])
def read(reference: str, who: Who, uow: Uow) -> TrainingOut:
    return _out(uow, who, reference)


@router.post("/courses/{reference}/seats", status_code=201, dependencies=[allowed("loans.training.enrol")])
def enrol(reference: str, given: Enrol, who: Who, uow: Uow) -> TrainingOut:
    trainings.enrol(uow, who, reference, given.firm, given.person, version=given.version)
    return _out(uow, who, reference)


@router.post("/courses/{reference}/seats/leave", dependencies=[allowed("loans.training.enrol")])
def leave(reference: str, given: Enrol, who: Who, uow: Uow) -> TrainingOut:
    trainings.leave(uow, who, reference, (given.firm, given.person), version=given.version)
    return _out(uow, who, reference)


@router.put("/courses/{reference}/attendance", dependencies=KEEP)
def keep(reference: str, given: Attendance, who: Who, uow: Uow) -> TrainingOut:
    lines = [trainings.Line((item.firm, item.person), item.hours, item.percent) for item in given.lines]
    trainings.keep(uow, who, reference, lines, version=given.version)
    return _out(uow, who, reference)


@router.post("/courses/{reference}/closing", dependencies=KEEP)
def close(reference: str, given: Given, who: Who, uow: Uow) -> TrainingOut:
    trainings.close(uow, who, reference, version=given.version)
    return _out(uow, who, reference)


@router.post("/courses/{reference}/cancellation", dependencies=KEEP)
def cancel(reference: str, given: Cancel, who: Who, uow: Uow) -> TrainingOut:
    trainings.cancel(uow, who, reference, given.why, version=given.version)
    return _out(uow, who, reference)


@router.post("/courses/{reference}/tests/{person}", dependencies=[allowed("loans.training.test")])
def answer(reference: str, person: int, given: Answers, who: Who, uow: Uow) -> TrainingOut:
    trainings.take_test(uow, who, reference, person, given.answers, version=given.version)
    return _out(uow, who, reference)


@router.get("/firms/{organisation}/people", dependencies=[allowed("loans.firm.read")])
def people(organisation: str, who: Who, uow: Uow) -> list[PersonOut]:
    found = firms.open_firm(uow, who, organisation).firm.people
    return [PersonOut.model_validate(item, from_attributes=True) for item in found]


@router.post("/firms/{organisation}/people", status_code=201, dependencies=[allowed("loans.firm.write")])
def name_person(organisation: str, given: NamePerson, who: Who, uow: Uow) -> PersonOut:
    found = firms.name_person(uow, who, organisation, given.name, given.role)
    return PersonOut.model_validate(found, from_attributes=True)


@router.delete("/firms/{organisation}/people/{person}", status_code=204, dependencies=[allowed("loans.firm.write")])
def erase_person(organisation: str, person: int, who: Who, uow: Uow) -> None:
    firms.erase_person(uow, who, organisation, person)


def _taken(item: Diagnostic) -> DiagnosticOut:
    return DiagnosticOut.model_validate(item, from_attributes=True)


@router.get("/questionnaires", dependencies=[allowed("loans.firm.list")])
def questionnaires(who: Who, connection: Reader) -> list[dict[str, Any]]:
    """Return the questionnaires of one's programmes with their sections and questions."""
    found = [storage.finance_of(connection, programme) for programme in who.programmes]
    return [item.model_dump(mode="json") for rules in found if rules for item in rules[0].questionnaires]


@router.get("/firms/{organisation}/diagnostics/{code}", dependencies=[allowed("loans.firm.read")])
def taken(organisation: str, code: str, who: Who, uow: Uow) -> list[DiagnosticOut]:
    return [_taken(item) for item in diagnostics.open_diagnostics(uow, who, organisation, code).taken]


@router.post(
    "/firms/{organisation}/diagnostics/{code}", status_code=201, dependencies=[allowed("loans.diagnostic.take")]
)
def take(organisation: str, code: str, given: TakeDiagnostic, who: Who, uow: Uow) -> DiagnosticOut:
    answers = {name: item.model_dump() for name, item in given.answers.items()}
    return _taken(diagnostics.take(uow, who, organisation, code, answers, given.taken_on))
