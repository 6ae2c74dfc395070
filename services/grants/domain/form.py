"""Checks of what an applicant wrote: loose while it is a draft, strict when it is handed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from services.grants.domain.application import Application, BudgetLine
from services.grants.domain.pack import Call, Question
from shared.errors import InvalidError, Rule
from shared.money import Money, total

MAX_TEXT = 20_000
MAX_TITLE = 200
MAX_LINES = 60


def words(text: str) -> int:
    """Return the number of words, as the form counts them."""
    return len(text.split())


def check_draft(call: Call, title: str, answers: Mapping[str, str], budget: Sequence[BudgetLine]) -> None:
    """Refuse what can't even be kept; raises InvalidError."""
    if wrong := draft_problems(call, title, answers, budget):
        raise InvalidError(wrong)


def draft_problems(call: Call, title: str, answers: Mapping[str, str], budget: Sequence[BudgetLine]) -> dict[str, str]:
    """Return {field: rule} of what can't be kept: unknown questions and lines, foreign currencies, endless texts."""
    wrong: dict[str, str] = {
        f"answers.{name}": "is not a question of this form" for name in answers if name not in call.questions
    }
    wrong |= {
        f"answers.{name}": Rule("is longer than %(most)s characters", most=MAX_TEXT)
        for name, text in answers.items()
        if len(text) > MAX_TEXT
    }
    if len(title) > MAX_TITLE:
        wrong["title"] = Rule("is longer than %(most)s characters", most=MAX_TITLE)
    return wrong | _budget_wrong(call, budget)


def _budget_wrong(call: Call, budget: Sequence[BudgetLine]) -> dict[str, str]:
    if len(budget) > MAX_LINES:
        return {"budget": Rule("has at most %(most)s lines", most=MAX_LINES)}
    known = {category.id for category in call.budget_lines}
    wrong: dict[str, str] = {}
    for index, line in enumerate(budget):
        if line.line not in known:
            wrong[f"budget.{index}.line"] = "is not a budget line of this call"
        if {line.grant.currency, line.own.currency} != {call.currency}:
            wrong[f"budget.{index}.grant"] = Rule("must be in %(currency)s", currency=call.currency)
        elif line.grant.amount < 0 or line.own.amount < 0:
            wrong[f"budget.{index}.grant"] = "must not be less than nothing"
        if len(line.note) > MAX_TITLE:
            wrong[f"budget.{index}.note"] = Rule("is longer than %(most)s characters", most=MAX_TITLE)
    return wrong


def problems(call: Call, application: Application, today: date) -> dict[str, str]:
    """Return {field: rule} of everything that keeps the application from being handed in today."""
    answers, budget = application.answers, application.budget
    found: dict[str, str] = {}
    if not application.title.strip():
        found["title"] = "is required"
    for question in call.questions.values():
        rule = _answer_problem(question, answers.get(question.id, "").strip())
        if rule:
            found[f"answers.{question.id}"] = rule
    found |= _amount_problems(call, budget)
    have = {document.kind for document in application.documents}
    for kind in call.documents:
        if kind.required and kind.type not in have:
            found[f"documents.{kind.type}"] = "is required"
    if not call.is_open(today):
        found["call"] = "is not open today"
    return found


def _answer_problem(question: Question, text: str) -> str | None:
    if not text:
        return "is required" if question.required else None
    if question.max_words is not None and words(text) > question.max_words:
        return Rule("has %(n)s words, at most %(most)s", n=words(text), most=question.max_words)
    return _KINDS[question.kind](question, text)


def _number(question: Question, text: str) -> str | None:
    try:
        value = Decimal(text.replace("\u00a0", "").replace(" ", "").replace(",", ""))
    except InvalidOperation:
        return "is not a number"
    if not value.is_finite():
        return "is not a number"
    if question.min is not None and value < question.min:
        return Rule("must be at least %(least)s", least=question.min)
    if question.max is not None and value > question.max:
        return Rule("must be at most %(most)s", most=question.max)
    return None


def _choice(question: Question, text: str) -> str | None:
    return None if text in {option.id for option in question.options} else "is not one of the choices"


def _date(_question: Question, text: str) -> str | None:
    try:
        date.fromisoformat(text)
    except ValueError:
        return "is not a date: write year-month-day"
    return None


def _yes_no(_question: Question, text: str) -> str | None:
    return None if text in {"yes", "no"} else "is not one of the choices"


def _free(_question: Question, _text: str) -> str | None:
    return None


_KINDS: dict[str, Callable[[Question, str], str | None]] = {
    "number": _number,
    "choice": _choice,
    "date": _date,
    "yes_no": _yes_no,
    "text": _free,
    "long_text": _free,
}


def _amount_problems(call: Call, budget: Sequence[BudgetLine]) -> dict[str, str]:
    asked = total((line.grant for line in budget), call.currency)
    if not asked:
        return {"budget": "asks for nothing yet"}
    if asked > call.ceiling:
        return {"budget": Rule("asks for %(asked)s, at most %(most)s", asked=asked, most=call.ceiling)}
    if call.floor is not None and asked < call.floor:
        return {"budget": Rule("asks for %(asked)s, at least %(least)s", asked=asked, least=call.floor)}
    return _shares(call, budget, asked)


def _shares(call: Call, budget: Sequence[BudgetLine], asked: Money) -> dict[str, str]:
    by_line: Counter[str] = Counter()
    for line in budget:
        by_line[line.line] += line.grant.amount  # type: ignore[assignment]  # a Counter of decimals
    found: dict[str, str] = {}
    for category in call.budget_lines:
        if category.max_percent is None:
            continue
        limit = Money.of(asked.amount * category.max_percent / 100, call.currency)
        if by_line[category.id] > limit.amount:
            found[f"budget.{category.id}"] = Rule(
                "is above %(percent)s %% of the grant: at most %(most)s", percent=category.max_percent, most=limit
            )
    return found
