"""One moment of several databases: for some milliseconds nobody writes events in any of them.

While the locks are held, whatever a consumer has applied was committed at its source before. So snapshots taken
meanwhile never show an effect without its cause, however many messages are on their way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from shared.safekeeping.refusals import SafekeepingError

TRIES = 12
LONGEST = 2.0  # seconds for which one try may keep writers waiting
# Shorter than the second after which the server looks for deadlocks, so that nobody else's transaction is its victim;
# later, longer than that: it is then that the server sends a vacuum away that is in the way.
_PATIENCE, _MORE_PATIENCE, _PATIENT_TRIES = 0.4, 1.5, 3
# The snapshots live as long as the dumps take, whatever the server thinks of idle transactions.
_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=0 -c statement_timeout=0"
_PAUSE = 0.5  # seconds until the next try, more after each
# In the order in which a consumer's transaction takes them.
_TABLES = ("inbox", "outbox")
_THERE = text("SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL")
_IN_THE_WAY = text("""
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.backend_type, 'unknown') AS name
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.granted AND l.pid <> pg_backend_pid() AND l.relation IN (
  SELECT unnest(CAST(:names AS regclass[])) UNION SELECT inhrelid FROM pg_inherits
  WHERE inhparent = ANY(CAST(:names AS regclass[]))
) AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareLock') LIMIT 1
""")


@dataclass(frozen=True)
class Moment:
    """The snapshots of one moment; each lives as long as its connection's transaction, which must not end before.

    `waited` is for how many seconds at most a writer was kept waiting by the try that succeeded.
    """

    at: datetime
    snapshots: Mapping[str, str]
    connections: Mapping[str, Connection]
    waited: float
    tries: int


class _BusyError(Exception):
    """Somebody's transaction did not end in time."""

    def __init__(self, name: str) -> None:
        self.name = name


@contextmanager
def one_moment(
    urls: Mapping[str, str], *, tries: int = TRIES, pause: Callable[[float], None] = time.sleep
) -> Iterator[Moment]:
    """Give snapshots of all these databases at one moment; `urls` are their owners'. Raises SafekeepingError."""
    with ExitStack() as stack:
        locking = {name: stack.enter_context(_connected(url)) for name, url in urls.items()}
        reading = {name: stack.enter_context(_connected(url, "REPEATABLE READ")) for name, url in urls.items()}
        tables = {name: _tables(connection) for name, connection in locking.items()}
        for number in range(1, tries + 1):
            try:
                moment = _taken(number, locking, reading, tables)
                break
            except _BusyError as busy:
                if number == tries:
                    raise _given_up(busy.name, locking[busy.name], tables[busy.name]) from busy
                pause(_PAUSE * number)
        yield moment


@contextmanager
def _connected(url: str, level: str = "READ COMMITTED") -> Iterator[Connection]:
    arguments = {"application_name": "tamga backup", "connect_timeout": 5, "options": _OPTIONS}
    engine = create_engine(url, poolclass=NullPool, isolation_level=level, connect_args=arguments)
    with engine.connect() as connection:
        yield connection


def _tables(connection: Connection) -> list[str]:
    found = list(connection.execute(_THERE, {"names": list(_TABLES)}).scalars())
    connection.rollback()
    return [name for name in _TABLES if name in found]


def _taken(
    number: int,
    locking: Mapping[str, Connection],
    reading: Mapping[str, Connection],
    tables: Mapping[str, Sequence[str]],
) -> Moment:
    """Lock, look, let go; raises _BusyError when that would keep writers waiting for too long."""
    longest = _PATIENCE if number <= _PATIENT_TRIES else _MORE_PATIENCE
    for connection in locking.values():
        connection.execute(text("SELECT 1"))  # the transaction begins before anybody waits for it
    began = time.monotonic()
    try:
        for name, connection in locking.items():
            left = min(longest, LONGEST - (time.monotonic() - began))
            _lock(name, connection, tables[name], left)
        rows = {name: connection.execute(text("SELECT pg_export_snapshot() AS id, clock_timestamp() AS at")).one()
                for name, connection in reading.items()}  # fmt: skip
    finally:
        for connection in locking.values():
            connection.rollback()
        waited = time.monotonic() - began
    first = min(row.at for row in rows.values())
    return Moment(first, {name: row.id for name, row in rows.items()}, reading, waited, number)


def _lock(name: str, connection: Connection, tables: Sequence[str], seconds: float) -> None:
    if seconds <= 0:
        raise _BusyError(name)
    wanted = ", ".join(tables)
    try:
        connection.execute(text(f"SET LOCAL lock_timeout = {max(1, int(seconds * 1000))}"))
        if tables:
            connection.execute(text(f"LOCK TABLE {wanted} IN SHARE MODE"))
    except OperationalError as error:
        if isinstance(error.orig, errors.LockNotAvailable | errors.DeadlockDetected):
            raise _BusyError(name) from error
        raise


def _given_up(name: str, connection: Connection, tables: Sequence[str]) -> SafekeepingError:
    row = connection.execute(_IN_THE_WAY, {"names": list(tables)}).first()
    if row is None:
        return SafekeepingError(f"Writers of {name} left no moment for a backup: try again when less goes on.")
    return SafekeepingError(
        f"A transaction of {name} stays open and leaves no moment for a backup: end it in that database with"
        f" SELECT pg_terminate_backend({row.pid}) ({row.name}), then try again."
    )
