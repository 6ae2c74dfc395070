"""What people keep of a checkpoint, in whatever form they paste it."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.domain.kept import claim_in
from services.audit.domain.note import Checkpoint, NoteError, Signer
from shared.checkpoints import Kept

ROOT = bytes(range(32))
SIGNER = Signer("log.example/audit", Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOTE = SIGNER.sign(Checkpoint(SIGNER.name, 1234, ROOT).text())
WITNESSED = f"{NOTE}— witness.example rpDD9AAAAABpIIyAgGfAJVQ3CRDLsI4/h5kMdapxkMZNdPaKN1vUuBN+wVcOelpHMMMvwPHs=\n"
CARRIED = Kept(1234, ROOT.hex(), NOTE).carried()
SHORT = Kept(1234, ROOT.hex(), NOTE).short()
FOLDED = "\r\n ".join(CARRIED[at : at + 60] for at in range(0, len(CARRIED), 60))


@pytest.mark.parametrize(
    "text",
    [
        NOTE,
        NOTE.rstrip("\n"),
        NOTE.replace("\n", "\r\n"),
        f"\n\n  {NOTE}\n\nKind regards",
        "> " + NOTE.replace("\n", "\n> "),
        CARRIED,
        f"Audit-Checkpoint: {FOLDED}",
        f"audit-checkpoint:{CARRIED}\n",
    ],
)
def test_a_signed_statement_is_found_in_every_form_it_travels_in(text: str) -> None:
    """A file, a copy with other line ends, a quoted letter and a header give the very note that was signed."""
    assert claim_in(text) == (1234, ROOT, NOTE)


def test_signatures_of_witnesses_stay_with_it() -> None:
    """A note with several signatures is kept whole, also when it comes as a header."""
    assert claim_in(WITNESSED).note == WITNESSED
    assert claim_in(base64.b64encode(WITNESSED.encode()).decode()).note == WITNESSED


@pytest.mark.parametrize(
    "text",
    [
        SHORT,
        f"Checkpoint of the record when this was sent: {SHORT}. Whoever keeps it can see at http://x/audit/checkpoint",
        f"Dear Ana,\n\nYour application BSO-2026-0001 was received.\n\nCheckpoint: {SHORT.replace(' ', chr(10))}.\n",
        NOTE.split("\n\n")[0],
    ],
)
def test_figures_are_found_without_a_signature(text: str) -> None:
    """The last line of a letter, the whole letter, and a note that lost its signature give size and root alone."""
    assert claim_in(text) == (1234, ROOT, None)


@pytest.mark.parametrize(
    "text",
    ["", "hello", "1234", SHORT[:-2], f"12,{SHORT}", base64.b64encode(b"x" * 200).decode(), "\x00" * 50, "—" * 90],
)
def test_what_holds_no_checkpoint_is_refused(text: str) -> None:
    """Words, half of a hash, a number with separators and bytes that are no note are no checkpoint."""
    with pytest.raises(NoteError):
        claim_in(text)
