"""Reading every row of the log again and inspecting it, in as many processes as there are processors."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context

from sqlalchemy import Connection, Engine

from services.audit.domain.inspection import Stretch, stretches
from services.audit.storage import scan
from shared.database import engine_for

PIECE = 4_096  # leaves that are read at once
WORTH = 50_000  # leaves from which on the start of further processes pays
AHEAD = 3  # pieces that each process may be ahead of who reads them

# In a process of the pool: its view of the log, open until it ends.
_open = ExitStack()
_views: list[Connection] = []


def reread(engine: Engine, connection: Connection, first: int, end: int, *, processes: int = 0) -> Iterator[Stretch]:
    """Return the rows [first, end) of a snapshot, inspected, in their order; 0 processes: as many as it pays."""
    wanted = processes or (len(os.sched_getaffinity(0)) if end - first >= WORTH else 1)
    pieces = [(at, min(at + PIECE, end)) for at in range(first, end, PIECE)]
    if wanted == 1:
        for piece in pieces:
            yield from stretches(scan.rows(connection, *piece))
        return
    given = (engine.url.render_as_string(hide_password=False), scan.share(connection))
    with ProcessPoolExecutor(wanted, get_context("spawn"), _begin, given) as pool:
        waiting: deque[Future[list[Stretch]]] = deque()
        try:
            for piece in pieces:
                waiting.append(pool.submit(_inspect, *piece))
                if len(waiting) >= wanted * AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _begin(url: str, shared: str) -> None:
    """Take the view of the log that this process keeps until it ends."""
    engine = engine_for(url, pool_size=1, application_name="tamga audit rereading")
    _views.append(_open.enter_context(scan.snapshot(engine, shared)))


def _inspect(first: int, end: int) -> list[Stretch]:
    return list(stretches(scan.rows(_views[0], first, end)))
