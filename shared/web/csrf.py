"""A page of another site can't act in a signed-in person's name: where a request comes from, and the form's token."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping

from shared.errors import ForbiddenError

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class CrossSiteError(ForbiddenError):
    """The request was made by a page of another site, or by a form that is not ours."""

    type = "cross-site"
    title = "This form could not be trusted"


def same_origin(headers: Mapping[str, str], own_origin: str) -> bool | None:
    """Return whether the browser says that our own page made the request; None when it says nothing.

    Sec-Fetch-Site is set by the browser alone. Where it is missing (old browsers), Origin decides.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is not None:
        return origin == own_origin
    return None


def masked(token: str) -> str:
    """Return the token under a fresh mask, so that compressed pages never repeat the secret itself (BREACH)."""
    raw = token.encode()
    mask = secrets.token_bytes(len(raw))
    return base64.urlsafe_b64encode(mask + bytes(a ^ b for a, b in zip(mask, raw, strict=True))).decode()


def token_matches(given: str, expected: str) -> bool:
    """Return whether a form's field is the session's token, plain or masked; compares in constant time."""
    if not expected:
        return False
    return hmac.compare_digest(given.encode(), expected.encode()) or hmac.compare_digest(
        _unmasked(given), expected.encode()
    )


def _unmasked(given: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(given.encode())
    except (ValueError, binascii.Error):
        return b""
    half = len(raw) // 2
    return bytes(a ^ b for a, b in zip(raw[:half], raw[half:], strict=False))
