"""Time and identifiers, injected everywhere so that tests need no patching."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

Clock = Callable[[], datetime]
Ids = Callable[[], UUID]


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """Return a UUID version 7 (RFC 9562, method 3): Unix milliseconds, 12 bits of their fraction, random bits.

    Sorting by it is sorting by time of creation, to a quarter of a microsecond, which keeps B-tree inserts local.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    return UUID(int=(milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)


def in_utc(moment: datetime) -> str:
    """Write a moment for a terminal or a log: in UTC, and named so."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
