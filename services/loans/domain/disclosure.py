"""What a bank may see: built field by field from what the applicant consented to, never by leaving things out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from services.loans.domain.blocks import BLOCKS, Plan
from services.loans.domain.cashflow import cash_flow, loan_rows
from services.loans.domain.documents import ProposalDocument
from services.loans.domain.ratios import Ratios, ratios
from shared.entity import Part
from shared.errors import InvalidError

# Blocks that are computed or kept beside the plan, with their fields.
_DERIVED: dict[str, list[str]] = {
    "ratios": [item.name for item in fields(Ratios)],
    "cash_flow": ["months", "schedule"],
    "documents": ["files"],
}
FIELDS: dict[str, list[str]] = {name: list(block.model_fields) for name, block in BLOCKS.items()} | _DERIVED
ALL_FIELDS = [f"{block}.{field}" for block, names in FIELDS.items() for field in names]
_JSON: TypeAdapter[Any] = TypeAdapter(Any)


class Consent(Part):
    """One bank, some fields, one purpose, until a day: what was agreed to, in which words, by whom, and when."""

    bank: str
    fields: list[str]
    purpose: str
    until: date
    text_version: str
    text_sha256: str
    language: str
    given_by: str
    given_by_name: str
    given_at: str  # ISO 8601, UTC


def expand(chosen: Iterable[str]) -> list[str]:
    """Return the "block.field" names that `chosen` ("block" or "block.field") stand for, in the house's order.

    Raises InvalidError for a name that is no block and no field.
    """
    wanted: set[str] = set()
    for name in chosen:
        found = {full for full in ALL_FIELDS if full == name or full.split(".", 1)[0] == name}
        if not found:
            raise InvalidError({"fields": f"{name[:80]!r} is neither a block nor a field of a proposal"})
        wanted |= found
    return [name for name in ALL_FIELDS if name in wanted]


def compact(names: Sequence[str]) -> list[str]:
    """Return field names with each whole block as one name; what `expand` makes of it are the same fields."""
    given, whole = set(names), [block for block in FIELDS if _of_block(block) <= set(names)]
    rest = [name for name in ALL_FIELDS if name in given and name.split(".", 1)[0] not in whole]
    return [*whole, *rest]


def _of_block(block: str) -> set[str]:
    return {f"{block}.{field}" for field in FIELDS[block]}


def facts_of(plan: Plan, documents: Sequence[ProposalDocument], figures: Ratios) -> dict[str, dict[str, Any]]:
    """Return a proposal as JSON types by block and field, with its ratios and documents."""
    derived = {"ratios": asdict(figures), "documents": {"files": [item.model_dump(mode="json") for item in documents]}}
    return plan.model_dump(mode="json") | _plain(derived)


def content(plan: Plan, documents: Sequence[ProposalDocument]) -> dict[str, dict[str, Any]]:
    """Return a proposal's whole content, its cash flow too: what gets locked and hashed."""
    months = [asdict(month) | {"closing": month.closing} for month in cash_flow(plan)]
    flow = {"months": months, "schedule": [row._asdict() | {"due": row.due} for row in loan_rows(plan)]}
    return facts_of(plan, documents, ratios(plan)) | _plain({"cash_flow": flow})


def _plain(derived: dict[str, Any]) -> dict[str, dict[str, Any]]:
    plain: dict[str, dict[str, Any]] = _JSON.dump_python(derived, mode="json")
    return plain


def disclosed(locked: dict[str, dict[str, Any]], allowed: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the consented fields of a locked proposal, by block; nothing else is copied."""
    shown: dict[str, dict[str, Any]] = {}
    for name in allowed:
        block, field = name.split(".", 1)
        if field in locked.get(block, {}):
            shown.setdefault(block, {})[field] = locked[block][field]
    return shown
