"""What pydantic finds wrong with a part of a pack, in the words of the house."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors import Rule


def broken(error: Any) -> str:
    """Return the rule that one of pydantic's errors says was broken; where a check is ours, its own words."""
    facts = error.get("ctx", {})
    ours = next((word for word in getattr(facts.get("error"), "args", ()) if isinstance(word, Rule)), None)
    return ours or _rule(str(error["type"]), facts) or str(error["msg"])


def _rule(kind: str, facts: Mapping[str, Any]) -> str | None:
    """Return the words of the house for what pydantic found, so that pages can say them in their language."""
    if kind in {"int_parsing", "int_type", "int_from_float"}:
        return "is not a whole number"
    if kind == "literal_error":
        return Rule("must be one of: %(names)s", names=str(facts["expected"]).replace("'", "").replace(" or ", ", "))
    if kind == "greater_than_equal":
        return Rule("must be at least %(least)s", least=facts["ge"])
    if kind == "less_than_equal":
        return Rule("must be at most %(most)s", most=facts["le"])
    if kind == "too_short":
        return Rule("must name at least %(least)s", least=facts["min_length"])
    return _PLAIN.get(kind)


_PLAIN = {
    "decimal_parsing": "is not a number",
    "decimal_type": "is not a number",
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "string_pattern_mismatch": "must be small letters, digits and hyphens",
}
