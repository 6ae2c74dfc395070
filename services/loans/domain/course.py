"""Courses of the programme, as the pack gives them: hours, a test with its pass mark, how long a certificate holds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

HUNDRED = Decimal(100)


class _Named(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    name: dict[str, str]

    def said(self, locale: str) -> str:
        return self.name.get(locale) or self.name.get("en") or self.code


class Choice(_Named):
    """An answer that can be chosen."""


class Question(_Named):
    """A question of a test; `right` is the code of the one right answer."""

    choices: list[Choice] = Field(min_length=2)
    right: str

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if self.right not in {choice.code for choice in self.choices}:
            raise ValueError("courses: the right answer is none of the choices")
        return self


class Course(_Named):
    """What is taught; whoever attends `attend_percent` of the hours and passes the test gets a certificate."""

    topic: str
    hours: Decimal = Field(gt=0)
    pass_percent: Decimal = Field(default=Decimal(60), gt=0, le=HUNDRED)
    attend_percent: Decimal = Field(default=Decimal(80), ge=0, le=HUNDRED)
    valid_months: int = Field(default=24, ge=1)
    attempts: int = Field(default=3, ge=1)  # how often somebody may answer the test
    test: list[Question] = []  # none: the trainer enters the result

    def mark(self, answers: Mapping[str, str]) -> Decimal:
        """Return the per cent of questions answered rightly, to two decimals."""
        right = sum(answers.get(item.code) == item.right for item in self.test)
        return (Decimal(right * 100) / max(len(self.test), 1)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    def enough_hours(self) -> Decimal:
        """Return the hours that a certificate asks for."""
        return self.hours * self.attend_percent / HUNDRED
