"""JSON in its one canonical form (RFC 8785), fast for the values that events are made of."""

from __future__ import annotations

from collections.abc import Iterable
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


def quoted(text: str | None) -> str:
    """Return the canonical text of a text, or of its absence."""
    return "null" if text is None else encode_basestring(text)


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return _ascii(value) and _all_plain(value.values())
    if kind is list:
        return _all_plain(value)
    if kind is int:
        return bool(-MAX_INTEGER <= value <= MAX_INTEGER)
    return kind is str or value is None or kind is bool


def _ascii(names: Iterable[Any]) -> bool:
    try:
        return "".join(names).isascii()
    except TypeError:  # a name that is no text
        return False


def _all_plain(values: Iterable[Any]) -> bool:
    for value in values:  # noqa: SIM110 - a generator would cost more than the looking; most are texts
        if type(value) is not str and not _plain(value):
            return False
    return True
