"""What a loan is counted by: product, sector, sex and age of the owners, place; read from the locked proposal.

Each value comes from fields that the applicant discloses by consent, so the bank counts by a dimension only when it
was given the fields of that dimension.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

# Which fields of the proposal each dimension is read from.
SOURCES: dict[str, frozenset[str]] = {
    "product": frozenset({"request.instrument"}),
    "sector": frozenset({"applicant.sector"}),
    "sex": frozenset({"owners.people"}),
    "age": frozenset({"owners.people"}),
    "place": frozenset({"project.location"}),
}
YOUTH, OLDER = 30, 60
_HALF = 50
_MOST = 80
_SEXES = ("female", "male")
ZERO = Decimal(0)


def profile(locked: dict[str, dict[str, Any]], year: int) -> dict[str, str]:
    """Return the value of each dimension, empty where the proposal does not tell; `year` is that of the agreement."""
    people = locked.get("owners", {}).get("people") or []
    return {
        "product": str(locked.get("request", {}).get("instrument") or ""),
        "sector": str(locked.get("applicant", {}).get("sector") or "")[:_MOST],
        "sex": _sex(people),
        "age": _age(people, year),
        "place": str(locked.get("project", {}).get("location") or "").split(",")[0].strip()[:_MOST],
    }


def disclosed(fields: Iterable[str]) -> list[str]:
    """Return the dimensions that follow from the consented fields ("block.field")."""
    given = set(fields)
    return [name for name, needed in SOURCES.items() if needed <= given]


def _sex(people: list[dict[str, Any]]) -> str:
    """Return who owns more than half."""
    held = {sex: sum((_share(item) for item in people if item.get("sex") == sex), ZERO) for sex in _SEXES}
    major = [sex for sex, share in held.items() if share > _HALF]
    return major[0] if major else "mixed" if any(held.values()) else ""


def _age(people: list[dict[str, Any]], year: int) -> str:
    """Return the age band of the owner with the largest share."""
    known = [item for item in people if item.get("birth_year")]
    if not known:
        return ""
    years = year - int(max(known, key=_share)["birth_year"])
    return "youth" if years < YOUTH else "adult" if years < OLDER else "older"


def _share(person: dict[str, Any]) -> Decimal:
    return Decimal(str(person.get("share_percent") or 0))
