"""Proving that one event is in the log, to somebody who trusts nothing but a signed checkpoint."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from services.audit.domain.merkle import ProofError, leaf_hash, prove_inclusion, verify_inclusion
from services.audit.domain.note import NoteError, open_checkpoint, signs
from services.audit.handlers.signing import ForkedLogError, SilentError, sign_checkpoint
from services.audit.keys import Keys
from services.audit.storage import append, tree
from shared.clock import Clock, utc_now
from shared.errors import ConflictError, NotFoundError


class UnprovableError(ConflictError):
    """The stored log does not lead to a signed checkpoint: somebody changed it."""

    type = "unprovable"
    title = "The log does not prove this"


@dataclass(frozen=True)
class Proof:
    """An inclusion proof with all that is needed to check it by hand."""

    event_id: UUID
    index: int
    size: int
    leaf: bytes
    path: list[bytes]
    root: bytes
    checkpoint: str
    verifier_key: str

    @property
    def leaf_hash(self) -> bytes:
        return leaf_hash(self.leaf)

    def check(self) -> None:
        """Raise ProofError unless the path leads from the leaf to the root."""
        verify_inclusion(self.index, self.size, self.leaf_hash, self.path, self.root)

    def steps(self) -> list[dict[str, Any]]:
        """Return the way from the leaf to the root: the sibling at each step and on which side it stands."""
        place, end, steps = self.index, self.size - 1, []
        for sibling in self.path:
            left = bool(place & 1 or place == end)
            if left:
                while not place & 1 and place:
                    place, end = place >> 1, end >> 1
            place, end = place >> 1, end >> 1
            steps.append({"side": "left" if left else "right", "hash": sibling.hex()})
        return steps

    def text(self) -> str:
        """Return the proof in the form of the C2SP specification tlog-proof."""
        path = "".join(f"{base64.b64encode(item).decode()}\n" for item in self.path)
        return f"c2sp.org/tlog-proof@v1\nindex {self.index}\n{path}\n{self.checkpoint}"

    def as_json(self) -> dict[str, Any]:
        """Return the proof for machines; hashes are hexadecimal."""
        return {
            "event_id": str(self.event_id),
            "leaf_index": self.index,
            "tree_size": self.size,
            "leaf": self.leaf.decode(),
            "leaf_hash": self.leaf_hash.hex(),
            "path": self.steps(),
            "root": self.root.hex(),
            "checkpoint": self.checkpoint,
            "verifier_key": self.verifier_key,
            "proof": self.text(),
        }


def prove(connection: Connection, event_id: UUID, keys: Keys, *, clock: Clock = utc_now) -> Proof:
    """Return the checked proof that the event is in the log under a signed checkpoint.

    Raises NotFoundError for an event that is not there, UnprovableError for a log that was tampered with.
    """
    found = append.known(connection, [event_id]).get(event_id)
    if found is None:
        raise NotFoundError("There is no such record")
    try:
        return _prove(connection, event_id, found, keys, clock)
    except SilentError as error:
        raise ConflictError("The log can't be signed at the moment: %(why)s", why=str(error)) from error
    except (append.BrokenLogError, ForkedLogError, NoteError, ProofError) as error:
        raise UnprovableError("The log does not prove this event: %(why)s", why=str(error)) from error


def _prove(connection: Connection, event_id: UUID, found: append.Known, keys: Keys, clock: Clock) -> Proof:
    signed = tree.latest_checkpoint(connection)
    if signed is None or signed.size <= found.leaf_index:
        signed = sign_checkpoint(connection, keys, clock=clock)
    if signed is None or signed.size <= found.leaf_index:
        raise append.BrokenLogError(f"leaf {found.leaf_index} is beyond the head of the tree")
    known = keys.verifiers
    checkpoint = open_checkpoint(signed.note, *known)
    verifier = next(key for key in known if signs(signed.note, key))
    proof = Proof(
        event_id=event_id,
        index=found.leaf_index,
        size=checkpoint.size,
        leaf=found.leaf,
        path=prove_inclusion(found.leaf_index, checkpoint.size, tree.Nodes(connection, checkpoint.size)),
        root=checkpoint.root,
        checkpoint=signed.note,
        verifier_key=verifier.encode(),
    )
    proof.check()
    return proof
