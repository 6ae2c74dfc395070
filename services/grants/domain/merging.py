"""Two forms of one draft, open at once: what each changed since it was shown, and where they collide.

A form carries the digest of every field as it was shown. So a field that only the other one changed is kept, one that
only this one changed is taken over, and only where both changed the same field somebody has to choose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.grants.domain.application import Application, BudgetLine
from services.grants.domain.pack import BUDGET, Call
from shared.forms import Form, rows_of

TITLE = "title"


def digest(text: str) -> str:
    """Return the mark by which a field's text is known again."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def texts(call: Call, title: str, answers: Mapping[str, str], budget: Sequence[BudgetLine]) -> dict[str, str]:
    """Return every field as one text; rows and the budget are one field each, because their lines move."""
    found = {TITLE: title, BUDGET: json.dumps([line.model_dump(mode="json") for line in budget])}
    for question in call.questions.values():
        rows = question.kind == "rows"
        found[f"answers.{question.id}"] = (
            json.dumps(rows_of(question, answers)) if rows else answers.get(question.id, "")
        )
    return found


def marks(call: Call, application: Application) -> dict[str, str]:
    """Return {field: digest} of what is stored now."""
    stored = texts(call, application.title, application.answers, application.budget)
    return {name: digest(text) for name, text in stored.items()}


@dataclass
class Merged:
    """What a form adds to what is stored: collisions as {field: (mine, stored)}, and fields changed elsewhere alone."""

    clashes: dict[str, tuple[str, str]] = field(default_factory=dict)
    theirs: list[str] = field(default_factory=list)

    def keeps(self, name: str) -> bool:
        """Return whether the stored text of this field stays."""
        return name in self.clashes or name in self.theirs


def merge(mine: Mapping[str, str], stored: Mapping[str, str], base: Mapping[str, str]) -> Merged:
    """Compare what a form says with what is stored, by the digests of what the form was filled from."""
    merged = Merged()
    for name, text in mine.items():
        was = base.get(name)
        if was is None or digest(stored[name]) == was or text == stored[name]:
            continue
        if digest(text) == was:
            merged.theirs.append(name)
        else:
            merged.clashes[name] = (text, stored[name])
    return merged


def owner(form: Form, name: str) -> str:
    """Return the field to which an answer belongs: its own, or its rows'."""
    question = form.questions.get(name.partition(".")[0])
    return f"answers.{question.id}" if question and question.kind == "rows" else f"answers.{name}"
