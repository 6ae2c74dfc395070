"""What stands on the broker, as code: one topic exchange, a quorum queue a consumer, its bindings, dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import amqp

from shared.messaging.link import channel_of, connect
from shared.messaging.wire import EXCHANGE

DEAD_LETTERS = "dead-letters"
# Retries and quarantine are in the database. The limit is a last resort against a message that kills every
# process that takes it; at-least-once dead-lettering needs reject-publish.
QUEUE_ARGUMENTS: dict[str, Any] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000_000,
    "x-dead-letter-exchange": DEAD_LETTERS,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
DEAD_ARGUMENTS: dict[str, Any] = {"x-queue-type": "quorum"}


@dataclass(frozen=True)
class Depth:
    """How many messages wait in a queue, and how many consumers it has."""

    messages: int
    consumers: int


@dataclass(frozen=True)
class Topology:
    """The exchange, each consumer's queue, and the routing keys bound to it."""

    exchange: str
    queues: tuple[str, ...]
    bindings: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, consumers: Mapping[str, tuple[str, ...]], *, exchange: str = EXCHANGE) -> Topology:
        """Return the topology of services that consume: {service: its CONSUMES}."""
        wanted = {queue: keys for queue, keys in consumers.items() if keys}
        return cls(exchange, tuple(wanted), tuple((queue, key) for queue, keys in wanted.items() for key in keys))


def binds(key: str, event_type: str) -> bool:
    """Say whether a topic binding takes events of this type (`*` one word, `#` any number of words, also none)."""
    return _fits(key.split("."), event_type.split("."))


def _fits(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    first, *rest = pattern
    if first == "#":
        return any(_fits(rest, words[skip:]) for skip in range(len(words) + 1))
    return bool(words) and first in {"*", words[0]} and _fits(rest, words[1:])


def apply(amqp_url: str, consumers: Mapping[str, tuple[str, ...]], *, exchange: str = EXCHANGE) -> Topology:
    """Declare everything; what is there already with other arguments raises amqp.PreconditionFailed.

    Bindings that a former release made and this one has not stay: a message more is ignored, one less is lost.
    """
    topology = Topology.of(consumers, exchange=exchange)
    with channel_of(amqp_url) as channel:
        channel.exchange_declare(topology.exchange, "topic", durable=True, auto_delete=False)
        channel.exchange_declare(DEAD_LETTERS, "fanout", durable=True, auto_delete=False)
        channel.queue_declare(DEAD_LETTERS, durable=True, auto_delete=False, arguments=DEAD_ARGUMENTS)
        channel.queue_bind(DEAD_LETTERS, DEAD_LETTERS)
        for queue in topology.queues:
            channel.queue_declare(queue, durable=True, auto_delete=False, arguments=QUEUE_ARGUMENTS)
        for queue, key in topology.bindings:
            channel.queue_bind(queue, topology.exchange, key)
    return topology


def depths(amqp_url: str, queues: Sequence[str]) -> dict[str, Depth]:
    """Return each queue's depth; a queue that is not there is left out."""
    connection = connect(amqp_url)
    try:
        found = depths_on(connection, queues)
        connection.release()
    finally:
        connection.collect(socket_timeout=1)
    return found


def depths_on(connection: Any, queues: Sequence[str]) -> dict[str, Depth]:
    """Return each queue's depth, asked on an open connection."""
    found: dict[str, Depth] = {}
    channel = connection.channel()
    for queue in queues:
        try:
            _, messages, consumers = channel.queue_declare(queue, passive=True)
        except amqp.NotFound:
            channel = connection.channel()  # the question has ended the other one
            continue
        found[queue] = Depth(messages, consumers)
    return found


def purge(amqp_url: str, queues: Sequence[str]) -> int:
    """Empty these queues and return how many messages waited in them: they speak of what is no more."""
    with channel_of(amqp_url) as channel:
        return sum(int(channel.queue_purge(queue) or 0) for queue in queues)
