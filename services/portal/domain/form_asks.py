"""Questions of a JSON Schema as rows that a page edits: the columns of a repeating question, a report's questions.

Members that no row asks for (a condition, say) are kept as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.portal.domain.call_fields import ROW_ID, Field
from services.portal.domain.form_kinds import COMMON, KEPT, KINDS, Form, kind_of, questions_of

WAS = "was"  # in a row: the question as it stood
_NUMBERS = ("number", "whole", "amount")
_LIMITS = ("maxLength", "x-max-words", "minimum", "maximum", "x-decimals")
ASKED = (
    Field("id", "Id", hint=ROW_ID),
    Field("kind", "Kind of question", "choice", required=True, choices="kinds_of_question"),
    Field("label", "The question", "names", required=True),
    Field("hint", "Hint under it", "names"),
    Field("required", "Must be answered to hand in", "flag"),
    Field("options", "Answers", "lines", only=("choice",)),
    Field("maxLength", "Letters, at most", "limit", only=("text",)),
    Field("x-max-words", "Words, at most", "limit", only=("long_text",)),
    Field("minimum", "At least", "limit", only=_NUMBERS),
    Field("maximum", "At most", "limit", only=_NUMBERS),
    Field("x-decimals", "Decimals", "limit", only=("number",)),
)
COLUMNS = Field("columns", "Columns", "asks", "What each row asks.", columns=ASKED, add="Add a column")
_NARRATIVE = {"en": "Narrative", "ru": "Описание"}
_MEMBERS = {"x-label": "label", "x-hint": "hint", "enum": "options", "x-options": "options", "type": "kind", "": "id"}


def asks_of(schema: Any) -> list[Form]:
    """Return the questions of a schema as rows, in their order."""
    if not isinstance(schema, Mapping):
        return []
    found, needed = questions_of(schema), schema.get("required") or []
    order = [name for name in schema.get("x-order") or _sectioned(schema) if name in found]
    return [_row(name, found[name], name in needed) for name in [*order, *(n for n in found if n not in order)]]


def _sectioned(schema: Mapping[str, Any]) -> list[str]:
    return [name for section in schema.get("x-sections") or [] for name in section.get("fields", [])]


def _row(name: str, question: Form, needed: bool) -> Form:
    names = question.get("x-options") or {}
    return {
        "id": name,
        "kind": kind_of(question),
        "label": question.get("x-label") or {},
        "hint": question.get("x-hint") or {},
        "required": needed or bool(question.get("x-required")),
        "options": [{"id": item, "name": names.get(item) or {}} for item in question.get("enum") or []],
        **{member: question[member] for member in _LIMITS if member in question},
        WAS: {"id": name, "question": question},
    }


def as_columns(rows: Sequence[Form]) -> Form:
    """Return what each row of a repeating question asks."""
    properties, required = _questions(rows)
    return {"type": "object", "required": required, "x-order": list(properties), "properties": properties}


def as_form(before: Any, rows: Sequence[Form], languages: Sequence[str]) -> Form | None:
    """Return a form with these questions; each stays in its section, new ones stand in the last. None without any."""
    if not rows:
        return None
    old: Form = dict(before) if isinstance(before, Mapping) else {"type": "object"}
    properties, required = _questions(rows)
    name = {code: _NARRATIVE.get(code, _NARRATIVE["en"]) for code in languages}
    first: Form = {"id": "narrative", "name": name}
    sections = [dict(item) for item in old.get("x-sections") or [first]]
    homes = {name: number for number, item in enumerate(sections) for name in item.get("fields", [])}
    last = len(sections) - 1
    placed = [
        (name, homes.get((row.get(WAS) or {}).get("id"), last)) for name, row in zip(properties, rows, strict=True)
    ]
    for number, section in enumerate(sections):
        section["fields"] = [name for name, home in placed if home == number]
    kept = [section for section in sections if section["fields"]]
    return {**old, "required": required, "properties": properties, "x-sections": kept}


def _questions(rows: Sequence[Form]) -> tuple[Form, list[str]]:
    """Return the questions by id, and which must be answered. An id that stands twice is marked, and so refused."""
    properties: Form = {}
    required = []
    for row in rows:
        name, number = str(row.get("id", "")), 2
        while name in properties:
            name, number = f"{row['id']} ({number})", number + 1
        question = _question(row)
        if row.get("required") and "x-when" not in question:
            required.append(name)
        properties[name] = question
    return properties, required


def _question(row: Form) -> Form:
    was, kind = (row.get(WAS) or {}).get("question") or {}, str(row.get("kind") or "text")
    if kind not in KINDS:
        return {"type": kind, "x-label": row.get("label") or {}}
    same = was and kind_of(was) == kind
    question = dict(was) if same else {**KINDS[kind][1], **{k: v for k, v in was.items() if k in COMMON}}
    if "x-when" in question:
        _put(question, "x-required", row.get("required") or None)
    question["x-label"] = row.get("label") or {}
    _put(question, "x-hint", row.get("hint"))
    for member in KEPT[kind] & set(_LIMITS):
        _put(question, member, row.get(member))
    if kind == "choice":
        options = row.get("options") or []
        question["enum"] = [item["id"] for item in options]
        question["x-options"] = {item["id"]: item["name"] for item in options}
    return question


def _put(question: Form, member: str, value: Any) -> None:
    if value is None or value == {}:
        question.pop(member, None)
    else:
        question[member] = value


def ask_place(schema: Any, start: str, place: str) -> str:
    """Return the input at which a problem of a schema is mended; the place itself where it is no question's."""
    rest = place.removeprefix(f"{start}.properties.")
    if rest == place:
        return place
    for index, row in enumerate(asks_of(schema)):
        if rest == row["id"] or rest.startswith(f"{row['id']}."):
            member = rest.removeprefix(row["id"]).lstrip(".").partition(".")[0]
            return f"{start}.{index}.{_MEMBERS.get(member, member)}"
    return place
