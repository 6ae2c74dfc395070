"""Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 (`v1`) and Ed25519 (`v1a`)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SYMMETRIC, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
FEWEST, MOST = 24, 64  # bytes of a symmetric secret, by the standard
OURS = 32
SEED = 32

Random = Callable[[int], bytes]


class Scheme(StrEnum):
    """How an endpoint's messages are signed, by the standard's names."""

    HMAC = "v1"
    ED25519 = "v1a"


class SecretError(ValueError):
    """A secret that can't sign; the message never shows it."""


def new_secret(scheme: Scheme, random: Random) -> str:
    """Return a new secret in the standard's writing: `whsec_…`, or `whsk_…` (seed and public half)."""
    if scheme is Scheme.HMAC:
        return SYMMETRIC + _text(random(OURS))
    seed = random(SEED)
    return PRIVATE + _text(seed + _public(Ed25519PrivateKey.from_private_bytes(seed)))


def public_half(secret: str) -> str | None:
    """Return what whoever verifies needs of an Ed25519 secret (`whpk_…`); None of a symmetric one."""
    return PUBLIC + _text(_public(_signer(secret))) if secret.startswith(PRIVATE) else None


def stamp(moment: datetime) -> int:
    """Return whole seconds since 1970 of a moment in any time zone; one without a zone is nobody's moment."""
    if moment.tzinfo is None:
        raise ValueError("A time without a zone can't be signed")
    return int(moment.timestamp() // 1)


def signed_bytes(message: str, at: int, body: bytes) -> bytes:
    """Return exactly what is signed: id, seconds and body with points between them."""
    if "." in message:
        raise ValueError("A message's id may hold no point: it parts what is signed")
    return f"{message}.{at}.".encode() + body


def signature(secret: str, message: str, at: int, body: bytes) -> str:
    """Return one signature as it stands in the header; raises SecretError."""
    content = signed_bytes(message, at, body)
    if secret.startswith(PRIVATE):
        return f"{Scheme.ED25519.value},{_text(_signer(secret).sign(content))}"
    return f"{Scheme.HMAC.value},{_text(hmac.new(_symmetric(secret), content, hashlib.sha256).digest())}"


def headers(secrets: Iterable[str], message: str, moment: datetime, body: bytes) -> dict[str, str]:
    """Return the standard's three headers, signed with every live secret, the newest first."""
    at = stamp(moment)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signature(secret, message, at, body) for secret in secrets),
    }


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _raw(secret: str, start: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(start), validate=True)
    except binascii.Error as error:
        raise SecretError(f"What follows {start} is not base64") from error


def _symmetric(secret: str) -> bytes:
    if not secret.startswith(SYMMETRIC):
        raise SecretError(f"A secret begins with {SYMMETRIC} or {PRIVATE}")
    raw = _raw(secret, SYMMETRIC)
    if not FEWEST <= len(raw) <= MOST:
        raise SecretError(f"A secret has {FEWEST} to {MOST} bytes, this one {len(raw)}")
    return raw


def _signer(secret: str) -> Ed25519PrivateKey:
    raw = _raw(secret, PRIVATE)
    if len(raw) != SEED * 2:
        raise SecretError(f"A key {PRIVATE} has {SEED * 2} bytes, this one {len(raw)}")
    key = Ed25519PrivateKey.from_private_bytes(raw[:SEED])
    if _public(key) != raw[SEED:]:
        raise SecretError("The halves of this key do not belong together")
    return key


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
