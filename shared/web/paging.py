"""Keyset pages: a list goes on after the last row seen, so page 1,000 costs what page 1 costs."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.errors import InvalidError

T = TypeVar("T")
MAX_LIMIT = 200


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows and the cursor after them, which is None on the last page."""

    items: list[T]
    next: str | None


def encode_cursor(values: Sequence[str | int | float | None]) -> str:
    """Return the values of the sort columns of the last row as text that is safe in a URL."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, length: int) -> list[Any] | None:
    """Return the values of a cursor, None when there is none; raises InvalidError for anything made up."""
    if not cursor:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise InvalidError({"cursor": "is not a cursor that this list gave"}) from error
    plain = isinstance(values, list) and all(isinstance(v, str | int | float | None) for v in values)
    if not plain or len(values) != length or "\x00" in "".join(map(str, values)):
        raise InvalidError({"cursor": "is not a cursor that this list gave"})
    return list(values)


def page_of(rows: Sequence[T], limit: int, key: Callable[[T], Sequence[str | int | float | None]]) -> Page[T]:
    """Return the page out of `limit + 1` fetched rows; `key` gives the sort columns of a row."""
    items = list(rows[:limit])
    return Page(items, encode_cursor(key(items[-1])) if len(rows) > limit else None)
