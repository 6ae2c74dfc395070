"""Answers against a form. Answers are texts by name; a cell of rows is named "<rows>.<number>.<column>"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from pydantic import TypeAdapter, ValidationError

from shared.errors import Rule
from shared.forms.model import Form, Question, Sum
from shared.money import Amount

_AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)
Answers = Mapping[str, str]


def words(text: str) -> int:
    """Return the number of words, as the form counts them."""
    return len(text.split())


def shown(form: Form, answers: Answers) -> set[str]:
    """Return the questions that are asked, given the answers so far: a hidden one hides what hangs on it."""
    found: set[str] = set()
    for question in form.questions.values():
        when = question.when
        if when is None or (when.field in found and answers.get(when.field, "") in when.values):
            found.add(question.id)
    return found


def rows_of(question: Question, answers: Answers) -> list[dict[str, str]]:
    """Return the rows that have something in them, in order."""
    rows = [
        {column.id: answers.get(f"{question.id}.{number}.{column.id}", "") for column in question.columns}
        for number in range(question.max_rows)
    ]
    return [row for row in rows if any(text.strip() for text in row.values())]


def tidy(form: Form, answers: Answers) -> dict[str, str]:
    """Return answers in which rows follow each other without gaps, and cells that no row has any more are empty."""
    found = dict(answers)
    for question in form.questions.values():
        if question.kind != "rows" or not any(name.startswith(f"{question.id}.") for name in answers):
            continue
        rows = rows_of(question, answers)
        for number in range(question.max_rows):
            row = rows[number] if number < len(rows) else {}
            found |= {f"{question.id}.{number}.{column.id}": row.get(column.id, "") for column in question.columns}
    return found


def answer_problems(form: Form, answers: Answers) -> dict[str, str]:
    """Return {answer: rule} of what is asked and missing, or breaks its question's rule."""
    found: dict[str, str] = {}
    asked = shown(form, answers)
    for question in form.questions.values():
        if question.id not in asked:
            continue
        if question.kind == "rows":
            found |= _row_problems(question, answers)
        elif rule := problem(question, answers.get(question.id, "").strip()):
            found[question.id] = rule
    return found


def _row_problems(question: Question, answers: Answers) -> dict[str, str]:
    rows = rows_of(question, answers)
    least = max(question.min_rows, int(question.required))
    if len(rows) < least:
        return {question.id: Rule("has %(n)s rows, at least %(least)s", n=len(rows), least=least)}
    found: dict[str, str] = {}
    for number, row in enumerate(rows):
        for column in question.columns:
            if rule := problem(column, row[column.id].strip()):
                found[f"{question.id}.{number}.{column.id}"] = rule
    return found


def problem(question: Question, text: str) -> str | None:
    """Return the rule that an answer breaks, or None."""
    if not text:
        return "is required" if question.required else None
    if question.max_words is not None and words(text) > question.max_words:
        return Rule("has %(n)s words, at most %(most)s", n=words(text), most=question.max_words)
    if question.max_length is not None and len(text) > question.max_length:
        return Rule("is longer than %(most)s characters", most=question.max_length)
    check = _KINDS.get(question.kind)
    return check(question, text) if check else None


def value_of(text: str) -> Decimal | None:
    """Return a number as people write it (12.5, 12,5, 48 200); None when it is none or can be read in two ways."""
    try:
        return _AMOUNT.validate_python(text)
    except ValidationError:
        return None


def _number(question: Question, text: str) -> str | None:
    try:
        value = _AMOUNT.validate_python(text)
    except ValidationError as error:
        return _said(error)
    if abs(value) >= Decimal(10) ** 18:
        return "is not a number"
    if question.decimals is not None and value != round(value, question.decimals):
        whole = question.decimals == 0
        return "must be a whole number" if whole else Rule("has at most %(most)s decimals", most=question.decimals)
    return _limits(question, value)


def _limits(question: Question, value: Decimal) -> str | None:
    if question.min is not None and value < question.min:
        return Rule("must be at least %(least)s", least=question.min)
    if question.max is not None and value > question.max:
        return Rule("must be at most %(most)s", most=question.max)
    return None


def _said(error: ValidationError) -> str:
    """Return the rule that an amount breaks where it says more than that it is none."""
    ours = error.errors()[0].get("ctx", {}).get("error")
    return next((word for word in getattr(ours, "args", ()) if isinstance(word, Rule)), "is not a number")


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


_KINDS: dict[str, Callable[[Question, str], str | None]] = {
    "number": _number,
    "amount": _number,
    "choice": _choice,
    "date": _date,
    "yes_no": _yes_no,
}


def sum_problems(form: Form, answers: Answers, totals: Mapping[str, Decimal]) -> dict[str, str]:
    """Return {first term: rule} of the sums whose sides differ; `totals` are the budget's, by term.

    A sum is left alone while one of its questions is not asked or not yet answered: that is said at the question.
    """
    found: dict[str, str] = {}
    for item in form.sums:
        sides = [_side(form, terms, answers, totals) for terms in (item.left, item.right)]
        left, right = sides
        if left is not None and right is not None and left != right:
            found[_place(item)] = Rule("is %(left)s, but must be the same as %(right)s", left=left, right=right)
    return found


def _place(item: Sum) -> str:
    return item.left[0]


def _side(form: Form, terms: tuple[str, ...], answers: Answers, totals: Mapping[str, Decimal]) -> Decimal | None:
    values = [totals[term] if term in totals else _term(form, term, answers) for term in terms]
    return None if any(value is None for value in values) else sum((v for v in values if v is not None), Decimal(0))


def _term(form: Form, term: str, answers: Answers) -> Decimal | None:
    owner, _, column = term.partition(".")
    if owner not in shown(form, answers):
        return None
    if not column:
        return value_of(answers.get(owner, ""))
    cells = [value_of(row[column]) for row in rows_of(form.questions[owner], answers) if row[column].strip()]
    return None if None in cells else sum((cell for cell in cells if cell is not None), Decimal(0))
