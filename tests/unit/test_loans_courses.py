"""Courses, what counts of them, and diagnostics: hours, tests, certificates, scores by section."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from services.loans.domain.course import Course
from services.loans.domain.diagnostic import Answer, Diagnostic, Questionnaire
from services.loans.domain.lessons import Lesson, learned
from services.loans.domain.training import Key, Seat, Training
from shared.errors import ConflictError, IllegalTransitionError, InvalidError, NotFoundError

TODAY = date(2026, 3, 2)
QUESTION = {"code": "q1", "name": {"en": "?"}, "choices": [{"code": c, "name": {"en": c}} for c in "ab"], "right": "a"}
COURSE = Course.model_validate(
    {
        "code": "fl",
        "topic": "finance",
        "name": {"en": "Finance"},
        "hours": "12",
        "test": [QUESTION, QUESTION | {"code": "q2", "right": "b"}],
    }
)
VERA: Key = ("msme", 1)


def training(**changed: Any) -> Training:
    facts: dict[str, Any] = {"starts": date(2026, 3, 1), "ends": date(2026, 3, 2), "organisation_name": "Chamber"}
    item = Training(id="TRN-1", programme="p", organisation="bso", course=COURSE, **(facts | changed))
    item.plan(TODAY)
    item.enrol(Seat(organisation="msme", organisation_name="Pelagonia", person=1, role="owner"))
    return item


def test_a_course_is_held_from_the_list_to_the_certificate() -> None:
    """Whoever was there for four fifths of the hours and passes the test gets one, from the day of the test."""
    item = training()
    item.enrol(Seat(organisation="msme", organisation_name="Pelagonia", person=2, role="employee"))
    item.attend({VERA: Decimal("9.6"), ("msme", 2): Decimal(12)}, TODAY)
    item.tested(VERA, COURSE.mark({"q1": "a", "q2": "a"}), TODAY)
    assert item.seat(VERA).passed_on is None
    item.tested(VERA, COURSE.mark({"q1": "a", "q2": "b"}), TODAY)
    item.tested(VERA, Decimal(10), TODAY)
    item.close(TODAY)
    seat = item.seat(VERA)
    assert (seat.percent, seat.attempts, seat.certificate) == (Decimal(100), 3, "TRN-1-01")
    assert seat.valid_until == date(2028, 3, 2)
    assert item.seat(("msme", 2)).certificate is None
    for act in (lambda: item.attend({}, TODAY), lambda: item.cancel("x"), lambda: item.close(TODAY)):
        with pytest.raises(IllegalTransitionError):
            act()


def test_what_can_not_be_is_refused() -> None:
    """Twice the same person, more hours than the course has, a result above 100, a day before it begins."""
    item = training()
    with pytest.raises(ConflictError, match="enrolled already"):
        item.enrol(Seat(organisation="msme", organisation_name="Pelagonia", person=1, role="owner"))
    with pytest.raises(InvalidError) as refused:
        item.attend({VERA: Decimal(13)}, TODAY)
    assert list(refused.value.fields) == ["hours-msme-1"]
    with pytest.raises(InvalidError):
        item.tested(VERA, Decimal(101), TODAY)
    with pytest.raises(NotFoundError):
        item.tested(("msme", 9), Decimal(50), TODAY)
    with pytest.raises(ConflictError, match="who was there"):
        item.close(TODAY)
    with pytest.raises(ConflictError, match="not begun"):
        training(starts=date(2026, 4, 1), ends=date(2026, 4, 2)).attend({VERA: Decimal(1)}, TODAY)
    with pytest.raises(InvalidError) as refused:
        training(starts=date(2025, 1, 1), ends=date(2024, 12, 1))
    assert set(refused.value.fields) == {"starts", "ends"}


def test_who_has_attended_stays_on_the_list() -> None:
    """Somebody without hours can be taken out; afterwards the course is closed, not cancelled."""
    item = training()
    item.attend({VERA: Decimal(1)}, TODAY)
    with pytest.raises(ConflictError):
        item.leave(VERA)
    with pytest.raises(ConflictError):
        item.cancel("No room")
    other = training()
    other.leave(VERA)
    with pytest.raises(InvalidError):
        other.cancel(" ")
    other.cancel("No room")
    assert (other.stage, other.seats) == ("cancelled", [])


def lesson(person: int, hours: str, passed: date | None = None, **changed: Any) -> Lesson:
    facts: dict[str, Any] = {"role": "owner", "topic": "finance", "held_on": date(2025, 6, 1)}
    return Lesson(person=person, hours=Decimal(hours), passed_on=passed, **(facts | changed))


def rule(lessons: list[Lesson]) -> tuple[int | None, Decimal, bool, bool]:
    found = learned(lessons, "finance", Decimal(12), 24, ["owner", "manager"], TODAY)
    return found.person, found.hours, found.passed, found.met


def test_hours_and_test_have_to_be_the_same_person_s() -> None:
    """Two halves of two people are no whole; hours of several courses add up for one."""
    tested = date(2025, 6, 2)
    assert rule([lesson(1, "12"), lesson(2, "2", tested)]) == (2, Decimal(2), True, False)
    assert rule([lesson(1, "8"), lesson(1, "4", tested)]) == (1, Decimal(12), True, True)
    assert rule([]) == (None, Decimal(0), False, False)


def test_only_this_topic_these_roles_and_these_months_count() -> None:
    """An employee, another topic and what is too long ago do not count; the day itself still does."""
    tested = date(2025, 6, 2)
    assert rule([lesson(1, "12", tested, role="employee")])[3] is False
    assert rule([lesson(1, "12", tested, topic="export")])[3] is False
    assert rule([lesson(1, "12", date(2024, 3, 2), held_on=date(2024, 3, 2))])[3] is True
    assert rule([lesson(1, "12", date(2024, 3, 1), held_on=date(2024, 3, 1))])[3] is False


HEALTH = Questionnaire.model_validate(
    {
        "code": "health",
        "name": {"en": "Health"},
        "levels": [{"en": str(level)} for level in range(5)],
        "sections": [
            {
                "code": "finance",
                "name": {"en": "Finance"},
                "weak_below": "0.6",
                "suggests": [{"course": "fl"}],
                "questions": [
                    {"code": "books", "weight": "2", "name": {"en": "Books"}},
                    {"code": "cash", "name": {"en": "Cash"}},
                ],
            },
            {
                "code": "people",
                "name": {"en": "People"},
                "questions": [{"code": "contracts", "name": {"en": "Contracts"}}],
            },
        ],
    }
)


def diagnostic(**levels: int) -> Diagnostic:
    answers = {code: Answer(level=level) for code, level in levels.items()}
    facts = {"programme": "p", "organisation": "msme", "organisation_name": "P", "questionnaire": "health", "number": 1}
    return Diagnostic(id="DIA-1", taken_on=TODAY, side="firm", by_name="Vera", answers=answers, **facts)  # type: ignore[arg-type]


def test_a_diagnostic_is_scored_by_section_with_its_weights() -> None:
    """(2 x 1 + 4) / (3 x 4) of finance, all of people; the weak section alone suggests something."""
    item = diagnostic(books=1, cash=4, contracts=4)
    item.take(HEALTH)
    assert item.sections == {"finance": Decimal("0.5000"), "people": Decimal("1.0000")}
    assert item.score == Decimal("0.6250")
    assert [section.code for section in item.weak(HEALTH)] == ["finance"]


def test_a_question_without_an_answer_is_named() -> None:
    """So is an answer to a question that there is not, and a level that there is not."""
    with pytest.raises(InvalidError) as refused:
        diagnostic(books=1, other=2).take(HEALTH)
    assert set(refused.value.fields) == {"cash", "contracts", "other"}
    with pytest.raises(ValidationError):
        Answer(level=5)


def test_a_pack_with_a_slip_is_refused() -> None:
    """A right answer that is no choice, a code that stands twice, a suggestion of nothing."""
    with pytest.raises(ValidationError, match="right answer"):
        Course.model_validate(COURSE.model_dump() | {"test": [QUESTION | {"right": "c"}]})
    plain = HEALTH.model_dump()
    with pytest.raises(ValidationError, match="twice"):
        Questionnaire.model_validate(plain | {"sections": plain["sections"] * 2})
    with pytest.raises(ValidationError, match="either"):
        Questionnaire.model_validate(plain | {"sections": [plain["sections"][0] | {"suggests": [{}]}]})
