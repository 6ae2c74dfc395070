"""Check that a message really comes from Tamga: Standard Webhooks 1.0.0, one file, standard library alone.

Copy it beside your program; Python 3.9 or later. For a symmetric secret (`whsec_…`) nothing else is needed; for
Ed25519 (`whpk_…`) install the package `cryptography`.

    from tamga_webhooks import Receiver, WebhookError

    receiver = Receiver("whsec_…")          # while you rotate: Receiver("whsec_new…", "whsec_old…")
    try:
        message = receiver.verify(headers, body)    # body: the bytes as they came, before anything reads them
    except WebhookError:
        ...                                         # answer 401
    # Answer 200 at once and work afterwards. message["id"] is the same whenever a message is sent again.

Whatever is wrong with a message (no header, rubbish in one, a body that is no JSON) is a WebhookError and nothing
else, so that a stranger can't make your program fail.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Any

TOLERANCE = 300  # seconds, both ways
_SECONDS = re.compile(r"[0-9]{1,12}\Z")


class WebhookError(Exception):
    """The message is not to be trusted; the text says why, for your log."""


class Receiver:
    """Verifies with one secret, or with several while they rotate."""

    def __init__(self, *secrets: str, tolerance: int = TOLERANCE) -> None:
        if not secrets:
            raise ValueError("give at least one secret: whsec_… or whpk_…")
        self._checks = [_check_of(secret.strip()) for secret in secrets]
        self._tolerance = tolerance

    def verify(self, headers: Mapping[str, str], body: bytes | str, *, now: float | None = None) -> dict[str, Any]:
        """Return {"id", "type", "timestamp", "data"} of a message that is ours and fresh; raises WebhookError."""
        given = {str(name).lower(): value for name, value in headers.items()}
        message = _header(given, "webhook-id")
        at = _header(given, "webhook-timestamp")
        signatures = _header(given, "webhook-signature")
        if "." in message:
            raise WebhookError("webhook-id holds a point")
        if not _SECONDS.match(at):
            raise WebhookError("webhook-timestamp is not whole seconds since 1970")
        if abs((time.time() if now is None else now) - int(at)) > self._tolerance:
            raise WebhookError("the message is too old or too new: is your clock right?")
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
        content = message.encode() + b"." + at.encode() + b"." + raw
        # Every secret is tried with every signature, so that time tells nothing of which fits.
        fits = [check(scheme, one, content) for check in self._checks for scheme, one in _parsed(signatures)]
        if not any(fits):
            raise WebhookError("no signature fits")
        try:
            read = json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            raise WebhookError("the body is not JSON") from error
        if not isinstance(read, dict):
            raise WebhookError("the body is not a JSON object")
        return {"id": message, **read}


def _header(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str) or not value.strip():
        raise WebhookError(name + " is missing")
    if not value.isascii():
        raise WebhookError(name + " is not ASCII")
    return value.strip()


def _parsed(header: str) -> list[tuple[str, bytes]]:
    found = []
    for word in header.split():  # any spaces, also doubled ones
        scheme, comma, text = word.partition(",")
        if comma and scheme in {"v1", "v1a"}:
            try:
                found.append((scheme, base64.b64decode(text, validate=True)))
            except (binascii.Error, ValueError):
                continue  # what we can't read proves nothing; another one may
    return found[:20]


def _bytes_of(secret: str, start: str) -> bytes:
    try:
        return base64.b64decode(secret[len(start) :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("what follows " + start + " is not base64") from error


def _check_of(secret: str) -> Any:
    if secret.startswith("whpk_"):
        return _asymmetric(_bytes_of(secret, "whpk_"))
    if secret.startswith("whsk_"):
        raise ValueError("whsk_… is the sender's half: a receiver needs whpk_…")
    key = _bytes_of(secret, "whsec_") if secret.startswith("whsec_") else b""
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret begins with whsec_ and has 24 to 64 bytes")

    def check(scheme: str, given: bytes, content: bytes) -> bool:
        return scheme == "v1" and hmac.compare_digest(given, hmac.new(key, content, hashlib.sha256).digest())

    return check


def _asymmetric(raw: bytes) -> Any:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only who uses it needs it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - the same

    key = Ed25519PublicKey.from_public_bytes(raw)

    def check(scheme: str, given: bytes, content: bytes) -> bool:
        if scheme != "v1a":
            return False
        try:
            key.verify(given, content)
        except InvalidSignature:
            return False
        return True

    return check
