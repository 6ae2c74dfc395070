"""A diagnostic: a questionnaire of the programme answered on a day, with scores by section and what they suggest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.entity import Entity, Part
from shared.errors import InvalidError
from shared.events.loans.firm import DiagnosticTaken

TOP = 4
_PLACES = Decimal("0.0001")


class _Named(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    name: dict[str, str]

    def said(self, locale: str) -> str:
        return self.name.get(locale) or self.name.get("en") or self.code


class DiagnosticQuestion(_Named):
    """A question, answered by a level from 0 to 4; `evidence` says what shows it."""

    weight: Decimal = Field(default=Decimal(1), gt=0)
    evidence: dict[str, str] = {}

    def shows(self, locale: str) -> str:
        """Return what would show the level."""
        return self.evidence.get(locale) or self.evidence.get("en") or ""


class Suggestion(BaseModel):
    """What helps a weak section: a course of the programme, or a task in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    course: str = ""
    name: dict[str, str] = {}

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.course) == bool(self.name):
            raise ValueError("a suggestion is either a course or words")
        return self


class DiagnosticSection(_Named):
    questions: list[DiagnosticQuestion] = Field(min_length=1)
    weak_below: Decimal = Decimal("0.5")
    suggests: list[Suggestion] = []


class Questionnaire(_Named):
    """Sections of questions; `levels` are the words of the levels 0 to 4 by language."""

    number: int = 1  # its version: scores of two versions are not held against each other
    levels: list[dict[str, str]] = Field(min_length=TOP + 1, max_length=TOP + 1)
    sections: list[DiagnosticSection] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> Self:
        codes = [item.code for section in self.sections for item in section.questions]
        if len(set(codes)) != len(codes):
            raise ValueError("questionnaires: a question's code stands twice")
        return self

    def level_words(self, locale: str) -> list[str]:
        return [words.get(locale) or words.get("en") or "" for words in self.levels]

    def questions(self) -> list[DiagnosticQuestion]:
        return [item for section in self.sections for item in section.questions]


class Answer(Part):
    """The level of one question, and what shows it."""

    level: int = Field(ge=0, le=TOP)
    evidence: str = Field(default="", max_length=500)


def share(questions: list[DiagnosticQuestion], answers: Mapping[str, Answer]) -> Decimal:
    """Return the weighted share of the highest level that questions reach, from 0 to 1."""
    reached = sum((item.weight * answers[item.code].level for item in questions), Decimal(0))
    most = sum((item.weight for item in questions), Decimal(0)) * TOP
    return (reached / most).quantize(_PLACES, rounding=ROUND_HALF_UP)


class Diagnostic(Entity):
    """One taking of a questionnaire; it is never changed, but taken again. Its answers stay in the loans service."""

    KIND: ClassVar[str] = "diagnostic"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"answers", "sections", "score"})

    programme: str
    organisation: str
    organisation_name: str
    questionnaire: str
    number: int
    taken_on: date
    side: Literal["firm", "adviser", "office"]
    by_name: str
    answers: dict[str, Answer]
    sections: dict[str, Decimal] = {}
    score: Decimal = Decimal(0)

    def case(self) -> str:
        return self.organisation

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"applicant": [f"org:{self.organisation}"], "officer": ["role:officer"]}

    def take(self, asked: Questionnaire) -> None:
        """Score the answers; raises InvalidError naming each question without one."""
        wrong = {item.code: "is required" for item in asked.questions() if item.code not in self.answers}
        unknown = set(self.answers) - {item.code for item in asked.questions()}
        wrong |= dict.fromkeys(sorted(unknown), "is no question")
        if wrong:
            raise InvalidError(wrong)
        self.sections = {item.code: share(item.questions, self.answers) for item in asked.sections}
        self.score = share(asked.questions(), self.answers)
        self.record(DiagnosticTaken(**self._facts()))

    def _facts(self) -> dict[str, Any]:
        return {
            "diagnostic_id": self.id,
            "firm_id": self.organisation,
            "organisation_name": self.organisation_name,
            "questionnaire": self.questionnaire,
            "number": self.number,
            "taken_on": self.taken_on,
            "side": self.side,
            "notify": [],
        }

    def weak(self, asked: Questionnaire) -> list[DiagnosticSection]:
        """Return the sections below their mark, the weakest first."""
        found = [item for item in asked.sections if self.sections.get(item.code, Decimal(1)) < item.weak_below]
        return sorted(found, key=lambda item: self.sections[item.code])
