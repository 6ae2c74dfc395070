"""The event loop on which tests call apps: one for all requests, since a new one brings new threads with it each time.

Without one that was kept open (see tests/conftest.py), and in threads of a test's own, each request has its own loop:
those that meet have to run beside each other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

Answer = TypeVar("Answer")
_OPEN: list[BlockingPortal] = []


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep one loop, in a thread of its own, until the block ends."""
    with start_blocking_portal() as portal:
        _OPEN.append(portal)
        try:
            yield
        finally:
            _OPEN.remove(portal)


def run(call: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Return what a coroutine function returns."""
    if not _OPEN or threading.current_thread() is not threading.main_thread():
        return asyncio.run(call())
    answer: Answer = _OPEN[-1].call(call)
    return answer
