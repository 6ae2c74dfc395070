"""JSON in its one canonical form (RFC 8785), fast for the values that events are made of."""

from __future__ import annotations

from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]  # typeshed has it not
from typing import Any

import rfc8785

# Beyond this, numbers differ between JSON readers (RFC 8785 section 3.2.2.3).
MAX_INTEGER = 2**53 - 1


def _refuse(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} has no JSON form")


# What json.JSONEncoder makes anew for every value: the encoder in C, with sorted names and without spaces.
_PIECES = c_make_encoder(None, _refuse, encode_basestring, None, ":", ",", True, False, True)  # noqa: FBT003 - in C


def _encode(value: Any) -> str:
    return "".join(_PIECES(value, 0))


class NotCanonicalError(ValueError):
    """A value that has no canonical JSON form: a huge integer, a NaN, half a surrogate pair."""


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 bytes of a JSON value; raises NotCanonicalError.

    Without floats and without keys beyond ASCII the form is what the standard library writes, many
    times faster; everything else goes through rfc8785.
    """
    try:
        if _plain(value):
            return _encode(value).encode()
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, ValueError, RecursionError) as error:
        raise NotCanonicalError(str(error)) from error


def plain_text(value: Any) -> str | None:
    """Return the canonical text of a value that needs no more than the standard library, else None."""
    try:
        return _encode(value) if _plain(value) else None
    except RecursionError:
        return None


def canonical_flat(value: dict[str, str | int | None]) -> bytes:
    """Return the same for an object of texts and safe integers under ASCII names, without looking at each."""
    return _encode(value).encode()


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is dict:
        return all(type(key) is str and key.isascii() and _plain(item) for key, item in value.items())
    if kind is list:
        return all(map(_plain, value))
    return kind is int and -MAX_INTEGER <= value <= MAX_INTEGER
