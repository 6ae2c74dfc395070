"""Engines, and connections for reading: how every process talks to its service's database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, text
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError


class UnansweredCommitError(OperationalError):
    """The line broke before the answer to a COMMIT came: whether it happened is not known."""


class ReadOnlyError(OperationalError):
    """The database is up and takes no changes: a standby, or one that was told so. It passes, as silence does."""


def _told_apart(context: ExceptionContext) -> None:
    if isinstance(context.original_exception, ReadOnlySqlTransaction):
        raise ReadOnlyError(context.statement, context.parameters, context.original_exception)


def commit(connection: Connection) -> None:
    """Commit; raises UnansweredCommitError where it may have happened all the same."""
    try:
        connection.commit()
    except DBAPIError as error:
        if not error.connection_invalidated or error.orig is None:
            raise
        raise UnansweredCommitError("COMMIT", None, error.orig, connection_invalidated=True) from error


def ask(connection: Connection, statement: str, facts: Mapping[str, Any]) -> psycopg.Cursor[Any]:
    """Run a statement as the driver writes it, within the connection's transaction.

    For the few statements of every act: SQLAlchemy's own way costs as much again as the driver's. What goes wrong is
    what it would be there, so that nobody has to tell the two apart.
    """
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment] # psycopg's
    try:
        return driver.execute(statement.encode(), facts)
    except psycopg.Error as error:
        connection._handle_dbapi_exception(error, statement, facts, None, None)  # noqa: SLF001 - as said


def _encode(item: Any) -> Any:
    if isinstance(item, Decimal | UUID):
        return str(item)
    if isinstance(item, datetime):
        return item.isoformat()
    raise TypeError(f"{type(item).__name__} has no JSON form")


_ENCODER = json.JSONEncoder(default=_encode, ensure_ascii=False)


def encode_json(value: Any) -> str:
    """Return JSON text; decimals and ids become strings, times ISO 8601."""
    return _ENCODER.encode(value)


def engine_for(url: str, *, pool_size: int = 10, application_name: str = "tamga") -> Engine:
    """Return an engine for a service's database; times come back in UTC, statements are bounded to 30 s."""
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=10,
        pool_use_lifo=True,  # one connection that is used again and again knows the statements, ten in turn do not
        json_serializer=encode_json,
        connect_args={
            "application_name": application_name,
            "options": "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=10000",
            "connect_timeout": 5,
            # A line that is dead, where nothing acknowledges anything, is noticed within ten seconds.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "tcp_user_timeout": 8000,
        },
    )
    listen(engine, "checkout", _must_live)
    listen(engine, "handle_error", _told_apart)
    return engine


def _must_live(connection: Any, _record: Any, _proxy: Any) -> None:
    """Make the pool connect anew when the server has closed this connection; costs no question to the server."""
    try:
        connection.pgconn.consume_input()  # what the server said last,
        connection.pgconn.consume_input()  # and that it said no more
    except psycopg.OperationalError as error:
        raise InvalidatePoolError(str(error)) from error


@contextmanager
def asking(engine: Engine) -> Iterator[Connection]:
    """Give a connection for a question of one statement: without a transaction around it, one round trip."""
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection for reads alone, in a read-only transaction.

    It ends with a commit, which has nothing to keep: after a rollback psycopg forgets the statements it prepared.
    """
    with engine.connect() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        yield connection
        connection.commit()
