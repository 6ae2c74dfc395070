"""The kinds of question that a form can ask, and what makes each so in JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Form = dict[str, Any]
# What a question may ask for, as people read it (gettext ids), with what makes it so in the form.
KINDS: dict[str, tuple[str, Form]] = {
    "text": ("One line of text", {"type": "string"}),
    "long_text": ("Long text", {"type": "string", "x-long": True}),
    "number": ("Number", {"type": "number"}),
    "whole": ("Whole number", {"type": "integer"}),
    "amount": ("Amount of money", {"type": "number", "x-money": True}),
    "choice": ("One of several answers", {"type": "string", "enum": [], "x-options": {}}),
    "date": ("Day", {"type": "string", "format": "date"}),
    "yes_no": ("Yes or no", {"type": "boolean"}),
    "rows": ("Rows", {"type": "array", "maxItems": 10}),
}
COMMON = {"x-label", "x-hint", "x-when", "x-required"}
KEPT = {
    "text": {"maxLength"},
    "long_text": {"x-max-words", "maxLength"},
    "number": {"minimum", "maximum", "x-decimals"},
    "whole": {"minimum", "maximum"},
    "amount": {"minimum", "maximum"},
    "choice": {"enum", "x-options"},
    "date": set[str](),
    "yes_no": set[str](),
    "rows": {"minItems", "maxItems", "items"},
}


def kind_of(question: Mapping[str, Any]) -> str:
    """Return which of KINDS a question is."""
    plain = {"boolean": "yes_no", "array": "rows", "integer": "whole"}.get(str(question.get("type")))
    if plain:
        return plain
    if question.get("type") == "number":
        return "amount" if question.get("x-money") else "number"
    if "enum" in question:
        return "choice"
    if "format" in question:
        return "date"
    return "long_text" if question.get("x-long") or question.get("x-max-words") else "text"


def questions_of(form: Mapping[str, Any]) -> dict[str, Form]:
    """Return the questions by id."""
    found = form.get("properties")
    return {name: item for name, item in found.items() if isinstance(item, dict)} if isinstance(found, Mapping) else {}


def number_of(text: str) -> int | float | str | None:
    """Return a limit as the form has it: a number where it is one, else the text."""
    if not text:
        return None
    try:
        value = Decimal(text.replace(" ", "").replace(",", "."))
    except InvalidOperation:
        return text
    return text if not value.is_finite() else int(value) if value == value.to_integral_value() else float(value)
