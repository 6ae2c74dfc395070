"""Whether a stored row still says what its leaf says, and if not, which column was changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
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
    marks_are_whole,
    marks_of,
    parts_of,
    summary_of,
    unlike,
)
from services.audit.domain.merkle import SIZE, leaf_hash
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


@dataclass(frozen=True)
class Stretch:
    """Leaves that follow each other without a hole: the hashes to go on with, and those that were altered."""

    first: int
    hashes: bytes  # 32 bytes each
    altered: tuple[tuple[int, tuple[str, ...]], ...]  # (leaf index, columns)

    @property
    def end(self) -> int:
        """The index after the last leaf."""
        return self.first + len(self.hashes) // SIZE


def stretches(stored: Iterable[tuple[int, Row, bytes]]) -> Iterator[Stretch]:
    """Inspect rows, given as (leaf index, row, stored hash) in their order; a new stretch begins after each hole."""
    hashes: list[bytes] = []
    altered: list[tuple[int, tuple[str, ...]]] = []
    first = 0
    for index, row, digest in stored:
        if hashes and index != first + len(hashes):
            yield Stretch(first, b"".join(hashes), tuple(altered))
            hashes, altered = [], []
        if not hashes:
            first = index
        result = inspect(row, digest)
        hashes.append(result.hash)
        if result.altered:
            altered.append((index, result.altered))
    if hashes:
        yield Stretch(first, b"".join(hashes), tuple(altered))


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
        rebuilt = leaf_of(row, parts)
    except (BodyError, NotCanonicalError):
        return Inspected(("body",), stored_hash)
    derived, own_hash = _derived(row, parts), leaf_hash(rebuilt)
    if own_hash == stored_hash:
        return Inspected(derived if marks_are_whole(row.marks) else (*derived, "marks"), own_hash)
    altered = unlike(row.marks, marks_of(row, parts))
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
