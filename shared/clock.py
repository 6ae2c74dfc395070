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
    """Return a UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits.

    Sorting by it is sorting by time of creation, which keeps B-tree inserts local.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (2**48 - 1)) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
