"""Imported first by the process that runs workers: makes the standard library and psycopg cooperative.

psycopg waits in C and would stop every greenlet. Here each wait is one registration with the hub, a fifth of
what psycopg's own selector loop costs under eventlet.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import TypeVar

if "psycopg" in sys.modules or "kombu" in sys.modules:
    raise ImportError("shared.messaging.green must be imported before anything else")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet says that it is in maintenance; it stays behind consumer.py
    import eventlet

    eventlet.monkey_patch()

from eventlet.green.select import select
from eventlet.hubs import trampoline
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

T = TypeVar("T")
_BOTH = waiting.Ready.RW


def _until_ready(wanted: int, fileno: int, timeout: float | None) -> None:
    if wanted == waiting.WAIT_RW:  # rare: a long statement on its way, while the server may answer already
        select([fileno], [fileno], [], timeout)
    else:
        reads = wanted == waiting.WAIT_R
        trampoline(fileno, read=reads, write=not reads, timeout=timeout, timeout_exc=_WaitTimeout)


def wait(gen: PQGen[T], fileno: int, interval: float = 0.0, timeout: float | None = None) -> T:  # noqa: ARG001 - psycopg's signature
    """Run one of psycopg's operations, with the other greenlets going on while it waits for the server."""
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        wanted = next(gen)
        while True:
            _until_ready(wanted, fileno, None if deadline is None else max(0.0, deadline - time.monotonic()))
            wanted = gen.send(_BOTH)  # nothing that psycopg does when told so can block
    except StopIteration as end:
        result: T = end.value
        return result


waiting.wait = wait
