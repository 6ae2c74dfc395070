"""Pages of training: the courses, one that is held with its attendance list, the test, and a firm's people."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, Response
from pydantic import Field
from starlette.datastructures import FormData

from services.loans import storage
from services.loans.domain.training import Key, field_of
from services.loans.handlers import access, firms, trainings
from services.loans.pages import forms, words
from services.loans.pages.editor import download
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Line
from shared.exports.tables import CSV_TYPE
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
KEEP = [allowed("loans.training.keep")]
ROLES = {"owner": "owner", "manager": "manager", "employee": "employee"}
_SEAT = re.compile(r"hours-(.{1,80})-([0-9]{1,4})")
STAGES = {"planned": ("Planned", "go"), "closed": ("Held", "good"), "cancelled": ("Not held", "bad")}


class PlanForm(FormModel):
    course: Line = ""
    starts: date
    ends: date
    place: Line = ""


class SeatForm(forms.VersionedForm):
    firm: Line = ""
    person: Annotated[int, Field(ge=1, le=1000)]


class EnrolForm(forms.VersionedForm):
    seat: Annotated[Line, Field(min_length=1)]  # the firm and the person's number: "pelagonia 1"

    def key(self) -> Key:
        firm, _, number = self.seat.rpartition(" ")
        if not firm or not number.isascii() or not number.isdigit() or len(number) > len("1000"):
            raise InvalidError({"seat": "choose one of the people"})
        return firm, int(number)


class WhyForm(forms.VersionedForm):
    why: Line = ""


class PersonForm(FormModel):
    name: Annotated[Line, Field(min_length=1)]
    role: Literal["owner", "manager", "employee"] = "owner"


@router.get("/courses", dependencies=[allowed("loans.training.list")])
def read_all(request: Request, who: Who, uow: Uow, cursor: str | None = None) -> HTMLResponse:
    return _list(request, uow, who, cursor)


def _list(request: Request, uow: UnitOfWork, who: Identity, cursor: str | None = None, **more: Any) -> HTMLResponse:
    held = trainings.holds(uow, who)
    rules = [storage.finance_of(uow.connection, programme) for programme in who.programmes]
    courses = {item.code: item for found in rules if found for item in found[0].courses}
    firm = storage.firm_place(uow.connection, who.organisation or "")
    return render(
        request,
        "courses.html",
        status_code=422 if "errors" in more else 200,
        page=storage.training_rows(uow.connection, who.programmes, cursor=cursor),
        courses=list(courses.values()),
        course_choices=[(item.code, item.said(request.state.locale)) for item in courses.values()],
        holds=held is not None,
        firm=firm.id if firm else "",
        stages=STAGES,
        **more,
    )


@router.post("/courses", dependencies=[allowed("loans.training.plan")])
def plan(request: Request, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(PlanForm, posted)
        training = trainings.plan(uow, who, trainings.Planned(**form.model_dump(exclude={"csrf"})))
    except InvalidError as error:
        uow.abandon()
        return _list(request, uow, who, errors=error.fields, given=forms.posted_values(posted))
    return seen(f"/loans/courses/{training.id}")


@router.get("/courses/{reference}", dependencies=[allowed("loans.training.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    opened = trainings.open_training(uow, who, reference)
    training, today = opened.training, access.today(uow)
    context: dict[str, Any] = {
        "opened": opened,
        "training": training,
        "begun": today >= training.starts,
        "field_of": field_of,
        "person_choices": [
            (f"{firm} {number}", f"{name} ({words.say(ROLES[role])}), {firm_name}")
            for (firm, number), name, role, firm_name in opened.people
        ],
        "stages": STAGES,
        "roles": ROLES,
        "conflict": None,
        "done": "",
    }
    return render(
        request,
        "training.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        **(context | more),
    )


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    typed = request.state.typed
    return _page(request, uow, who, request.path_params["reference"], conflict=problem, given=typed)


STAY = stay(_stays)


def _do(
    *,
    request: Request,
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    posted: FormData,
    done: str,
    act: Callable[[], object],
) -> Response:
    """Do one act and show the training; a form with mistakes comes back with what was typed."""
    try:
        act()
    except InvalidError as error:
        uow.abandon()
        given = forms.posted_values(posted)
        return _page(request, uow, who, reference, errors=error.fields, given=given, done=done)
    return seen(f"/loans/courses/{reference}")


@router.post("/courses/{reference}/seats", dependencies=[STAY, allowed("loans.training.enrol")])
def enrol(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        form = forms.parsed(EnrolForm, posted)
        trainings.enrol(uow, who, reference, *form.key(), version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, done="enrol", act=act)


@router.post("/courses/{reference}/seats/leave", dependencies=[STAY, allowed("loans.training.enrol")])
def leave(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    form = forms.parsed(SeatForm, posted)
    trainings.leave(uow, who, reference, (form.firm, form.person), version=form.version)
    return seen(f"/loans/courses/{reference}")


@router.post("/courses/{reference}/attendance", dependencies=[STAY, *KEEP])
def keep(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)

    def act() -> None:
        trainings.keep(uow, who, reference, _lines(values), version=forms.version_of(values))

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, done="keep", act=act)


def _lines(values: dict[str, str]) -> list[trainings.Line]:
    """Return the list as it was typed; an empty cell of hours is nought. Raises InvalidError naming each cell."""
    wrong: dict[str, str] = {}
    found = []
    for key in [(seat[1], int(seat[2])) for seat in map(_SEAT.fullmatch, values) if seat]:
        hours = _cell(values, key, "hours", wrong)
        found.append(trainings.Line(key, hours or Decimal(0), _cell(values, key, "percent", wrong)))
    if wrong:
        raise InvalidError(wrong)
    return found


def _cell(values: dict[str, str], key: Key, name: str, wrong: dict[str, str]) -> Decimal | None:
    typed = values.get(field_of(key, name), "").strip()
    if not typed:
        return None
    found = trainings.number(typed)
    if found is None:
        wrong[field_of(key, name)] = "is not a number with at most two decimals"
    return found


@router.get("/courses/{reference}/attendance.csv", dependencies=KEEP)
def table(reference: str, who: Who, uow: Uow) -> Response:
    """Give the list as a file to fill in: firm and person by their numbers, with names to read."""
    access.scoped(uow, who, "training", reference, "loans.training.keep")
    opened = trainings.open_training(uow, who, reference)
    return download(trainings.table_of(opened), CSV_TYPE, f"{reference}.csv")


@router.post("/courses/{reference}/file", dependencies=[STAY, *KEEP])
def bring(
    *,
    request: Request,
    reference: str,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    version: Annotated[int, Form(ge=1)],
) -> Response:
    try:
        trainings.bring(uow, who, reference, file.filename or "", file.file, version=version)
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, reference, errors=error.fields, given={}, done="file")
    return seen(f"/loans/courses/{reference}")


@router.post("/courses/{reference}/close", dependencies=[STAY, *KEEP])
def close(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    trainings.close(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/courses/{reference}")


@router.post("/courses/{reference}/cancel", dependencies=[STAY, *KEEP])
def cancel(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    def act() -> None:
        form = forms.parsed(WhyForm, posted)
        trainings.cancel(uow, who, reference, form.why, version=form.version)

    return _do(request=request, uow=uow, who=who, reference=reference, posted=posted, done="cancel", act=act)


@router.get("/courses/{reference}/test/{person}", dependencies=[allowed("loans.training.test")])
def test(request: Request, reference: str, person: int, who: Who, uow: Uow) -> HTMLResponse:
    return _test(request, uow, who, (reference, person), {})


def _test(
    request: Request, uow: UnitOfWork, who: Identity, place: tuple[str, int], given: dict[str, str], **more: Any
) -> HTMLResponse:
    opened = trainings.open_training(uow, who, place[0])
    seat = opened.training.seat((who.organisation or "", place[1]))
    return render(
        request,
        "course_test.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        training=opened.training,
        seat=seat,
        name=opened.names.get(seat.key, ""),
        given=given,
        **({"conflict": None} | more),
    )


def _test_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    place = request.path_params["reference"], int(request.path_params["person"])
    return _test(request, uow, who, place, request.state.typed, conflict=problem)


@router.post("/courses/{reference}/test/{person}", dependencies=[stay(_test_stays), allowed("loans.training.test")])
def answer(  # noqa: PLR0917 - what the address and the form give
    request: Request, reference: str, person: int, posted: forms.Posted, who: Who, uow: Uow
) -> Response:
    values = forms.posted_values(posted)
    try:
        trainings.take_test(uow, who, reference, person, values, version=forms.version_of(values))
    except InvalidError as error:
        uow.abandon()
        return _test(request, uow, who, (reference, person), values, errors=error.fields)
    return seen(f"/loans/courses/{reference}")


@router.get("/firms/{organisation}/people", dependencies=[allowed("loans.firm.read")])
def people(request: Request, organisation: str, who: Who, uow: Uow) -> HTMLResponse:
    return _people(request, uow, who, organisation)


def _people(request: Request, uow: UnitOfWork, who: Identity, organisation: str, **more: Any) -> HTMLResponse:
    opened = firms.open_firm(uow, who, organisation)
    finance, _ = access.rules(uow, opened.place.programme)
    names = {person.number: person.name for person in opened.firm.people}
    return render(
        request,
        "people.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        firm=opened.firm,
        asked=trainings.asked(uow, finance, organisation),
        topics={course.topic: course for course in finance.courses},
        names=names,
        seats=storage.seats_of(uow.connection, organisation),
        roles=ROLES,
        role_choices=[(code, words.say(text)) for code, text in ROLES.items()],
        today=access.today(uow),
        **({"conflict": None} | more),
    )


def _people_stay(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _people(request, uow, who, request.path_params["organisation"], conflict=problem)


@router.post("/firms/{organisation}/people", dependencies=[stay(_people_stay), allowed("loans.firm.write")])
def name_person(request: Request, organisation: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(PersonForm, posted)
        firms.name_person(uow, who, organisation, form.name, form.role)
    except InvalidError as error:
        uow.abandon()
        return _people(request, uow, who, organisation, errors=error.fields, given=forms.posted_values(posted))
    return seen(f"/loans/firms/{organisation}/people")


@router.post(
    "/firms/{organisation}/people/{person}/erase", dependencies=[stay(_people_stay), allowed("loans.firm.write")]
)
def erase_person(organisation: str, person: int, who: Who, uow: Uow) -> Response:
    firms.erase_person(uow, who, organisation, person)
    return seen(f"/loans/firms/{organisation}/people")
