"""Checking a 360Giving package or one of its grants against a JSON schema, with the formats really looked at.

Without a format checker and the library that knows date-times, a plain day fits both branches of the standard's
`oneOf`, and valid files are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from shared.errors import Rule

_SCHEMA = Path(__file__).with_name("giving_schema.json")


@cache
def _validator(part: str) -> Draft202012Validator:
    schema: dict[str, Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    chosen = schema if part == "package" else {"$schema": schema["$schema"], "$ref": f"#/$defs/{part}"}
    if part != "package":
        chosen["$defs"] = schema["$defs"]
    return Draft202012Validator(chosen, format_checker=Draft202012Validator.FORMAT_CHECKER)


def grant_problems(content: Mapping[str, Any]) -> list[tuple[str, Rule, str]]:
    """Return (field, rule, value) of what the schema refuses in a grant."""
    return _said(_validator("grant").iter_errors(content))


def package_problems(content: Mapping[str, Any]) -> list[tuple[str, Rule, str]]:
    """Return (field, rule, value) of what the schema refuses in a package."""
    return _said(_validator("package").iter_errors(content))


def _said(errors: Iterable[ValidationError]) -> list[tuple[str, Rule, str]]:
    return [(_field(error), _rule(error), _value(error)) for error in errors]


def _field(error: ValidationError) -> str:
    path = ".".join(str(step) for step in error.absolute_path)
    if error.validator == "required":
        return ".".join(filter(None, (path, str(error.message).split("'")[1])))
    return path


def _rule(error: ValidationError) -> Rule:
    kind, wanted = str(error.validator), error.validator_value
    if kind == "required":
        return Rule("is required")
    if kind == "additionalProperties":
        return Rule("has a member that is not published")
    if kind in {"oneOf", "format"}:
        return Rule("must be a day, a date-time or an address, as the standard writes it")
    if kind == "enum":
        return Rule("must be one of: %(names)s", names=", ".join(map(str, wanted)))
    return Rule("breaks the standard's rule %(name)s: %(wanted)s", name=kind, wanted=str(wanted)[:120])


def _value(error: ValidationError) -> str:
    return "" if error.validator == "required" else str(error.instance)[:200]
