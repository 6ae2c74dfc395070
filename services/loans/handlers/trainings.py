"""Use cases of training: plan a course, enrol people, keep the attendance list, test, close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import BinaryIO

from services.loans import storage
from services.loans.domain.finance import Finance, ReadinessRule
from services.loans.domain.lessons import Learned, learned
from services.loans.domain.training import Key, Seat, Training
from services.loans.handlers import access, firms
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.exports.tables import Column, Table, csv_pieces
from shared.sheets import read_rows
from shared.web.identity import Identity

COLUMNS = ("firm", "person", "hours", "percent")
_OFFICE = {"officer", "programme_manager"}


@dataclass(frozen=True)
class Planned:
    """What is planned: a course of the pack, its days and its place."""

    course: str
    starts: date
    ends: date
    place: str = ""


def holds(uow: UnitOfWork, who: Identity) -> str | None:
    """Return the programme in which a person may hold courses: the office, or an organisation that supports firms."""
    if _OFFICE & set(who.roles):
        return who.programmes[0] if who.programmes else None
    backing = storage.supporter(uow.connection, who.organisation or "", who.programmes)
    return backing.programme if backing else None


def plan(uow: UnitOfWork, who: Identity, given: Planned) -> Training:
    """Plan a course by the rules of the pack as they are today."""
    programme = holds(uow, who)
    if programme is None:
        raise ForbiddenError("Courses are held by the programme's office and by organisations that support firms")
    finance, _ = access.rules(uow, programme)
    course = finance.course(given.course)
    if course is None:
        names = ", ".join(item.code for item in finance.courses)
        raise InvalidError({"course": Rule("must be one of: %(names)s", names=names)})
    host = storage.organisation_name(uow.connection, who.organisation or "")
    training = Training(
        id=uow.next_reference("TRN"),
        programme=programme,
        organisation=who.organisation or programme,
        organisation_name=host.name if host else who.name,
        course=course,
        place=given.place,
        starts=given.starts,
        ends=given.ends,
    )
    storage.trainings(uow).add(training)
    training.plan(access.today(uow))
    return training


@dataclass(frozen=True)
class Opened:
    """A training as somebody sees it: the whole list for who holds it, else the seats of the own firms."""

    training: Training
    keeps: bool
    seats: list[Seat]
    names: dict[Key, str]
    own: tuple[str, str] | None  # the person's own firm: id and name
    people: Sequence[tuple[Key, str, str, str]]  # who can be enrolled by this person: name, role, firm


def open_training(uow: UnitOfWork, who: Identity, reference: str) -> Opened:
    """Return a training for reading; names are shown to who holds it and to their own firm alone."""
    access.scoped(uow, who, "training", reference, "loans.training.read")
    training = storage.trainings(uow).get(reference, for_update=False)
    keeps = bool(_OFFICE & set(who.roles)) or who.organisation == training.organisation
    seats = [seat for seat in training.seats if keeps or seat.organisation == who.organisation]
    names = storage.names_of(uow.connection, {seat.organisation for seat in seats})
    place = storage.firm_place(uow.connection, who.organisation or "")
    taken = {seat.key for seat in training.seats}
    office = who.programmes if _OFFICE & set(who.roles) else ()
    known = storage.people_of(
        uow.connection, own=place.id if place else "", adviser=who.organisation or "", programmes=office
    )
    people = [
        ((firm, item["number"]), item["name"], item["role"], name)
        for firm, name, item in known
        if (firm, item["number"]) not in taken
    ]
    return Opened(training, keeps, seats, names, (place.id, place.name) if place else None, people)


def enrol(
    uow: UnitOfWork, who: Identity, reference: str, organisation: str, number: int, *, version: int | None = None
) -> Training:
    """Enrol somebody of a firm, by the firm itself, its adviser or the office."""
    access.scoped(uow, who, "training", reference, "loans.training.enrol")
    training = storage.trainings(uow).get(reference, expected=version)
    where = firms.place(uow, who, organisation, firms.WRITE)
    firm = firms.known(uow, organisation)
    if firm is None:
        raise NotFoundError("There is no such person")
    person = firm.person(number)
    if person.erased:
        raise ConflictError("This name is erased already")
    training.enrol(Seat(organisation=firm.id, organisation_name=where.name, person=number, role=person.role))
    storage.keep_attendance(uow, training)
    return training


def leave(uow: UnitOfWork, who: Identity, reference: str, key: Key, *, version: int | None = None) -> Training:
    """Take somebody of a firm out again."""
    access.scoped(uow, who, "training", reference, "loans.training.enrol")
    training = storage.trainings(uow).get(reference, expected=version)
    if who.organisation != training.organisation:
        firms.place(uow, who, key[0], firms.WRITE)
    training.leave(key)
    storage.keep_attendance(uow, training)
    return training


def _kept(uow: UnitOfWork, who: Identity, reference: str, version: int | None) -> Training:
    access.scoped(uow, who, "training", reference, "loans.training.keep")
    return storage.trainings(uow).get(reference, expected=version)


@dataclass(frozen=True)
class Line:
    """What a list says of one person; a result of the test only where there is one."""

    key: Key
    hours: Decimal
    percent: Decimal | None = None


def keep(uow: UnitOfWork, who: Identity, reference: str, lines: list[Line], *, version: int | None = None) -> Training:
    """Keep the attendance list: hours of each, and results of the test that are new."""
    training, day = _kept(uow, who, reference, version), access.today(uow)
    training.attend({line.key: line.hours for line in lines}, day)
    for line in lines:
        if line.percent is not None and line.percent != training.seat(line.key).percent:
            training.tested(line.key, line.percent, day)
    storage.keep_attendance(uow, training)
    return training


def bring(
    uow: UnitOfWork, who: Identity, reference: str, name: str, content: BinaryIO, *, version: int | None = None
) -> Training:
    """Keep the attendance list of a CSV or XLSX file: all of it, or none where a row is wrong."""
    training = _kept(uow, who, reference, version)
    return keep(uow, who, reference, list(_rows(training, read_rows(name, content))), version=version)


def _rows(training: Training, rows: list[list[str]]) -> Iterator[Line]:
    """Give the lines of a file; raises InvalidError naming each wrong row and column."""
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    missing = [name for name in COLUMNS[:3] if name not in header]
    if missing:
        raise InvalidError({"file": Rule("has no column %(names)s", names=", ".join(missing))})
    found, wrong, seen = [], dict[str, str](), set[Key]()
    for number, row in enumerate(rows[1:], 2):
        given = dict(zip(header, (cell.strip() for cell in row), strict=False))
        if not any(given.values()):
            continue
        line, problems = _line(training, given)
        if line and line.key in seen:
            problems = {"person": "stands twice"}
        wrong |= {f"file.{number}.{name}": why for name, why in problems.items()}
        if line and not problems:
            seen.add(line.key)
            found.append(line)
    if wrong:
        raise InvalidError(dict(list(wrong.items())[:50]))
    if not found:
        raise InvalidError({"file": "is empty"})
    yield from found


def _line(training: Training, given: Mapping[str, str]) -> tuple[Line | None, dict[str, str]]:
    wrong: dict[str, str] = {}
    text = given.get("person", "")
    key = (given.get("firm", ""), int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0)
    if key not in {seat.key for seat in training.seats}:
        wrong["person"] = "is not enrolled"
    hours, percent = (number(given.get(name, "")) for name in COLUMNS[2:])
    if hours is None or not 0 <= hours <= training.course.hours:
        wrong["hours"] = Rule("must be between %(least)s and %(most)s", least=0, most=training.course.hours)
    if given.get("percent") and (percent is None or not 0 <= percent <= 100):
        wrong["percent"] = Rule("must be between %(least)s and %(most)s", least=0, most=100)
    return (None, wrong) if wrong or hours is None else (Line(key, hours, percent), wrong)


def number(text: str) -> Decimal | None:
    """Return a number that people typed, with at most two decimals; None where it is none."""
    try:
        found = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
    return found if found.is_finite() and found == found.quantize(Decimal("0.01")) else None


def take_test(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    number: int,
    answers: Mapping[str, str],
    *,
    version: int | None = None,
) -> Seat:
    """Answer the course's test for somebody of one's own firm; every question needs an answer."""
    access.scoped(uow, who, "training", reference, "loans.training.test")
    training = storage.trainings(uow).get(reference, expected=version)
    course, key = training.course, (who.organisation or "", number)
    seat = training.seat(key)
    if not course.test:
        raise ConflictError("The trainer enters the result of this course's test")
    if seat.attempts >= course.attempts:
        raise ConflictError("The test was taken %(n)s times, which is all", n=seat.attempts)
    wrong = {}
    for item in course.test:
        codes = [choice.code for choice in item.choices]
        if answers.get(item.code) not in codes:
            wrong[item.code] = "choose one of the answers"
    if wrong:
        raise InvalidError(wrong)
    seat = training.tested(key, course.mark(answers), access.today(uow))
    storage.keep_attendance(uow, training)
    return seat


def close(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Training:
    """End a training and give its certificates."""
    training = _kept(uow, who, reference, version)
    training.close(access.today(uow))
    storage.keep_attendance(uow, training)
    return training


def cancel(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Training:
    """Say that a training is not held."""
    training = _kept(uow, who, reference, version)
    training.cancel(why)
    storage.keep_attendance(uow, training)
    return training


def asked(uow: UnitOfWork, finance: Finance, organisation: str) -> list[tuple[ReadinessRule, Learned]]:
    """Return each rule on training that readiness has, with who of a firm comes nearest to it."""
    lessons, day = storage.lessons_of(uow.connection, [organisation]), access.today(uow)
    return [
        (rule, learned(lessons, rule.topic, rule.at_least, rule.months, rule.roles, day))
        for rule in finance.readiness
        if rule.rule == "training"
    ]


def table_of(opened: Opened) -> bytes:
    """Return the attendance list as a CSV file to fill in; names are there to be read alone."""
    columns = [Column(name) for name in (*COLUMNS, "name")]
    rows = [
        [
            seat.organisation,
            str(seat.person),
            str(seat.hours),
            "" if seat.percent is None else str(seat.percent),
            opened.names.get(seat.key, ""),
        ]
        for seat in opened.seats
    ]
    return b"".join(csv_pieces(Table("attendance", columns, rows)))
