"""Proving that the log has only grown: that one size of it is the beginning of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from services.audit.domain.merkle import ProofError, prove_consistency, range_root, verify_consistency
from services.audit.handlers.proofs import UnprovableError
from services.audit.storage import tree
from services.audit.storage.append import BrokenLogError
from shared.errors import InvalidError, NotFoundError, Rule


@dataclass(frozen=True)
class Consistency:
    """A checked consistency proof: the log of `old` entries is the beginning of the log of `new` entries."""

    old: int
    new: int
    old_root: bytes
    new_root: bytes
    path: list[bytes]
    checkpoint: str | None  # of the new size, where that was signed

    def as_json(self) -> dict[str, Any]:
        """Return the proof for machines; hashes are hexadecimal."""
        return {
            "from": self.old,
            "to": self.new,
            "from_root": self.old_root.hex(),
            "to_root": self.new_root.hex(),
            "path": [item.hex() for item in self.path],
            "checkpoint": self.checkpoint,
        }


def root_at(connection: Connection, size: int) -> bytes:
    """Return the root of the log's first `size` entries; raises BrokenLogError when hashes are gone."""
    return range_root(0, size, tree.Nodes(connection, size))


def prove(connection: Connection, old: int, new: int | None = None) -> Consistency:
    """Return the proof from `old` to `new` entries; without `new`, to the newest signed checkpoint.

    Raises InvalidError, which names `from` or `to`, for sizes that no proof can be about, and UnprovableError for a
    log that was tampered with.
    """
    latest = tree.latest_checkpoint(connection)
    if latest is None:
        raise NotFoundError("Nothing has been signed yet")
    to = latest.size if new is None else new
    _check(old, to, latest.size)
    try:
        return _proven(connection, old, to)
    except (BrokenLogError, ProofError) as error:
        raise UnprovableError("The log does not prove this: %(why)s", why=str(error)) from error


def _proven(connection: Connection, old: int, new: int) -> Consistency:
    nodes = tree.Nodes(connection, new)
    roots = root_at(connection, old), range_root(0, new, nodes)
    path = prove_consistency(old, new, nodes)
    verify_consistency(old, new, *roots, path)
    signed = tree.checkpoint_at(connection, new)
    if signed is not None and signed.root != roots[1]:
        raise BrokenLogError(f"the log of {new} entries is not the one that was signed")
    return Consistency(old, new, *roots, path, signed.note if signed else None)


def _check(old: int, new: int, signed: int) -> None:
    wrong: dict[str, str] = {}
    if old < 1:
        wrong["from"] = Rule("must be at least 1: nothing can be shown about the empty log")
    if new > signed:
        wrong["to"] = Rule("must be at most %(size)s, up to where the log is signed", size=signed)
    elif old > new:
        wrong["from"] = Rule("must be at most %(size)s, the size that the proof leads to", size=new)
    if wrong:
        raise InvalidError(wrong)
