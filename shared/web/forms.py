"""What forms have in common: no unknown fields, trimmed text, and rules named by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import InvalidError, Rule


class FormModel(BaseModel):
    """The base of every posted form. `csrf` is checked at the edge; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, str_max_length=100_000)

    csrf: str = ""


_PLACES = ("body", "query", "path", "header", "cookie")
_WHOLE, _NUMBER, _DATE = "is not a whole number", "is not a number", "is not a date: write year-month-day"
_TEXT, _SHAPE = "is not a text", "is not written as it has to be"
# pydantic's kinds of errors in our words, which can be said in other languages; %(…)s are its own facts.
_RULES = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this form",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "too_short": "has too few entries",
    "too_long": "has too many entries",
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "string_pattern_mismatch": _SHAPE,
    "bool_parsing": "is neither yes nor no",
    "bool_type": "is neither yes nor no",
    "uuid_parsing": "is not an id",
    "uuid_type": "is not an id",
    "json_invalid": "is not JSON",
    "literal_error": "is none of %(expected)s",
    "enum": "is none of %(expected)s",
    "greater_than": "is not more than %(gt)s",
    "greater_than_equal": "is less than %(ge)s",
    "less_than": "is not less than %(lt)s",
    "less_than_equal": "is more than %(le)s",
}
_KINDS = {"int": _WHOLE, "float": _NUMBER, "decimal": _NUMBER, "finite": _NUMBER, "date": _DATE, "datetime": _DATE}


def rule_of(error: Mapping[str, Any]) -> str:
    """Return the rule that one of pydantic's errors says was broken; where a check is ours, its own words."""
    kind, given = str(error["type"]), error.get("input")
    if isinstance(given, str) and not given.strip() and kind != "extra_forbidden":
        return _RULES["missing"]  # an empty field is none that is too short or no date
    if kind in {"value_error", "assertion_error"}:
        said = str(error["msg"]).partition(", ")[2]
        ours: Exception | None = error.get("ctx", {}).get("error")
        return next((word for word in ours.args if isinstance(word, Rule)), said) if ours else said
    facts = {name: str(value) for name, value in error.get("ctx", {}).items()}
    if "expected" in facts:
        facts["expected"] = facts["expected"].replace(" or ", ", ").replace("'", "")
    return Rule(_RULES.get(kind) or _KINDS.get(kind.partition("_")[0], _SHAPE), **facts)


def field_errors(errors: Iterable[Any]) -> dict[str, str]:
    """Return {field: rule} of pydantic's errors; a field inside another is named `outer.inner`."""
    found: dict[str, str] = {}
    for error in errors:
        parts = [str(part) for part in error["loc"]]
        if parts and parts[0] in _PLACES:
            parts = parts[1:] or parts
        found.setdefault(".".join(parts) or "body", rule_of(error))
    return found


def invalid(error: ValidationError) -> InvalidError:
    """Return the refusal that names each field and the rule it breaks."""
    return InvalidError(field_errors(error.errors(include_url=False, include_input=True)))
