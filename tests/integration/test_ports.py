"""Ports of the servers that Tamga starts by itself."""

from __future__ import annotations

from pathlib import Path

from shared.infrastructure.system import free_port


def test_a_servers_port_is_none_that_the_kernel_gives_to_clients() -> None:
    """Else a connection of a moment ago may stand in the way of a server that starts."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(1024 < free_port() < first for _ in range(20))
