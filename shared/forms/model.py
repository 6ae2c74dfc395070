"""A form as the services use it: sections of questions, and sums that must agree."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Names = dict[str, str]
Kind = Literal["text", "long_text", "number", "amount", "choice", "date", "yes_no", "rows"]


class Model(BaseModel):
    """A part of a form; members that nobody here needs are let be."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Choice(Model):
    """One choice of a question."""

    id: str
    name: Names


class When(Model):
    """A question is asked only while another one is answered with one of these."""

    field: str
    values: tuple[str, ...]


class Question(Model):
    """A field of the form. Rows ask their `columns` again for every row, `min_rows` to `max_rows` times."""

    id: str
    kind: Kind
    label: Names
    hint: Names = {}
    required: bool = False
    max_words: int | None = None
    max_length: int | None = None
    min: Decimal | None = None
    max: Decimal | None = None
    decimals: int | None = None
    options: tuple[Choice, ...] = ()
    when: When | None = None
    columns: tuple[Question, ...] = ()
    min_rows: int = 0
    max_rows: int = 20


class Section(Model):
    """A part of the form under one heading."""

    id: str
    name: Names
    hint: Names = {}
    fields: tuple[Question, ...]


class Sum(Model):
    """Two sides that must be the same amount; a side's terms are added up.

    A term is a question that asks for a number, a column of rows ("partners.share"), or a total of the
    budget: "budget.grant", "budget.own", "budget.total".
    """

    id: str
    text: Names
    left: tuple[str, ...] = Field(min_length=1)
    right: tuple[str, ...] = Field(min_length=1)


class Form(Model):
    """What is asked, in order."""

    sections: tuple[Section, ...] = ()
    sums: tuple[Sum, ...] = ()

    @cached_property
    def questions(self) -> dict[str, Question]:
        """Return the questions of all sections by id."""
        return {question.id: question for section in self.sections for question in section.fields}

    def section_of(self, field: str) -> str | None:
        """Return the section in which a question stands; the field may be a cell of its rows."""
        name = field.partition(".")[0]
        return next((s.id for s in self.sections if any(q.id == name for q in s.fields)), None)

    def cell(self, name: str) -> Question | None:
        """Return the question that an answer of that name answers: its own, or a row's ("partners.0.share")."""
        owner, _, rest = name.partition(".")
        question = self.questions.get(owner)
        if question is None or (question.kind == "rows") != bool(rest):
            return None
        if not rest:
            return question
        number, _, column = rest.partition(".")
        if not (number.isascii() and number.isdigit() and len(number) <= 3 and int(number) < question.max_rows):
            return None
        return next((item for item in question.columns if item.id == column), None)

    def numbers(self) -> Iterator[str]:
        """Yield the terms of which sums may be made, besides the budget's."""
        for question in self.questions.values():
            if question.kind in {"number", "amount"}:
                yield question.id
            yield from (f"{question.id}.{c.id}" for c in question.columns if c.kind in {"number", "amount"})
