"""Who may apply, as data: each rule is judged from an answer or a known fact, and says its figure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import model_validator

from shared.errors import Rule
from shared.forms.checking import problem, value_of
from shared.forms.model import Choice, Form, Model, Names, Question

# What is known of an application without asking: of the organisation's record, and of its budget.
FACTS = ("organisation_kind", "country", "requested", "own_share_percent")
Result = Literal["passed", "failed", "open"]


class Criterion(Model):
    """One rule. Without a source it is for the screening officer to confirm.

    `field` is a question of the form, `fact` one of FACTS with its own question in words (`ask`). What is said must
    be one of `any_of`, or a number from `at_least` to `at_most`.
    """

    id: str
    text: Names
    field: str | None = None
    fact: str | None = None
    ask: Names = {}
    options: tuple[Choice, ...] = ()
    any_of: tuple[str, ...] = ()
    at_least: Decimal | None = None
    at_most: Decimal | None = None

    @model_validator(mode="after")
    def _whole(self) -> Criterion:
        numbers = self.at_least is not None or self.at_most is not None
        if (self.field or self.fact) and bool(self.any_of) == numbers:
            raise ValueError("needs either any_of, or at_least and at_most")
        if self.field and self.fact:
            raise ValueError("is judged from a field or from a fact, not both")
        if self.fact is not None and (self.fact not in FACTS or not self.ask):
            raise ValueError("needs a fact that is known, and `ask`: the question in words")
        return self

    @property
    def source(self) -> str | None:
        """Return what the rule is judged from; None when a person confirms it."""
        return self.field or self.fact

    def question(self, form: Form) -> Question | None:
        """Return what has to be asked to judge it."""
        if self.field:
            return form.questions[self.field]
        if self.fact is None:
            return None
        kind: Literal["choice", "number", "text"] = (
            "choice" if self.options else "number" if not self.any_of else "text"
        )
        return Question(id=self.fact, kind=kind, label=self.ask, options=self.options, required=True)

    def needs(self) -> str:
        """Return the figure of the rule."""
        if self.any_of:
            return Rule("needed: %(names)s", names=", ".join(self.any_of))
        if self.at_least is None:
            return Rule("needed: at most %(most)s", most=self.at_most)
        if self.at_most is None:
            return Rule("needed: at least %(least)s", least=self.at_least)
        return Rule("needed: %(least)s to %(most)s", least=self.at_least, most=self.at_most)


class Judged(Model):
    """How it stands with one rule: what was said, and what it comes to."""

    rule: str
    result: Result
    given: str = ""


def judge(criteria: tuple[Criterion, ...], form: Form, said: Mapping[str, str]) -> list[Judged]:
    """Judge every rule; `said` are answers and facts by name. What is not said, or makes no sense, stays open."""
    return [_judged(item, form, said.get(item.source, "").strip() if item.source else "") for item in criteria]


def _judged(item: Criterion, form: Form, given: str) -> Judged:
    question = item.question(form)
    if question is None or not given or problem(question, given) is not None:
        return Judged(rule=item.id, result="open", given=given)
    return Judged(rule=item.id, result="passed" if _passes(item, given) else "failed", given=given)


def _passes(item: Criterion, given: str) -> bool:
    if item.any_of:
        return given in item.any_of
    value = value_of(given)
    low = item.at_least is None or (value is not None and value >= item.at_least)
    return low and (item.at_most is None or (value is not None and value <= item.at_most))
