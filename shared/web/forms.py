"""What forms have in common: no unknown fields, trimmed text, and rules named by field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import InvalidError


class FormModel(BaseModel):
    """The base of every posted form. `csrf` is checked at the edge; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, str_max_length=100_000)

    csrf: str = ""


_PLACES = ("body", "query", "path", "header", "cookie")
_RULES = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this form",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "int_parsing": "is not a whole number",
    "decimal_parsing": "is not a number",
    "date_from_datetime_parsing": "is not a date: write year-month-day",
    "date_parsing": "is not a date: write year-month-day",
}


def field_errors(errors: Iterable[Any]) -> dict[str, str]:
    """Return {field: rule} of pydantic's errors; a field inside another is named `outer.inner`."""
    found: dict[str, str] = {}
    for error in errors:
        parts = [str(part) for part in error["loc"]]
        if parts and parts[0] in _PLACES:
            parts = parts[1:] or parts
        message = str(error["msg"]).removeprefix("Value error, ")
        found.setdefault(".".join(parts) or "body", _RULES.get(str(error["type"]), message))
    return found


def invalid(error: ValidationError) -> InvalidError:
    """Return the refusal that names each field and the rule it breaks."""
    return InvalidError(field_errors(error.errors(include_url=False, include_context=False, include_input=False)))
