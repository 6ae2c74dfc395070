"""Signed notes and checkpoints against published examples and against spoiled ones."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.domain.note import Checkpoint, NoteError, Signer, Verifier, open_checkpoint, open_note

# The example of the C2SP signed-note specification.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n"
    "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ER"
    "YNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# The example of Go's sumdb/note package.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ORIGIN = "audit.example.org/grantledger"
ROOT = bytes.fromhex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
SIGNED = (
    f"{ORIGIN}\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n"
    f"\u2014 {ORIGIN} PUydJdvM+jhZ9zUokfFgzWMqfNmVryQfjtl4PAZtNoWh3+TDM7k4sFt71nsOt/8R3XLLM6Tpx0gziCvIqIFKzJcBOQI=\n"
)
WITNESS_LINE = (
    "\u2014 witness.example.org/donor rpDD9AAAAABpIIyAgGfAJVQ3CRDLsI4/h5kMdapxkMZNdPaKN1vUuBN"
    "+wVcOelpHMMMvwPHsda0G++7pGDYerGLCIVZxgninyqp7AQ==\n"
)
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.mark.parametrize(("key", "note"), [(EXAMPLE_KEY, EXAMPLE), (GO_KEY, GO_NOTE)])
def test_published_notes_open(key: str, note: str) -> None:
    """The specification's example and Go's example open with their keys."""
    assert open_note(note, [Verifier.parse(key)]) == note.rpartition("\n\n")[0] + "\n"
    assert Verifier.parse(key).encode() == key


def test_signing_is_deterministic_and_as_published() -> None:
    """A fixed seed gives the checkpoint and the verifier key known for it."""
    checkpoint = Checkpoint(ORIGIN, 8, ROOT)
    assert SIGNER.sign(checkpoint.text()) == SIGNED
    assert SIGNER.verifier.encode() == f"{ORIGIN}+3d4c9d25+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    assert open_checkpoint(SIGNED, SIGNER.verifier) == checkpoint


def test_unknown_signatures_are_ignored() -> None:
    """A witness line whose key we do not know changes nothing; it alone is not enough."""
    assert open_checkpoint(SIGNED + WITNESS_LINE, SIGNER.verifier).size == 8
    assert open_checkpoint(SIGNED + WITNESS_LINE * 16, SIGNER.verifier).size == 8
    text = SIGNED.partition("\n\n")[0]
    with pytest.raises(NoteError, match="no signature by a known key"):
        open_checkpoint(f"{text}\n\n{WITNESS_LINE}", SIGNER.verifier)
    with pytest.raises(NoteError, match="too many"):
        open_checkpoint(SIGNED + WITNESS_LINE * 100, SIGNER.verifier)


def test_a_known_but_wrong_signature_spoils_the_note() -> None:
    """One known key with a wrong signature is refused although another line is right."""
    line = SIGNED.rpartition("\n\n")[2]
    raw = bytearray(base64.b64decode(line.split(" ")[2]))
    raw[-1] ^= 1
    wrong = f"\u2014 {ORIGIN} {base64.b64encode(raw).decode()}\n"
    with pytest.raises(NoteError, match="is wrong"):
        open_note(SIGNED + wrong, [SIGNER.verifier])


@pytest.mark.parametrize(
    "note",
    [
        SIGNED.replace("8\nX", "9\nX"),
        SIGNED.replace(ORIGIN + "\n8", "other\n8"),
        SIGNED.replace("\u2014", "-"),
        SIGNED[:-1],
        SIGNED.replace("\n\n", "\n"),
        SIGNED.replace("PUydJ", "P*ydJ"),
        f"{ORIGIN}\n8\n\n\u2014 {ORIGIN} PUyd\n",
        f"{ORIGIN}\n8\n\n\u2014 {ORIGIN} \n",
        "",
    ],
)
def test_spoiled_notes_are_refused(note: str) -> None:
    """Any changed byte of text or signature, or a missing part, is refused."""
    with pytest.raises(NoteError):
        open_checkpoint(note, SIGNER.verifier)


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n8\n",
        f"{ORIGIN}\n08\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
        f"{ORIGIN}\n-8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
        f"{ORIGIN}\n\u0668\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
        f"{ORIGIN}\n8\nXcna\n",
        "\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    """A signed text that is no checkpoint is refused."""
    with pytest.raises(NoteError):
        open_checkpoint(SIGNER.sign(text), SIGNER.verifier)


@pytest.mark.parametrize(
    "key",
    [
        "no-key",
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("+Aeky", "+Beky"),
        "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ],
)
def test_malformed_keys_are_refused(key: str) -> None:
    """A verifier key with a wrong id, type or form is refused."""
    with pytest.raises(NoteError):
        Verifier.parse(key)


def test_a_signer_refuses_bad_names_and_texts() -> None:
    """A key name with a plus sign or a text without a final newline can't be signed."""
    with pytest.raises(NoteError):
        Signer("a+b", SIGNER.key)
    with pytest.raises(NoteError):
        SIGNER.sign("no newline")
    with pytest.raises(NoteError):
        SIGNER.sign("a\ttab\n")
