"""Signing checkpoints: only for a log that did nothing but grow since the last one."""

from __future__ import annotations

from sqlalchemy import Connection

from services.audit.domain.merkle import ProofError, prove_consistency, verify_consistency
from services.audit.domain.note import Checkpoint, NoteError, Signer, open_checkpoint
from services.audit.keys import Keys
from services.audit.storage import tree
from services.audit.storage.append import BrokenLogError
from shared.clock import Clock, utc_now


class ForkedLogError(RuntimeError):
    """The log is not what was signed before, continued: it was cut, rewritten, or an old backup was restored."""


def sign_checkpoint(connection: Connection, keys: Keys, *, clock: Clock = utc_now) -> tree.Signed | None:
    """Return a checkpoint of the log as it stands, signing one when it has grown; None for an empty log.

    Raises ForkedLogError instead of signing a log that is inconsistent with any earlier checkpoint.
    """
    tree.lock_signing(connection)
    signer, state = keys.signer(), tree.head(connection)
    latest = tree.latest_checkpoint(connection)
    _refuse_fork(connection, signer, [latest.note if latest else None, keys.remembered()], state.size, state.root())
    if not state.size or (latest and latest.size == state.size):
        return latest
    note = signer.sign(Checkpoint(signer.name, state.size, state.root()).text())
    signed = tree.Signed(state.size, state.root(), note, clock())
    tree.add_checkpoint(connection, signed)
    keys.remember(note)
    return signed


def _refuse_fork(connection: Connection, signer: Signer, notes: list[str | None], size: int, root: bytes) -> None:
    nodes = tree.Nodes(connection, size)
    for note in filter(None, notes):
        try:
            before = open_checkpoint(note, signer.verifier)
            if before.size > size:
                raise ForkedLogError(f"the log had {before.size} entries when it was signed and has {size} now")
            proof = prove_consistency(before.size, size, nodes)
            verify_consistency(before.size, size, before.root, root, proof)
        except (NoteError, ProofError, BrokenLogError) as error:
            raise ForkedLogError(f"the log is not its signed past, continued: {error}") from error
