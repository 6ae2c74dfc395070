"""The two servers in their containers: what they know of their limits, and how they keep data."""

from __future__ import annotations

from running_stack import RunningStack


def test_the_broker_stays_within_its_containers_memory(stack: RunningStack) -> None:
    """Publishers are made to wait before the container's limit is reached, not at the machine's."""
    limit = next(
        one["HostConfig"]["Memory"]
        for one in stack.containers()
        if one["Config"]["Labels"]["com.docker.compose.service"] == "broker"
    )
    asked = ("rabbitmqctl", "--quiet", "eval", "vm_memory_monitor:get_memory_limit().")
    assert 0 < int(stack.within("broker", *asked)) < limit


def test_every_queue_is_a_quorum_queue(stack: RunningStack) -> None:
    """No queue of the stack would lose its messages with a node."""
    listed = stack.within("broker", "rabbitmqctl", "--quiet", "list_queues", "name", "type", "--no-table-headers")
    queues = dict(line.split("\t") for line in listed.strip().splitlines())
    assert {"grants", "loans", "notifications", "audit"} <= set(queues)
    assert set(queues.values()) == {"quorum"}


def test_every_page_of_the_data_has_a_checksum(stack: RunningStack) -> None:
    """Rot on a disk is noticed when it is read; the container's own user needs no password to ask."""
    assert stack.within("database", "psql", "-tAc", "SHOW data_checksums").strip() == "on"


def test_nobody_but_our_users_gets_in(stack: RunningStack) -> None:
    """The broker has no guest: only the services, the one that watches, and the administrator."""
    listed = stack.within("broker", "rabbitmqctl", "--quiet", "list_users", "--no-table-headers")
    users = {line.split("\t")[0] for line in listed.strip().splitlines()}
    assert users == {"tamga-admin", "watch", "portal", "grants", "loans", "notifications", "audit"}
