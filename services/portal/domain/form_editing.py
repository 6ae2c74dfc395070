"""Sections and questions of a call's form, edited one by one; the form itself stays JSON Schema with our words on top.

Members that no page asks for (a column's limits, say) are kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from services.portal.domain.call_reading import Posted, free_id, one, options_of, options_text, rows_posted
from services.portal.domain.form_asks import COLUMNS, as_columns, asks_of
from services.portal.domain.form_kinds import COMMON, KEPT, KINDS, Form, kind_of, number_of, questions_of
from shared.errors import InvalidError, NotFoundError, Rule

_ID = re.compile(r"[a-z][a-z0-9_]{0,59}")


def sections_of(form: Mapping[str, Any]) -> list[Form]:
    """Return the sections in order, each with its questions by id."""
    found = form.get("x-sections")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def question(form: Mapping[str, Any], name: str) -> Form:
    """Return a question; raises NotFoundError."""
    found = questions_of(form).get(name)
    if found is None:
        raise NotFoundError("There is no such record")
    return found


def with_sections(form: Mapping[str, Any], posted: Posted, languages: Sequence[str]) -> Form:
    """Return the form with its sections as a page says them, and after what one of its buttons asks.

    Raises InvalidError for a new question whose id can't be, and for taking out a section that has questions.
    """
    new = deepcopy(dict(form))
    numbers = [number for number in range(60) if f"s.{number}._" in posted]
    old = {str(item.get("id")): item for item in sections_of(new)}
    sections = [item for number in numbers if (item := _section(posted, number, old, languages)) is not None]
    known = {str(item.get("id")) for item in sections}
    for item in sections:
        if not item["id"]:
            item["id"] = free_id(item.get("name", {}), known | {"budget", "documents"})
            known.add(item["id"])
    new["x-sections"] = sections
    return _acted(new, one(posted, "go"), posted)


def _section(posted: Posted, number: int, old: Mapping[str, Form], languages: Sequence[str]) -> Form | None:
    name = one(posted, f"s.{number}._")
    section = dict(old.get(name, {"id": name, "fields": []}))
    for member in ("name", "hint"):
        said = {code: text for code in languages if (text := one(posted, f"s.{number}.{member}.{code}"))}
        if said or member == "name":
            section[member] = said
        else:
            section.pop(member, None)
    return section if name or section["name"] else None


def _acted(form: Form, go: str, posted: Posted) -> Form:
    verb, _, rest = go.partition(":")
    if verb == "ask":
        _ask(form, rest, posted)
    elif verb in {"q-up", "q-out"}:
        _moved(form, verb, rest)
    elif verb in {"s-up", "s-out"}:
        _section_moved(form, verb, rest)
    return form


def _ask(form: Form, section: str, posted: Posted) -> None:
    """Add a question to a section."""
    name, kind = one(posted, f"new.{section}.id"), one(posted, f"new.{section}.kind")
    found = next((item for item in form["x-sections"] if item.get("id") == section), None)
    if found is None or kind not in KINDS:
        raise InvalidError({f"new.{section}.kind": "is required"})
    if not _ID.fullmatch(name):
        raise InvalidError({f"new.{section}.id": "must be named with small letters, digits and _"})
    if name in form.setdefault("properties", {}):
        raise InvalidError({f"new.{section}.id": Rule("is the id of another question: %(name)s", name=name)})
    form["properties"][name] = deepcopy(KINDS[kind][1]) | {"x-label": {}}
    if kind == "rows":
        form["properties"][name]["items"] = {"type": "object", "x-order": [], "properties": {}}
    found["fields"] = [*found.get("fields", []), name]


def _moved(form: Form, verb: str, name: str) -> None:
    """Take a question out, or put it before the one above it, over the border of its section as well."""
    sections = form["x-sections"]
    for number, section in enumerate(sections):
        fields = list(section.get("fields", []))
        if name not in fields:
            continue
        index = fields.index(name)
        fields.pop(index)
        if verb == "q-up" and index > 0:
            fields.insert(index - 1, name)
        elif verb == "q-up" and number > 0:
            sections[number - 1]["fields"] = [*sections[number - 1].get("fields", []), name]
        elif verb == "q-up":
            fields.insert(0, name)
        section["fields"] = fields
        break
    if verb == "q-out":
        form.get("properties", {}).pop(name, None)
        form["required"] = [item for item in form.get("required", []) if item != name]


def _section_moved(form: Form, verb: str, name: str) -> None:
    sections = form["x-sections"]
    index = next((number for number, item in enumerate(sections) if item.get("id") == name), None)
    if index is None:
        return
    if verb == "s-out" and sections[index].get("fields"):
        raise InvalidError({f"s.{index}": "has questions: take them out first"})
    if verb == "s-out":
        sections.pop(index)
    elif index:
        sections[index - 1], sections[index] = sections[index], sections[index - 1]


def with_question(form: Mapping[str, Any], name: str, posted: Posted, languages: Sequence[str]) -> Form:
    """Return the form with one of its questions as its page says it; what can't be understood stays as typed."""
    new = deepcopy(dict(form))
    old = question(new, name)
    kind = one(posted, "kind") if one(posted, "kind") in KINDS else kind_of(old)
    kept = {member: value for member, value in old.items() if member in COMMON | KEPT[kind]}
    found = {**deepcopy(KINDS[kind][1]), **kept}
    for member in ("label", "hint"):
        said = {code: text for code in languages if (text := one(posted, f"{member}.{code}"))}
        _set(found, f"x-{member}", said or None)
    for member in KEPT[kind] & {
        "maxLength",
        "x-max-words",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "x-decimals",
    }:
        _set(found, member, number_of(one(posted, member)))
    if kind == "choice":
        _choices(found, posted, languages)
    if kind == "rows":
        found["items"] = as_columns(rows_posted(COLUMNS, COLUMNS.path, posted, asks_of(old.get("items")), languages))
    _condition(new, name, found, posted)
    new["properties"][name] = found
    return new


def _set(found: Form, member: str, value: Any) -> None:
    if value is None:
        found.pop(member, None)
    else:
        found[member] = value


def _choices(found: Form, posted: Posted, languages: Sequence[str]) -> None:
    options = options_of(one(posted, "options"), languages)
    found["enum"] = [item["id"] for item in options]
    found["x-options"] = {item["id"]: item["name"] for item in options}


def _condition(form: Form, name: str, found: Form, posted: Posted) -> None:
    """Set when it is asked, and whether it must be answered: what may be hidden says so in its own way."""
    other, needed = one(posted, "when"), one(posted, "required") == "true"
    answers = [word for item in one(posted, "when_answers").split(",") if (word := item.strip())]
    _set(found, "x-when", {other: answers} if other else None)
    _set(found, "x-required", True if needed and other else None)
    required = [item for item in form.get("required", []) if item != name]
    form["required"] = [*required, name] if needed and not other else required


def choices_text(found: Mapping[str, Any], languages: Sequence[str]) -> str:
    """Return the answers of a choice as lines that `with_question` reads."""
    names = found.get("x-options") or {}
    rows = [{"id": item, "name": names.get(item) or {}} for item in found.get("enum") or []]
    return options_text(rows, languages)
