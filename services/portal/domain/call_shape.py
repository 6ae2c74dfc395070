"""The bare shape of a draft: what is a list, a mapping, a text. What has it can be shown and mended, however wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.portal.domain.call_fields import Field, get
from services.portal.domain.call_parts import PARTS

Problems = Iterator[tuple[str, str]]
MAPPING, LIST, TEXTS, PLAIN = (
    "must be a mapping",
    "must be a list of mappings",
    "must be a list of names",
    "must be a text or a number",
)


def _names(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values())


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, int | str) for item in value)


def _options(value: Any) -> bool:
    return _rows(value) and all(_names(item.get("name", {})) for item in value)


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


_SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "names": (_names, MAPPING),
    "long_names": (_names, MAPPING),
    "choices": (_texts, TEXTS),
    "list": (_texts, TEXTS),
    "lines": (_options, LIST),
    "lists": (_names, MAPPING),
    "money": (_names, MAPPING),
    "rows": (_rows, LIST),
    "numbers": (_numbers, "must be a list of numbers"),
}


def shape_problems(content: Mapping[str, Any]) -> dict[str, str]:
    """Return {place: rule} of what no page could show."""
    wrong: dict[str, str] = {}
    for part in PARTS:
        for field in part.fields:
            wrong |= dict(_field(content, field, field.path))
    for place in (
        "call.eligibility",
        "call.duration_months",
        "call.budget_rows",
        "call.partners",
        "call.reporting",
        "call.exclusion",
    ):
        if (value := get(content, place)) is not None and not isinstance(value, Mapping):
            wrong[place] = MAPPING
    if "form" in content["call"]:
        wrong |= dict(_form(content["call"]["form"], "call.form"))
    return wrong


def _field(content: Any, field: Field, place: str) -> Problems:
    value = get(content, place)
    if value is None or field.kind == "source":
        return
    if field.kind == "asks":
        yield from _form(value, place)
        return
    fits, rule = _SHAPES.get(field.kind, (_plain, PLAIN))
    if not fits(value):
        yield place, rule
    elif field.kind == "rows":
        for number in range(len(value)):
            for column in field.columns:
                yield from _field(content, column, f"{place}.{number}.{column.path}")


def _form(form: Any, place: str) -> Problems:
    if not isinstance(form, Mapping):
        yield place, MAPPING
        return
    if not _texts(form.get("required", [])):
        yield f"{place}.required", TEXTS
    sections = form.get("x-sections", [])
    if not _rows(sections):
        yield f"{place}.x-sections", LIST
    else:
        for number, item in enumerate(sections):
            fine = _texts(item.get("fields", [])) and all(_names(item.get(name, {})) for name in ("name", "hint"))
            if not fine or not isinstance(item.get("id"), str):
                yield (
                    f"{place}.x-sections.{number}",
                    "must have an id, a name by language and the ids of its questions",
                )
    yield from _questions(form.get("properties", {}), f"{place}.properties")


def _questions(found: Any, place: str) -> Problems:
    if not isinstance(found, Mapping):
        yield place, MAPPING
        return
    for name, item in found.items():
        where = f"{place}.{name}"
        if not isinstance(item, Mapping):
            yield where, MAPPING
            continue
        for member in ("x-label", "x-hint"):
            if not _names(item.get(member, {})):
                yield f"{where}.{member}", MAPPING
        options = item.get("x-options", {})
        if not isinstance(options, Mapping) or not all(_names(value) for value in options.values()):
            yield f"{where}.x-options", MAPPING
        if not _texts(item.get("enum", [])):
            yield f"{where}.enum", TEXTS
        when = item.get("x-when", {})
        if not isinstance(when, Mapping) or not all(_texts(value) for value in when.values()):
            yield f"{where}.x-when", MAPPING
        items = item.get("items", {})
        if not isinstance(items, Mapping) or not all(
            _texts(items.get(member, [])) for member in ("required", "x-order")
        ):
            yield f"{where}.items", MAPPING
        else:
            yield from _questions(items.get("properties", {}), f"{where}.items.properties")
