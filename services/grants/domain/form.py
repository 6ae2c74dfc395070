"""Checks of what an applicant wrote: loose while it is a draft, strict when it is handed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.grants.domain.application import Application, BudgetLine
from services.grants.domain.pack import Call
from shared.errors import InvalidError, Rule
from shared.forms import Judged, answer_problems, judge, sum_problems
from shared.money import Money, total

MAX_TEXT = 20_000
MAX_TITLE = 200
MAX_LINES = 60
LOCKED = "is locked: it was not asked for"


def check_draft(call: Call, title: str, answers: Mapping[str, str], budget: Sequence[BudgetLine]) -> None:
    """Refuse what can't even be kept; raises InvalidError."""
    if wrong := draft_problems(call, title, answers, budget):
        raise InvalidError(wrong)


def draft_problems(call: Call, title: str, answers: Mapping[str, str], budget: Sequence[BudgetLine]) -> dict[str, str]:
    """Return {field: rule} of what can't be kept: unknown questions and lines, foreign currencies, endless texts."""
    wrong: dict[str, str] = {
        f"answers.{name}": "is not a question of this form" for name in answers if call.form.cell(name) is None
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
    if len(budget) > call.budget_rows.max:
        return {"budget": Rule("has at most %(most)s lines", most=call.budget_rows.max)}
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


def locked(call: Call, application: Application, answers: Mapping[str, str], title: str) -> dict[str, str]:
    """Return {field: rule} of what may not change while only some sections are asked for again."""
    found: dict[str, str] = {
        f"answers.{name}": LOCKED
        for name, text in answers.items()
        if call.form.section_of(name) not in application.asked and text != application.answers.get(name, "")
    }
    return found | ({"title": LOCKED} if title != application.title else {})


def problems(call: Call, application: Application, now: datetime) -> dict[str, str]:
    """Return {field: rule} of everything that keeps the application from being handed in now, local time."""
    answers, budget = application.answers, application.budget
    found: dict[str, str] = {}
    if not application.title.strip():
        found["title"] = "is required"
    found |= {f"answers.{name}": rule for name, rule in answer_problems(call.form, answers).items()}
    found |= _amount_problems(call, budget)
    for term, rule in sum_problems(call.form, answers, _totals(application)).items():
        found.setdefault("budget" if term.startswith("budget.") else f"answers.{term}", rule)
    have = {document.kind for document in application.documents}
    for kind in call.documents:
        if kind.required and kind.type not in have:
            found[f"documents.{kind.type}"] = "is required"
    if not call.is_open(now):
        found["call"] = "is not open now"
    return found


def asked_problems(call: Call, application: Application, now: datetime) -> dict[str, str]:
    """Return {field: rule} of what is wrong in the sections that were asked for again."""
    return {
        name: rule
        for name, rule in problems(call, application, now).items()
        if part_of(call, name) in application.asked
    }


def part_of(call: Call, field: str) -> str | None:
    """Return the part of the application in which a field stands: a section's id, "budget" or "documents"."""
    kind, _, rest = field.partition(".")
    return call.form.section_of(rest) if kind == "answers" else kind


def _totals(application: Application) -> dict[str, Decimal]:
    grant, own = application.amount.amount, application.own_share.amount
    return {"budget.grant": grant, "budget.own": own, "budget.total": grant + own}


def eligibility(call: Call, application: Application, organisation: Mapping[Any, Any] | None) -> list[Judged]:
    """Judge the call's rules from the answers, the budget, and what is known of the organisation."""
    totals = _totals(application)
    facts = {"requested": str(totals["budget.grant"])}
    if totals["budget.total"]:
        share = totals["budget.own"] * 100 / totals["budget.total"]
        facts["own_share_percent"] = str(share.quantize(Decimal("0.01")))
    if organisation is not None:
        facts |= {"organisation_kind": organisation["kind"], "country": organisation["country"] or ""}
    return judge(call.eligibility.rules, call.form, application.answers | facts)


def _amount_problems(call: Call, budget: Sequence[BudgetLine]) -> dict[str, str]:
    asked = total((line.grant for line in budget), call.currency)
    if budget and len(budget) < call.budget_rows.min:
        return {"budget": Rule("has %(n)s rows, at least %(least)s", n=len(budget), least=call.budget_rows.min)}
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
