"""How the broker is: by AMQP whether it answers and what waits, by its HTTP API what AMQP can't tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.messaging.broker_api import BrokerAPI
from shared.messaging.link import connect
from shared.messaging.topology import Depth, depths_on


@dataclass(frozen=True)
class Answer:
    """What the broker says of itself over AMQP."""

    version: str
    queues: dict[str, Depth] = field(default_factory=dict)


@dataclass(frozen=True)
class Inside:
    """What the broker's HTTP API tells; a node that collects no statistics tells neither `since` nor `blocked`."""

    alarms: tuple[str, ...]
    since: datetime | None = None
    blocked: int | None = None


def answer(amqp_url: str, queues: Sequence[str], patience: float) -> Answer:
    """Return what the broker answers; each single wait ends after `patience` seconds, also when it is frozen."""
    connection = connect(amqp_url, patience=patience)
    try:
        version = str(connection.connection.server_properties.get("version", ""))
        found = Answer(version, depths_on(connection, queues))
        connection.release()
    finally:
        connection.collect(socket_timeout=patience)
    return found


def alarms(api: BrokerAPI) -> tuple[str, ...]:
    """Return what the nodes are short of ("memory", "disk"); raises BrokerAPIError."""
    return tuple(sorted({str(alarm["resource"]) for alarm in api.alarms()}))


def since(api: BrokerAPI, now: datetime) -> datetime | None:
    """Return since when the node that was started last has been up, if statistics are collected."""
    ages = [node["uptime"] for node in api.nodes() if "uptime" in node]
    return now - timedelta(milliseconds=min(ages)) if ages else None


def blocked(api: BrokerAPI) -> int | None:
    """Return how many connections the broker lets send nothing, if statistics are collected."""
    states: list[Any] = [connection["state"] for connection in api.connections() if "state" in connection]
    return sum(state in {"blocked", "blocking"} for state in states) if states else None
