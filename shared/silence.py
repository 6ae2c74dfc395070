"""A database that falls silent: whoever waits for it in a request is told within seconds, and the next one at once.

A server that hangs, or a line that swallows everything, keeps connections open and never answers. No timeout of the
server's own helps then, and none of the operating system's: the bytes are acknowledged. So one thread of the process
looks who has had a connection for long, asks the server over a new one, and when that is not answered either, breaks
the lines of those who wait: their requests end with an error. Until the server answers again nobody else begins to
wait. A statement that is merely slow is left alone, for the server answers the new connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from functools import cache
from typing import Any
from weakref import WeakSet

import psycopg
import structlog
from psycopg.errors import ConnectionTimeout
from sqlalchemy import URL, Engine
from sqlalchemy.event import listen

log = structlog.get_logger()
PATIENT = 2.0  # seconds that somebody waits before the server is asked whether it is there
ANSWERING = 3  # seconds that it then has; libpq knows whole ones, and no fewer than two
AGAIN = 1.0  # seconds between two such questions
STEP = 0.5  # seconds between two looks at who waits
_LINE = "line"


class Guard:
    """Watches all connections of this process to one server."""

    def __init__(self, url: URL) -> None:
        self.silent = False
        self._name = _server_of(url)
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._out: dict[Any, float] = {}  # since when each connection has been in use
        self._asking = threading.Lock()
        self._asked = 0.0

    def attach(self, engine: Engine) -> None:
        """Watch the connections of an engine as well."""
        listen(engine, "do_connect", self._connect)
        listen(engine, "connect", _keep_line)
        listen(engine, "close", _drop_line)
        listen(engine, "checkout", self._taken)
        listen(engine, "checkin", self._returned)

    def look(self, now: float) -> None:
        """Ask the server when somebody has waited for long, or when it was silent; the answer comes in a thread."""
        waits = self.silent or any(now - since > PATIENT for since in list(self._out.values()))
        if waits and now - self._asked >= AGAIN and self._asking.acquire(blocking=False):
            self._asked = now
            threading.Thread(target=self._ask, name="asks a database", daemon=True).start()

    def _ask(self) -> None:
        began = time.monotonic()
        try:
            self._judge(answers=_answers(self._url))
            if self.silent:
                self._cut(began)
        finally:
            self._asking.release()

    def _judge(self, *, answers: bool) -> None:
        if self.silent == answers:
            self.silent = not answers
            if answers:
                log.info("the database server answers again", server=self._name)
            else:
                log.error("the database server is silent", server=self._name)

    def _cut(self, before: float) -> None:
        """Break the lines that were in use already when the question was put that got no answer."""
        waiting = [record for record, since in list(self._out.items()) if since <= before]
        lines = [line for record in waiting if (line := record.info.get(_LINE)) is not None]
        for line in lines:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError as gone:  # its user was faster
                log.debug("a line was broken already", error=str(gone))

    def _connect(self, dialect: Any, _record: Any, given: list[Any], named: dict[str, Any]) -> Any:
        self._refuse()
        try:
            return dialect.connect(*given, **named)
        except ConnectionTimeout:
            self._judge(answers=False)
            raise

    def _taken(self, _connection: Any, record: Any, _proxy: Any) -> None:
        self._refuse()
        self._out[record] = time.monotonic()

    def _returned(self, _connection: Any, record: Any) -> None:
        self._out.pop(record, None)

    def _refuse(self) -> None:
        if self.silent:
            raise ConnectionTimeout("the database is silent, so nobody waits for it now")


def _keep_line(connection: Any, record: Any) -> None:
    """Keep a handle of our own on the line: the number of the driver's may be another's by the time it is needed."""
    record.info[_LINE] = socket.socket(fileno=os.dup(connection.pgconn.socket))


def _drop_line(_connection: Any, record: Any) -> None:
    line: socket.socket | None = record.info.pop(_LINE, None)
    if line is not None:
        line.close()


def _answers(url: str) -> bool:
    """Say whether the server says anything at all: a refusal is an answer too."""
    try:
        psycopg.connect(url, connect_timeout=ANSWERING, application_name="tamga asks").close()
    except ConnectionTimeout:
        return False
    except psycopg.OperationalError as refusal:
        log.debug("the database refuses a connection", error=str(refusal))
    return True


def _server_of(url: URL) -> str:
    return f"{url.host}:{url.port}"


_guards: dict[str, Guard] = {}
_engines: WeakSet[Engine] = WeakSet()
_adding = threading.Lock()


def guard(engine: Engine) -> None:
    """Let nobody wait for long on a connection of this engine; the first one starts the thread that looks."""
    with _adding:
        _watching()
        if engine not in _engines:
            _engines.add(engine)
            _guards.setdefault(_server_of(engine.url), Guard(engine.url)).attach(engine)


@cache
def _watching() -> threading.Thread:
    thread = threading.Thread(target=_watch, name="silent databases", daemon=True)
    thread.start()
    return thread


def _watch() -> None:
    while True:
        time.sleep(STEP)
        with _adding:
            guards = list(_guards.values())
        for one in guards:
            one.look(time.monotonic())
