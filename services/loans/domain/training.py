"""A course as it is held: who is enrolled, how many hours each was there, the test, the certificate.

People stand here by their number in the firm's own list: their names are kept, and erased, in that one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Literal

from services.loans.domain.course import Course
from services.loans.domain.schedule import add_months
from shared.entity import Entity, Part
from shared.errors import ConflictError, IllegalTransitionError, InvalidError, NotFoundError, Rule
from shared.events.loans import firm as events

MAX_SEATS = 60
HUNDRED = Decimal(100)
Role = Literal["owner", "manager", "employee"]
Key = tuple[str, int]  # a firm's organisation, and the person's number there


class Seat(Part):
    """One person: `percent` is the best result of the test."""

    organisation: str
    organisation_name: str
    person: int
    role: Role
    hours: Decimal = Decimal(0)
    percent: Decimal | None = None
    attempts: int = 0
    passed_on: date | None = None
    certificate: str | None = None
    valid_until: date | None = None

    @property
    def key(self) -> Key:
        return self.organisation, self.person


class Training(Entity):
    """One run of a course. `organisation` holds it; the course's rules are those of the day it was planned."""

    KIND: ClassVar[str] = "training"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"seats", "course"})

    programme: str
    organisation: str
    organisation_name: str
    course: Course
    place: str = ""
    starts: date
    ends: date
    stage: Literal["planned", "closed", "cancelled"] = "planned"
    why: str = ""
    seats: list[Seat] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        firms = sorted({seat.organisation for seat in self.seats})
        return {
            "applicant": [f"org:{name}" for name in firms],
            "trainer": [f"org:{self.organisation}"],
            "officer": ["role:officer"],
        }

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this training says."""
        return {
            "training_id": self.id,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
            "course": self.course.code,
            "course_title": self.course.said("en"),
            "starts": self.starts,
            "notify": list(notify),
        }

    def plan(self, today: date) -> None:
        """Record that it will be held; raises InvalidError naming each field and rule."""
        wrong: dict[str, str] = {}
        if self.starts < add_months(today, -12):
            wrong["starts"] = "is more than a year ago"
        if self.ends < self.starts:
            wrong["ends"] = Rule("must be at least %(least)s", least=self.starts)
        if wrong:
            raise InvalidError(wrong)
        self.record(events.TrainingPlanned(**self.facts(), ends=self.ends))

    def _open(self, attempted: str) -> None:
        if self.stage != "planned":
            raise IllegalTransitionError(attempted, self.stage, [])

    def seat(self, key: Key) -> Seat:
        """Return somebody's seat."""
        found = next((item for item in self.seats if item.key == key), None)
        if found is None:
            raise NotFoundError("There is no such person in this training")
        return found

    def _put(self, seat: Seat) -> None:
        self.seats = [seat if item.key == seat.key else item for item in self.seats]

    def enrol(self, seat: Seat) -> None:
        """Give somebody a seat."""
        self._open("enrol")
        if any(item.key == seat.key for item in self.seats):
            raise ConflictError("This person is enrolled already")
        if len(self.seats) >= MAX_SEATS:
            raise ConflictError("A training has at most %(limit)s people", limit=MAX_SEATS)
        self.seats = [*self.seats, seat]
        facts = {"firm_id": seat.organisation, "firm_name": seat.organisation_name}
        self.record(events.TrainingEnrolled(**self.facts("applicant", "trainer"), **facts, people=len(self.seats)))

    def leave(self, key: Key) -> None:
        """Take somebody out who has not been there yet."""
        self._open("leave")
        seat = self.seat(key)
        if seat.hours or seat.attempts:
            raise ConflictError("This person has attended already: set the hours to nought instead")
        self.seats = [item for item in self.seats if item.key != key]
        facts = {"firm_id": seat.organisation, "firm_name": seat.organisation_name}
        self.record(events.TrainingLeft(**self.facts(), **facts, people=len(self.seats)))

    def attend(self, hours: Mapping[Key, Decimal], today: date) -> None:
        """Record how many hours each was there; raises InvalidError naming each person's field and rule."""
        self._open("record attendance")
        self._begun(today)
        wrong = {}
        for key, had in hours.items():
            self.seat(key)
            if not 0 <= had <= self.course.hours:
                wrong[field_of(key, "hours")] = Rule(
                    "must be between %(least)s and %(most)s", least=0, most=self.course.hours
                )
        if wrong:
            raise InvalidError(wrong)
        for key, had in hours.items():
            self._put(self.seat(key).model_copy(update={"hours": had}))
        self.record(events.TrainingAttended(**self.facts(), people=sum(seat.hours > 0 for seat in self.seats)))

    def _begun(self, today: date) -> None:
        if today < self.starts:
            raise ConflictError("It has not begun: it starts on %(day)s", day=self.starts)

    def tested(self, key: Key, percent: Decimal, today: date) -> Seat:
        """Record a result of the test; of several the best counts."""
        self._open("record a test")
        self._begun(today)
        seat = self.seat(key)
        if not 0 <= percent <= HUNDRED:
            raise InvalidError(
                {field_of(key, "percent"): Rule("must be between %(least)s and %(most)s", least=0, most=HUNDRED)}
            )
        best = percent if seat.percent is None else max(percent, seat.percent)
        passed_on = seat.passed_on or (today if percent >= self.course.pass_percent else None)
        seat = seat.model_copy(update={"percent": best, "attempts": seat.attempts + 1, "passed_on": passed_on})
        self._put(seat)
        facts = {"firm_id": seat.organisation, "firm_name": seat.organisation_name}
        self.record(events.TrainingTested(**self.facts(), **facts, passed=percent >= self.course.pass_percent))
        return seat

    def close(self, today: date) -> None:
        """End it and give the certificates: to whom was there long enough and has passed the test."""
        self._open("close")
        self._begun(today)
        if not any(seat.hours for seat in self.seats):
            raise ConflictError("Record first who was there")
        self.stage = "closed"
        self.seats = [self._certified(number, seat) for number, seat in enumerate(self.seats, 1)]
        given = sum(seat.certificate is not None for seat in self.seats)
        self.record(events.TrainingClosed(**self.facts("applicant"), people=len(self.seats), certificates=given))

    def _certified(self, number: int, seat: Seat) -> Seat:
        if seat.passed_on is None or seat.hours < self.course.enough_hours():
            return seat
        until = add_months(seat.passed_on, self.course.valid_months)
        return seat.model_copy(update={"certificate": f"{self.id}-{number:02d}", "valid_until": until})

    def cancel(self, why: str) -> None:
        """Say that it is not held after all."""
        self._open("cancel")
        if any(seat.hours or seat.attempts for seat in self.seats):
            raise ConflictError("People have attended it already: close it instead")
        if not why.strip():
            raise InvalidError({"why": "is required"})
        self.stage, self.why = "cancelled", why
        self.record(events.TrainingCancelled(**self.facts("applicant"), why=why))


def field_of(key: Key, name: str) -> str:
    """Return the name of somebody's input in the attendance list."""
    return f"{name}-{key[0]}-{key[1]}"
