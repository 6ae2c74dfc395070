"""Whether a stored row still says what its leaf says, and if not, which column was changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.audit.domain.leaf import (
    HASHED,
    MEMBERS,
    BodyError,
    Part,
    Row,
    leaf_of,
    marked,
    parts_of,
    summary_of,
    unlike,
)
from services.audit.domain.merkle import leaf_hash
from shared.events.canonical import NotCanonicalError


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was recorded: where, and what is wrong."""

    kind: str  # altered | missing | extra | tree | signature | gap
    where: str  # the table
    what: str
    leaf_index: int | None = None
    event_id: UUID | None = None
    column: str | None = None

    def sentence(self) -> str:
        """Return the finding as one line for people."""
        place = [f"leaf {self.leaf_index}" if self.leaf_index is not None else "", str(self.event_id or "")]
        return " ".join([f"{self.where}:", *filter(None, place), *([self.column] if self.column else []), self.what])


@dataclass(frozen=True)
class Inspected:
    """What inspecting a row gave: the altered columns, and the hash with which the tree is built on."""

    altered: tuple[str, ...]
    hash: bytes


def inspect(row: Row, stored_hash: bytes) -> Inspected:
    """Make the leaf of `row` again and compare it with the stored hash, and with the stored leaf where there is one."""
    if not row.leaf:
        return _inspect(row, stored_hash)
    rebuilt, derived = _rebuild(row)
    own_hash = leaf_hash(row.leaf)
    if rebuilt == row.leaf:
        return Inspected((*derived, *(() if own_hash == stored_hash else ("leaf_hash",))), own_hash)
    if rebuilt is not None and leaf_hash(rebuilt) == stored_hash:
        return Inspected((*derived, "leaf"), stored_hash)
    altered = _differing(row, rebuilt)
    if own_hash != stored_hash:
        return Inspected((*altered, "leaf", "leaf_hash"), stored_hash)
    return Inspected(altered or ("leaf",), stored_hash)


def _inspect(row: Row, stored_hash: bytes) -> Inspected:
    """Judge a row by its hash; its marks tell which column does not fit."""
    try:
        parts = parts_of(row.body)
        rebuilt, marks = marked(row, parts)
    except (BodyError, NotCanonicalError):
        return Inspected(("body",), stored_hash)
    derived, own_hash = _derived(row, parts), leaf_hash(rebuilt)
    if own_hash == stored_hash:
        return Inspected(derived if marks == row.marks else (*derived, "marks"), own_hash)
    altered = unlike(row.marks or b"", marks)
    return Inspected(tuple(altered), stored_hash) if altered else Inspected((*derived, "leaf_hash"), own_hash)


def _rebuild(row: Row) -> tuple[bytes | None, tuple[str, ...]]:
    """Return the leaf made again (None for a ruined body) and the columns that do not follow from the body."""
    try:
        parts = parts_of(row.body)
        return leaf_of(row, parts), _derived(row, parts)
    except (BodyError, NotCanonicalError):
        return None, ()


def _derived(row: Row, parts: dict[str, Part]) -> tuple[str, ...]:
    altered = []
    if row.actor_name != parts["actor"].value.get("name"):
        altered.append("actor_name")
    if row.summary != summary_of(row.type, row.case, parts):
        altered.append("summary")
    return tuple(altered)


def _differing(row: Row, rebuilt: bytes | None) -> tuple[str, ...]:
    if rebuilt is None:
        return ("body",)
    try:
        stored: dict[str, Any] = json.loads(row.leaf)
    except ValueError:
        return ()
    if not isinstance(stored, dict):
        return ()
    again = json.loads(rebuilt)
    members = MEMBERS | HASHED
    names = [column for member, column in members.items() if stored.get(member) != again[member]]
    return tuple(dict.fromkeys(names))
