"""Connections to the broker for tools and relays (no nameko, no eventlet): bounded waits, an end that can't hang."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kombu.connection import Connection
from kombu.exceptions import OperationalError

from shared.messaging.line import Line

HEARTBEAT = 15  # seconds; a line that goes silent is given up after two of them
# A node whose machine is gone says no goodbye: it is missed within ten seconds, not at the second heartbeat.
SOCKET = {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 2}
_CONNECT = 5.0  # seconds for TCP, TLS and the handshake together
_WRITE = 10.0  # seconds until a full send buffer counts as a broken link


def connect(amqp_url: str, *, patience: float = _CONNECT, **options: Any) -> Any:
    """Return an open kombu connection, or raise at once; `options` go to py-amqp (on_blocked, on_unblocked).

    `patience` is how many seconds connecting, and then each answer, may take.
    """
    options = {"write_timeout": _WRITE, "read_timeout": patience, "socket_settings": SOCKET} | options

    def to(node: str) -> Any:
        return Connection(  # type: ignore[no-untyped-call]
            node, transport=Line, connect_timeout=patience, heartbeat=HEARTBEAT, transport_options=options
        )

    try:
        return opened(amqp_url, to)
    except OperationalError as error:
        raise ConnectionError(str(error)) from error


def nodes_of(amqp_url: str) -> list[str]:
    """Return a URL for each node of the broker: a cluster is written as URLs with `;` between them.

    An address that is not set is one node's all the same.
    """
    return [node for node in amqp_url.split(";") if node] or [amqp_url]


def opened(amqp_url: str, to: Callable[[str], Any]) -> Any:
    """Return an open connection to the first node that answers; `to` makes one. Raises OperationalError of the last.

    The order is another one each time: clients are spread over a cluster, and nobody insists on a node that hangs.
    (Kombu's own way, alternates, forgets the transport that it was given.)
    """
    nodes = nodes_of(amqp_url)
    random.shuffle(nodes)
    for node in nodes:
        connection = to(node)
        try:
            connection.ensure_connection(max_retries=0)  # connect() sleeps for two seconds and tries once more
        except BaseException as error:
            connection.collect(socket_timeout=1)
            if node == nodes[-1] or not isinstance(error, OperationalError):
                raise
        else:
            return connection
    raise ValueError("no broker is named")


def user_of(amqp_url: str) -> str:
    """Return the user that a broker URL names; the broker checks messages' user_id against it."""
    return str(Connection(nodes_of(amqp_url)[0]).userid or "guest")  # type: ignore[no-untyped-call]


@contextmanager
def channel_of(amqp_url: str) -> Iterator[Any]:
    """Give a channel for a few declarations; closed in any case, even when the broker answers nothing."""
    connection = connect(amqp_url)
    try:
        yield connection.default_channel
        connection.release()
    finally:
        connection.collect(socket_timeout=1)
