"""Signed notes and checkpoints as C2SP's signed-note, tlog-checkpoint and tlog-cosignature define them (Ed25519).

A note is text, an empty line, and signature lines "— name base64(key id ‖ signature)". Signatures by
unknown keys are ignored; one by a known key that does not verify spoils the whole note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
COSIGNATURE = 0x04  # Ed25519 over the note and the moment at which a witness saw it
DASH = "\u2014"
MAX_SIGNATURES = 100


class NoteError(ValueError):
    """A note or key that is malformed, unsigned, or signed wrongly."""


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """Return the four bytes by which signature lines name a key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


@dataclass(frozen=True)
class Verifier:
    """A public key under a name; `algorithm` says what is signed by it."""

    name: str
    public: bytes
    algorithm: int = ED25519

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.algorithm, self.public)

    def encode(self) -> str:
        """Return the key as people pass it on: name+id+base64."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.algorithm]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Return the key of its text form; raises NoteError."""
        parts = text.split("+", 2)
        if len(parts) != 3 or not _good_name(parts[0]):
            raise NoteError("a verifier key is name+id+base64")
        raw = _decode(parts[2])
        if len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
            raise NoteError("only Ed25519 keys are understood, of logs and of witnesses")
        verifier = cls(parts[0], raw[1:], raw[0])
        if verifier.id.hex() != parts[1]:
            raise NoteError("the key's id does not belong to the key")
        return verifier

    def check(self, signature: bytes, text: bytes) -> None:
        """Raise NoteError unless `signature` is this key's over `text`."""
        if self.algorithm == COSIGNATURE:
            at, signature = int.from_bytes(signature[:8]), signature[8:]
            text = f"cosignature/v1\ntime {at}\n".encode() + text
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError) as error:
            raise NoteError(f"the signature by {self.name} is wrong") from error


@dataclass(frozen=True)
class Signer:
    """A private key under a name."""

    name: str
    key: Ed25519PrivateKey

    def __post_init__(self) -> None:
        if not _good_name(self.name):
            raise NoteError("a key's name has no spaces and no plus sign")

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.key.public_key().public_bytes_raw())

    @property
    def cosigner(self) -> Verifier:
        """Return the key as that of a witness."""
        return Verifier(self.name, self.verifier.public, COSIGNATURE)

    def cosign(self, text: str, at: int) -> str:
        """Return the signature line of a witness who saw a checkpoint's text at a moment, in seconds since 1970."""
        signature = self.key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        raw = base64.b64encode(self.cosigner.id + at.to_bytes(8) + signature).decode()
        return f"{DASH} {self.name} {raw}\n"

    def sign(self, text: str) -> str:
        """Return the note: `text` (ending in a newline) with this key's signature line."""
        if not text.endswith("\n") or _controlled(text):
            raise NoteError("a note's text ends in a newline and has no control characters")
        signature = base64.b64encode(self.verifier.id + self.key.sign(text.encode())).decode()
        return f"{text}\n{DASH} {self.name} {signature}\n"


def open_note(note: str, known: Iterable[Verifier]) -> str:
    """Return the text of a note that at least one of the known keys signed; raises NoteError."""
    text, split, lines = note.rpartition("\n\n")
    if not split or not lines.endswith("\n"):
        raise NoteError("this is no signed note")
    if _controlled(note):
        raise NoteError("a note has no control characters")
    text += "\n"
    keys = {(verifier.name, verifier.id): verifier for verifier in known}
    signatures = lines[:-1].split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise NoteError("too many signatures")
    verified = 0
    for line in signatures:
        name, raw = _signature(line)
        if verifier := keys.get((name, raw[:4])):
            verifier.check(raw[4:], text.encode())
            verified += 1
    if not verified:
        raise NoteError("no signature by a known key")
    return text


def _controlled(text: str) -> bool:
    return any(ord(character) < 0x20 and character != "\n" for character in text)


def _signature(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != DASH or not _good_name(parts[1]):
        raise NoteError("a malformed signature line")
    raw = _decode(parts[2])
    if len(raw) < 5:
        raise NoteError("a signature line without a signature")
    return parts[1], raw


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("bad base64") from error


def _good_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint states: this log had this root at this size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint of a note's text; further lines are allowed and ignored. Raises NoteError."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0]:
            raise NoteError("a checkpoint has three lines: origin, size, root")
        if not (lines[1].isascii() and lines[1].isdecimal()) or (len(lines[1]) > 1 and lines[1][0] == "0"):
            raise NoteError("the size is no decimal number")
        root = _decode(lines[2])
        if len(root) != 32:
            raise NoteError("the root must be 32 bytes")
        return cls(lines[0], int(lines[1]), root)


def signs(note: str, verifier: Verifier) -> bool:
    """Say whether the note bears this key's good signature."""
    try:
        open_note(note, [verifier])
    except NoteError:
        return False
    return True


def cosigned(note: str, witness: Verifier) -> int | None:
    """Return when a witness cosigned a note, in seconds since 1970; None if it did not. Raises NoteError."""
    text, _, lines = note.rpartition("\n\n")
    for line in lines.rstrip("\n").split("\n"):
        name, raw = _signature(line)
        if (name, raw[:4]) == (witness.name, witness.id):
            witness.check(raw[4:], f"{text}\n".encode())
            return int.from_bytes(raw[4:12])
    return None


def open_checkpoint(note: str, *verifiers: Verifier) -> Checkpoint:
    """Return the checkpoint that one of the keys signed; raises NoteError."""
    return Checkpoint.parse(open_note(note, verifiers))
