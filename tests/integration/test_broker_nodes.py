"""A broker of several nodes: whoever connects finds one that answers, whichever of them is away or hangs."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from shared.infrastructure.system import free_port
from shared.messaging.link import SOCKET, connect, nodes_of, user_of
from shared.messaging.publisher import Publisher
from shared.testing.backbone import backbone_on, consumer_database, eventually
from shared.testing.lines import through
from shared.testing.proxy import Proxy, proxy_to
from shared.testing.stand import Stand

TRIES = 12  # the order is drawn: so many draws of two leave neither place untried, but for once in two thousand runs


@pytest.fixture(scope="module")
def amqp_url(stand: Stand) -> str:
    """Give the broker's URL."""
    return stand.amqp_url


@pytest.fixture
def lines(amqp_url: str) -> Iterator[tuple[Proxy, Proxy]]:
    """Give two further ways to the broker: other nodes, as a client sees it."""
    url = make_url(amqp_url)
    host, port = url.host or "127.0.0.1", url.port or 5672
    with proxy_to(host, port) as one, proxy_to(host, port) as other:
        yield one, other


@pytest.fixture
def line(lines: tuple[Proxy, Proxy]) -> Proxy:
    """Give one of them."""
    return lines[0]


@pytest.fixture(scope="module")
def database(stand: Stand) -> Iterator[Engine]:
    """Give one database for both ends."""
    with consumer_database(stand) as engine:
        yield engine


def _away(amqp_url: str) -> str:
    return make_url(amqp_url).set(host="127.0.0.1", port=free_port()).render_as_string(hide_password=False)


def test_a_node_that_is_away_keeps_nobody_from_the_others(amqp_url: str) -> None:
    """Whichever place the node that refuses has in the drawn order, the connection is had from the other."""
    for _ in range(TRIES):
        connect(f"{_away(amqp_url)};{amqp_url}").release()


def test_a_node_that_hangs_is_left_after_a_while(amqp_url: str, line: Proxy) -> None:
    """A node that takes connections and says nothing costs the patience of one attempt, not the connection."""
    line.swallow()
    for _ in range(TRIES):
        connect(f"{through(amqp_url, line)};{amqp_url}", patience=0.3).release()


def test_connections_are_spread_over_the_nodes(amqp_url: str, line: Proxy) -> None:
    """Not everybody goes to the node that is named first."""
    reached = set()
    for _ in range(TRIES):
        connection = connect(f"{through(amqp_url, line)};{amqp_url}")
        reached.add(connection.port)
        connection.release()
    assert reached == {line.port, make_url(amqp_url).port or 5672}


def test_a_node_that_is_gone_is_missed_soon(amqp_url: str) -> None:
    """The operating system asks a silent node every few seconds whether it is there, and gives up within ten."""
    connection = connect(amqp_url)
    line = connection.connection.transport.sock
    after, between, times = (line.getsockopt(socket.SOL_TCP, option) for option in SOCKET)
    assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert 0 < after + between * times < 10
    connection.release()


def test_where_no_node_answers_the_caller_is_told_once(amqp_url: str) -> None:
    """With every node away connecting ends with one error, at once."""
    with pytest.raises(ConnectionError, match="refused"):
        connect(f"{_away(amqp_url)};{_away(amqp_url)}")


def test_who_one_is_does_not_depend_on_the_node(amqp_url: str) -> None:
    """The user that the broker checks each message against is the one of every node's URL."""
    several = f"{_away(amqp_url)};{amqp_url}"
    assert nodes_of(several)[1:] == [amqp_url]
    publisher = Publisher(several)
    publisher.close()
    assert user_of(several) == user_of(amqp_url) == publisher._user


def test_relay_and_worker_move_to_another_node(amqp_url: str, lines: tuple[Proxy, Proxy], database: Engine) -> None:
    """The node that both are connected to goes away, and the other one comes: they go on there, and all is handled."""
    one, other = lines
    other.cut(refuse=True)
    both = ";".join(through(amqp_url, line) for line in lines)
    with (
        backbone_on(amqp_url, database, database) as backbone,
        backbone.relaying(amqp_url=both),
        backbone.working(amqp_url=both),
    ):
        for expected in (1, 2):
            backbone.commit("a", "ok")
            eventually(lambda: len(backbone.effects()) == expected)  # noqa: B023 - called at once
            one.cut(refuse=True)
            other.heal()
        assert backbone.unpublished() == 0
