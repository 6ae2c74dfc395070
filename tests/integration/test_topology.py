"""The live broker against what the services' cards declare: every kind of difference is seen and can be undone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import amqp
import pytest
import typer
from typer.testing import CliRunner

from services.backbone import queues
from services.prepare import prepare_topology
from shared.infrastructure.rabbitmq import definitions
from shared.messaging import drift, topology, topology_cli
from shared.messaging.broker_api import BrokerAPI, BrokerAPIError, default_url, vhost_of
from shared.messaging.drift import Broker, DropRefusedError
from shared.messaging.link import channel_of
from shared.messaging.topology import QUEUE_ARGUMENTS
from shared.settings import SERVICES, Settings
from shared.testing.stand import Stand

KEY = "portal.user.#"


@pytest.fixture(scope="module")
def own_vhost(stand: Stand) -> str:
    """Give the virtual host of these tests."""
    return stand.own_vhost()


@pytest.fixture
def broker(stand: Stand, own_vhost: str) -> Iterator[Broker]:
    """Give an empty virtual host of the private node; what a test leaves there goes."""
    broker = Broker.at(stand.rabbitmq.url(vhost=own_vhost), stand.rabbitmq.api_url, {})
    yield broker
    with channel_of(broker.amqp_url) as channel:
        for kind, name, *_ in drift.live(broker):
            if kind == "queue":
                channel.queue_delete(name)
            elif kind == "exchange":
                channel.exchange_delete(name)
            elif kind == "permission":
                broker.api._ask("DELETE", f"/api/users/{name}")


@pytest.fixture
def house(broker: Broker) -> Broker:
    """Give a broker on which the whole house was declared."""
    drift.apply(broker, queues())
    return broker


def names(found: list[drift.Difference], state: str) -> set[str]:
    """Return the kinds and names of the differences of one state."""
    return {f"{change.thing[0]} {change.name}" for change in found if change.state == state}


def test_the_live_topology_equals_the_declared_one(broker: Broker) -> None:
    """On an empty broker everything is missing; after apply nothing differs: no more, no less, nothing otherwise."""
    before = drift.diff(broker, queues())
    assert {change.state for change in before} == {"missing"}
    assert {"exchange events", "queue audit", "binding events → audit: #"} <= names(before, "missing")
    assert {change.thing for change in drift.apply(broker, queues())} == {change.thing for change in before}
    assert drift.diff(broker, queues()) == []


def test_what_no_card_declares_is_seen_and_pruned(house: Broker) -> None:
    """A binding, a queue and an exchange that this release lacks are superfluous; prune takes our binding alone."""
    with channel_of(house.amqp_url) as channel:
        channel.queue_bind("loans", "events", "grants.old.#")
        channel.exchange_declare("elsewhere", "fanout", durable=True, auto_delete=False)
        channel.queue_declare("billing", durable=True, auto_delete=False, arguments=QUEUE_ARGUMENTS)
        channel.queue_bind("billing", "elsewhere")
    expected = {"binding events → loans: grants.old.#", "queue billing", "exchange elsewhere"}
    assert names(drift.diff(house, queues()), "superfluous") == expected | {"binding elsewhere → billing: "}
    assert [change.name for change in drift.prune(house, queues())] == ["events → loans: grants.old.#"]
    left = names(drift.diff(house, queues()), "superfluous")
    assert left == {"queue billing", "exchange elsewhere", "binding elsewhere → billing: "}


def test_a_lost_binding_is_seen_and_made_again(house: Broker) -> None:
    """A binding that somebody removed loses events: it is reported missing, and apply brings it back."""
    with channel_of(house.amqp_url) as channel:
        channel.queue_unbind("audit", "events", "#")
    assert names(drift.diff(house, queues()), "missing") == {"binding events → audit: #"}
    assert [change.name for change in drift.apply(house, queues())] == ["events → audit: #"]
    assert drift.diff(house, queues()) == []


def test_a_queue_of_another_kind_is_seen_and_not_changed(broker: Broker) -> None:
    """A classic queue under our name differs by its arguments, each named; apply refuses it instead of guessing."""
    with channel_of(broker.amqp_url) as channel:
        channel.queue_declare("grants", durable=True, auto_delete=False)
    found = [change for change in drift.diff(broker, queues()) if change.state == "differs"]
    assert [change.name for change in found] == ["grants"]
    assert re.search("x-queue-type: (None|classic) instead of quorum", found[0].why())  # RabbitMQ 4 names the usual one
    with pytest.raises(amqp.PreconditionFailed):
        drift.apply(broker, queues())


def test_too_wide_permissions_are_seen_and_narrowed(stand: Stand, house: Broker) -> None:
    """A service's user that may declare, or speak for others, differs from least permission; apply narrows it."""
    users = {service: f"{service}-{stand.token}" for service in SERVICES}
    for user in users.values():
        house.api._ask("PUT", f"/api/users/{user}", {"password": "x", "tags": ""})
    own = Broker(house.amqp_url, house.api, users)
    drift.apply(own, queues())
    assert drift.diff(own, queues()) == []
    house.api.permit("permissions", users["loans"], {"configure": ".*", "write": ".*", "read": ".*"})
    topics = {"exchange": "events", "write": ".*", "read": ".*"}
    house.api.permit("topic-permissions", users["grants"], topics)
    expected = {f"permission {users['loans']}", f"topic permission {users['grants']} on events"}
    assert names(drift.diff(own, queues()), "differs") == expected
    drift.apply(own, queues())
    assert drift.diff(own, queues()) == []
    fewer = Broker(house.amqp_url, house.api, {name: user for name, user in users.items() if name != "portal"})
    stranger = {f"permission {users['portal']}", f"topic permission {users['portal']} on events"}
    assert names(drift.diff(fewer, queues()), "superfluous") == stranger


def test_a_user_who_may_do_nothing_is_no_difference(stand: Stand, house: Broker) -> None:
    """Who only watches is not reported, and is as soon as it may read a queue."""
    watcher = f"watch-{stand.token}"
    house.api._ask("PUT", f"/api/users/{watcher}", {"password": "x", "tags": "monitoring"})
    nothing = {"configure": "^$", "write": "^$", "read": "^$"}
    house.api.permit("permissions", watcher, nothing)
    assert drift.diff(house, queues()) == []
    house.api.permit("permissions", watcher, nothing | {"read": "^audit$"})
    assert names(drift.diff(house, queues()), "superfluous") == {f"permission {watcher}"}


def test_the_private_node_starts_with_least_permissions() -> None:
    """What a node of ours is given at its start is what the topology declares, for every service."""
    given = definitions(dict.fromkeys(SERVICES, "x"))
    plan = drift.declared(topology.Topology.of(queues()), {service: service for service in SERVICES})
    kinds = ("configure", "write", "read")
    live = {("permission", row["user"]): {kind: row[kind] for kind in kinds} for row in given["permissions"][1:]}
    assert live == {thing: facts for thing, facts in plan.items() if thing[0] == "permission"}
    assert len(live) == len(SERVICES)


def test_a_queue_with_messages_is_dropped_only_on_purpose(house: Broker) -> None:
    """Dropping refuses queues of this release, and queues that hold messages unless one says so."""
    with channel_of(house.amqp_url) as channel:
        channel.queue_declare("former", durable=True, auto_delete=False, arguments=QUEUE_ARGUMENTS)
        channel.confirm_select()
        channel.basic_publish_confirm(amqp.Message("{}"), "", "former")
    with pytest.raises(DropRefusedError, match="a queue of this release"):
        drift.drop(house, queues(), "audit")
    with pytest.raises(DropRefusedError, match="holds 1 messages"):
        drift.drop(house, queues(), "former")
    assert drift.drop(house, queues(), "former", with_messages=True) == 1
    with pytest.raises(DropRefusedError, match="no queue former"):
        drift.drop(house, queues(), "former")


def test_the_command_says_what_differs_and_its_exit_code_too(broker: Broker) -> None:
    """`topology diff` ends with 1 while anything differs and with 0 after `topology apply --prune`."""
    command, run = topology_cli.build(lambda: broker, queues), CliRunner()
    first = run.invoke(command, ["diff", "--json"])
    found = json.loads(first.stdout)
    assert (first.exit_code, found["equal"]) == (1, False)
    missing = {row["name"] for row in found["differences"] if (row["state"], row["kind"]) == ("missing", "queue")}
    assert missing == {"dead-letters", *(queue for queue, keys in queues().items() if keys)}
    topology.apply(broker.amqp_url, queues())
    with channel_of(broker.amqp_url) as channel:
        channel.queue_bind("loans", "events", "grants.old.#")
    shown = run.invoke(command, ["diff"])
    assert shown.exit_code == 1
    assert "superfluous" in shown.stdout
    assert "grants.old.#" in shown.stdout
    applied = run.invoke(command, ["apply", "--prune"])
    assert applied.exit_code == 0
    assert "Removed binding events → loans: grants.old.#" in applied.stdout
    last = run.invoke(command, ["diff"])
    assert (last.exit_code, last.stdout.strip()) == (0, "The broker stands as declared.")


def test_the_start_names_bindings_of_no_release(house: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """Preparing the topology returns what is bound besides; a broker whose API is away is prepared all the same."""
    with channel_of(house.amqp_url) as channel:
        channel.queue_bind("loans", "events", "grants.old.#")
    urls = dict.fromkeys(SERVICES, house.amqp_url)
    known = Settings(amqp_urls=urls, amqp_admin_url=house.amqp_url, amqp_api_url=house.api.url)
    assert prepare_topology(known) == {"superfluous": ["events → loans: grants.old.#"]}
    away = known.model_copy(update={"amqp_api_url": "http://127.0.0.1:1"})
    assert prepare_topology(away) == {"superfluous": []}
    assert "does not answer" in caplog.text


@pytest.mark.parametrize(
    ("amqp_url", "api_url", "vhost"),
    [
        ("amqp://u:p@broker.example:5672//", "http://u:p@broker.example:15672", "/"),
        ("amqp://u:p@broker.example/tamga", "http://u:p@broker.example:15672", "tamga"),
        ("amqps://u:p%40x@broker.example/a%2Fb", "https://u:p%40x@broker.example:15671", "a/b"),
        ("amqp://broker.example", "http://broker.example:15672", "/"),
        ("amqp://u:p@[::1]:5672/", "http://u:p@[::1]:15672", "/"),
        ("amqp://u:p@one.example/a%2Fb;amqp://u:p@two.example/a%2Fb", "http://u:p@one.example:15672", "a/b"),
    ],
)
def test_where_the_api_is_follows_from_the_broker(amqp_url: str, api_url: str, vhost: str) -> None:
    """Unless it is said otherwise the API is beside the broker, on RabbitMQ's own port, for the same virtual host."""
    assert default_url(amqp_url) == api_url
    assert vhost_of(amqp_url) == vhost
    assert Broker.at(amqp_url, "http://a:b@elsewhere:1", {}).api == BrokerAPI("http://a:b@elsewhere:1", vhost)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://x:y@127.0.0.1:1", "does not answer at http://127.0.0.1:1: enable its management plugin"),
        ("", "does not know nobody by this password"),
    ],
)
def test_an_api_that_cannot_be_asked_gets_one_sentence(stand: Stand, address: str, says: str) -> None:
    """An API that is not there, or refuses us, ends the command with 2 and what to do about it; no traceback."""
    url = address or f"http://nobody:wrong@127.0.0.1:{stand.rabbitmq.api_port}"
    broken = Broker("amqp://nobody@127.0.0.1:1//", BrokerAPI(url), {})
    answer = CliRunner().invoke(topology_cli.build(lambda: broken, queues), ["diff"])
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1
    with pytest.raises(BrokerAPIError):
        drift.diff(broken, queues())
    assert isinstance(answer.exception, SystemExit | typer.Exit)
