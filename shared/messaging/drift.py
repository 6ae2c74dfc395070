"""What differs between the declared topology and the live broker, and how the difference is undone.

Both are read into one form, {thing: its facts}; the difference is that of two mappings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.infrastructure.rabbitmq import least, least_topics
from shared.messaging import topology
from shared.messaging.broker_api import BrokerAPI, BrokerAPIError, default_url, vhost_of
from shared.messaging.link import channel_of
from shared.messaging.topology import DEAD_LETTERS, Topology

# ("exchange", name) | ("queue", name) | ("binding", exchange, queue, routing key) | ("permission", user)
# | ("topic permission", user, exchange)
Thing = tuple[str, ...]
Plan = dict[Thing, dict[str, Any]]
_DURABLE = {"durable": True, "auto_delete": False}


@dataclass(frozen=True)
class Difference:
    """One thing that the broker lacks (`missing`), has besides (`superfluous`), or has otherwise (`differs`)."""

    state: str
    thing: Thing
    declared: dict[str, Any] | None
    live: dict[str, Any] | None

    @property
    def name(self) -> str:
        """Return the thing's name: a binding's is "exchange → queue: routing key"."""
        if self.thing[0] == "binding":
            return f"{self.thing[1]} → {self.thing[2]}: {self.thing[3]}"
        return " on ".join(self.thing[1:])

    def why(self) -> str:
        """Return which facts differ, as "fact: live instead of declared"."""
        if self.declared is None or self.live is None:
            return ""
        names = sorted({*self.declared, *self.live})
        pairs = [(name, self.live.get(name), self.declared.get(name)) for name in names]
        return ", ".join(f"{name}: {live} instead of {wanted}" for name, live, wanted in pairs if live != wanted)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        facts = {"declared": self.declared, "live": self.live}
        return {"state": self.state, "kind": self.thing[0], "name": self.name} | facts


_NOTHING = ("", "^$")  # patterns of names that no name fits


@dataclass(frozen=True)
class Broker:
    """A live broker: its AMQP URL (of who may declare), its API, and each service's own user, if it has one."""

    amqp_url: str
    api: BrokerAPI
    users: Mapping[str, str]

    @classmethod
    def at(cls, amqp_url: str, api_url: str, users: Mapping[str, str]) -> Broker:
        """Return the broker of these addresses; a service that works as the administrator has no user of its own."""
        api = BrokerAPI(api_url or default_url(amqp_url), vhost_of(amqp_url))
        own = {service: user for service, user in users.items() if user != api.user}
        return cls(amqp_url, api, own)


def declared(wanted: Topology, users: Mapping[str, str]) -> Plan:
    """Return what shall stand on the broker."""
    plan: Plan = {
        ("exchange", wanted.exchange): {"type": "topic", **_DURABLE},
        ("exchange", DEAD_LETTERS): {"type": "fanout", **_DURABLE},
        ("queue", DEAD_LETTERS): {**_DURABLE, **topology.DEAD_ARGUMENTS},
        ("binding", DEAD_LETTERS, DEAD_LETTERS, ""): {},
    }
    plan |= {("queue", queue): {**_DURABLE, **topology.QUEUE_ARGUMENTS} for queue in wanted.queues}
    plan |= {("binding", wanted.exchange, queue, key): {} for queue, key in wanted.bindings}
    for service, user in users.items():
        topics = least_topics(service)
        plan["permission", user] = dict(least(service))
        plan["topic permission", user, topics["exchange"]] = {kind: topics[kind] for kind in ("write", "read")}
    return plan


def live(broker: Broker) -> Plan:
    """Return what stands on the broker's virtual host.

    Administrators may do anything and are left out, as is who may do nothing, such as the one that watches.
    """
    found = broker.api.definitions()
    # An administrator's tags are a list, or a text in versions before 3.9.
    rulers = {user["name"] for user in found["users"] if "administrator" in user["tags"]}

    def here(kind: str) -> Iterator[dict[str, Any]]:
        return (item for item in found[kind] if item["vhost"] == broker.api.vhost and item.get("user") not in rulers)

    plan: Plan = {("exchange", item["name"]): _facts(item, "type") for item in here("exchanges")}
    plan |= {("queue", item["name"]): _facts(item) for item in here("queues")}
    plan |= {
        ("binding", item["source"], item["destination"], item["routing_key"]): dict(item["arguments"])
        for item in here("bindings")
        if item["source"]
    }
    kinds = ("configure", "write", "read")
    plan |= {
        ("permission", item["user"]): {kind: item[kind] for kind in kinds}
        for item in here("permissions")
        if any(item[kind] not in _NOTHING for kind in kinds)
    }
    return plan | {
        ("topic permission", item["user"], item["exchange"]): {kind: item[kind] for kind in kinds[1:]}
        for item in here("topic_permissions")
    }


def _facts(item: dict[str, Any], *more: str) -> dict[str, Any]:
    return {name: item[name] for name in (*_DURABLE, *more)} | dict(item["arguments"])


def compare(wanted: Plan, found: Plan) -> list[Difference]:
    """Return the differences: what is missing, what is otherwise, what is too much."""
    missing = [Difference("missing", thing, facts, None) for thing, facts in wanted.items() if thing not in found]
    otherwise = [
        Difference("differs", thing, facts, found[thing])
        for thing, facts in wanted.items()
        if thing in found and found[thing] != facts
    ]
    rest = [Difference("superfluous", thing, None, facts) for thing, facts in found.items() if thing not in wanted]
    return missing + otherwise + rest


def diff(broker: Broker, consumers: Mapping[str, tuple[str, ...]]) -> list[Difference]:
    """Return the differences between what the consumers' cards declare and the broker; raises BrokerAPIError."""
    return compare(declared(Topology.of(consumers), broker.users), live(broker))


def apply(broker: Broker, consumers: Mapping[str, tuple[str, ...]]) -> list[Difference]:
    """Declare what is missing, set the services' permissions, and return what was done.

    A queue or an exchange that is there with other facts raises amqp.PreconditionFailed: it can't be changed
    in place.
    """
    before = diff(broker, consumers)
    topology.apply(broker.amqp_url, consumers)
    for change in before:
        if change.declared is None:
            continue
        if change.thing[0] == "permission":
            broker.api.permit("permissions", change.thing[1], change.declared)
        elif change.thing[0] == "topic permission":
            broker.api.permit("topic-permissions", change.thing[1], {"exchange": change.thing[2]} | change.declared)
    after = {change.thing for change in diff(broker, consumers)}
    return [change for change in before if change.thing not in after]


def superfluous_bindings(broker: Broker, consumers: Mapping[str, tuple[str, ...]]) -> list[Difference]:
    """Return the bindings of our exchange, or to our queues, that no card declares."""
    wanted = Topology.of(consumers)
    exchanges, queues = {wanted.exchange, DEAD_LETTERS}, {*wanted.queues, DEAD_LETTERS}
    return [
        change
        for change in diff(broker, consumers)
        if change.state == "superfluous"
        and change.thing[0] == "binding"
        and (change.thing[1] in exchanges or change.thing[2] in queues)
    ]


def prune(broker: Broker, consumers: Mapping[str, tuple[str, ...]]) -> list[Difference]:
    """Remove superfluous bindings and return them; queues, and the messages in them, stay."""
    gone = superfluous_bindings(broker, consumers)
    with channel_of(broker.amqp_url) as channel:
        for _, exchange, queue, key in (change.thing for change in gone):
            channel.queue_unbind(queue, exchange, key)
    return gone


def drop(broker: Broker, consumers: Mapping[str, tuple[str, ...]], queue: str, *, with_messages: bool = False) -> int:
    """Delete a superfluous queue and return how many messages went with it.

    Raises DropRefusedError for a declared queue, one that somebody consumes, and, unless `with_messages`, one
    that is not empty.
    """
    if ("queue", queue) in declared(Topology.of(consumers), {}):
        raise DropRefusedError(f"{queue} is a queue of this release: it stays.")
    depth = topology.depths(broker.amqp_url, [queue]).get(queue)
    if depth is None:
        raise DropRefusedError(f"There is no queue {queue}.")
    if depth.consumers:
        raise DropRefusedError(f"Somebody consumes {queue}: stop them first.")
    if depth.messages and not with_messages:
        raise DropRefusedError(f"{queue} holds {depth.messages} messages: say --with-messages to lose them.")
    with channel_of(broker.amqp_url) as channel:
        return int(channel.queue_delete(queue) or 0)


class DropRefusedError(RuntimeError):
    """A queue is not deleted; the message is one sentence that says why."""


__all__ = ["Broker", "BrokerAPIError", "Difference", "DropRefusedError", "apply", "diff", "drop", "prune"]
