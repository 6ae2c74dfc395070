"""Having checkpoints signed: the signer signs only a log that did nothing but grow since the last one."""

from __future__ import annotations

from sqlalchemy import Connection

from services.audit.domain.merkle import CompactRange, ProofError, prove_consistency, verify_consistency
from services.audit.domain.note import Checkpoint, NoteError, open_checkpoint
from services.audit.keys import Keys
from services.audit.signer.client import NotGrownError, SignerSilentError, StaleError
from services.audit.signer.wire import Asked, State
from services.audit.storage import tree
from services.audit.storage.append import BrokenLogError
from shared.clock import Clock, utc_now

__all__ = ["ForkedLogError", "SignerSilentError", "UnsignedError", "sign_checkpoint", "signed_at_least"]


class UnsignedError(RuntimeError):
    """There is no signature at the moment; the message says why."""


class ForkedLogError(UnsignedError):
    """The log is not what was signed before, continued: it was cut, rewritten, or an old backup was restored."""


class SilentError(UnsignedError):
    """The signer does not answer, or can't sign at all."""


def sign_checkpoint(connection: Connection, keys: Keys, *, clock: Clock = utc_now) -> tree.Signed | None:
    """Return a checkpoint of the log as it stands, having one signed when it has grown; None for an empty log.

    Raises ForkedLogError when the signer, or a checkpoint of the past, says that the log did not just grow, and
    SilentError when the signer does not answer.
    """
    tree.lock_signing(connection)
    state, latest = tree.head(connection), tree.latest_checkpoint(connection)
    try:
        told = _state(keys)
        if latest:
            _refuse_fork(connection, keys, latest.note, state)
        if not state.size and not told.size:
            return latest
        if latest and latest.size == state.size == told.size and latest.note.startswith(told.note.split("\n\n")[0]):
            return latest
        note = _asked(connection, keys, told, state)
    except SignerSilentError as error:
        raise SilentError(str(error)) from error
    signed = tree.Signed(state.size, state.root(), note, clock())
    tree.add_checkpoint(connection, signed)
    keys.remember(note)
    return signed


def _state(keys: Keys) -> State:
    told = keys.notary.state()
    if told.locked:
        raise SilentError(told.locked)
    return told


def signed_at_least(connection: Connection, keys: Keys, size: int, *, clock: Clock = utc_now) -> tree.Signed | None:
    """Return a checkpoint of at least so many entries: a new one, or the newest there is while nobody signs."""
    try:
        return sign_checkpoint(connection, keys, clock=clock)
    except SilentError:
        latest = tree.latest_checkpoint(connection)
        if latest is None or latest.size < size:
            raise
        return latest


def _asked(connection: Connection, keys: Keys, told: State, state: CompactRange) -> str:
    """Return the signer's note of the log as it stands."""
    text, old = Checkpoint(keys.origin, state.size, state.root()).text(), told.size
    try:
        proof = prove_consistency(old, state.size, tree.Nodes(connection, state.size)) if 0 < old < state.size else []
        note = keys.notary.add(Asked(old, tuple(proof), text))
        _must_be(note, keys, text)
    except StaleError as error:
        raise ForkedLogError(_other(error.size, state.size)) from error
    except (NotGrownError, ProofError, BrokenLogError) as error:
        raise ForkedLogError(f"{error}") from error
    except NoteError as error:
        raise ForkedLogError(f"the signer's answer is not to be trusted: {error}") from error
    return note


def _must_be(note: str, keys: Keys, text: str) -> None:
    if open_checkpoint(note, keys.verifier) != Checkpoint.parse(text):
        raise NoteError("the signer signed something else")


def _other(signed: int, size: int) -> str:
    if signed > size:
        return f"the log had {signed} entries when it was signed and has {size} now"
    if signed == size:
        return f"the log of {size} entries has another root than when it was signed"
    return "somebody else has the log signed as well"


def _refuse_fork(connection: Connection, keys: Keys, note: str, state: CompactRange) -> None:
    """Compare the log with its own newest checkpoint; the signer compares it with what it signed."""
    try:
        before = open_checkpoint(note, *keys.verifiers)
        if before.size > state.size:
            raise ForkedLogError(_other(before.size, state.size))
        proof = prove_consistency(before.size, state.size, tree.Nodes(connection, state.size))
        verify_consistency(before.size, state.size, before.root, state.root(), proof)
    except (NoteError, ProofError, BrokenLogError) as error:
        raise ForkedLogError(f"the log is not its signed past, continued: {error}") from error
