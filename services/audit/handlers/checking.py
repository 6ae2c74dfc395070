"""Whether the log has grown from a checkpoint that somebody kept: the question of whoever got a letter from us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from services.audit.domain.kept import Claim, claim_in
from services.audit.domain.merkle import ProofError, prove_consistency, verify_consistency
from services.audit.domain.note import NoteError, Verifier, open_checkpoint
from services.audit.handlers.consistency import root_at
from services.audit.storage import tree
from services.audit.storage.append import BrokenLogError
from shared.errors import InvalidError, Rule

Outcome = Literal["grown", "cut", "rewritten", "broken", "unsigned"]


@dataclass(frozen=True)
class Verdict:
    """What came of comparing a kept checkpoint with the log as it is.

    `outcome`: grown (the log has grown from it, or is still the same), cut (it has fewer entries now), rewritten
    (so many entries have another root now), broken (hashes are missing), unsigned (the statement carries no signature
    of this log's key, or a wrong one).
    """

    outcome: Outcome
    claim: Claim
    size: int  # of the log now
    root: str = ""  # of the log now, hexadecimal
    path: tuple[str, ...] = ()  # the proof, hexadecimal
    why: str = ""

    @property
    def good(self) -> bool:
        return self.outcome == "grown"

    @property
    def signed(self) -> bool:
        """Say whether what was kept was a signed statement, and not its figures alone."""
        return self.claim.note is not None


def check(connection: Connection, verifiers: Sequence[Verifier], text: str) -> Verdict:
    """Compare what somebody kept with the log as it stands; raises InvalidError, naming `kept`, for what is none.

    `verifiers` are the keys under which the log was ever signed.
    """
    try:
        claim = claim_in(text)
    except NoteError as error:
        raise InvalidError({"kept": Rule("is no checkpoint: paste it whole, as you got it")}) from error
    if not claim.size:
        raise InvalidError({"kept": Rule("speaks of the empty log, about which nothing can be shown")})
    state = tree.head(connection)
    try:
        if claim.note is not None:
            open_checkpoint(claim.note, *verifiers)
    except NoteError as error:
        return Verdict("unsigned", claim, state.size, why=str(error))
    if claim.size > state.size:
        return Verdict("cut", claim, state.size)
    try:
        return _compared(connection, claim, state.size, state.root())
    except BrokenLogError as error:
        return Verdict("broken", claim, state.size, why=str(error))


def _compared(connection: Connection, claim: Claim, size: int, root: bytes) -> Verdict:
    if root_at(connection, claim.size) != claim.root:
        return Verdict("rewritten", claim, size)
    path = prove_consistency(claim.size, size, tree.Nodes(connection, size))
    try:
        verify_consistency(claim.size, size, claim.root, root, path)
    except ProofError as error:  # the entries behind it are not those of the newest head
        return Verdict("broken", claim, size, why=str(error))
    return Verdict("grown", claim, size, root.hex(), tuple(item.hex() for item in path))
