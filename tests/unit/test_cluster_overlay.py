"""The overlay of the cluster fits the compose file that it is laid over."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "deploy" / "cluster"
OVERLAY = CLUSTER / "docker-compose.cluster.yml"
BROKERS, DATABASES = ["broker", "broker-2", "broker-3"], ["database", "database-2"]
VARIABLE = re.compile(r"\$\{(TAMGA_\w+):\?")


@cache
def _services(path: Path) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
    return services


def _environment(name: str) -> dict[str, str]:
    """Return what a service is told when the overlay is laid over the main file."""
    main, overlay = (_services(path).get(name, {}) for path in (ROOT / "docker-compose.yml", OVERLAY))
    given: dict[str, str] = dict(main.get("environment") or {}) | dict(overlay.get("environment") or {})
    return given


TOLD = [
    name
    for name, service in _services(ROOT / "docker-compose.yml").items()
    if "TAMGA_DATABASE_HOST" in (service.get("environment") or {})
]


@pytest.mark.parametrize("name", TOLD)
def test_every_process_is_told_all_members(name: str) -> None:
    """No process of ours is left with one broker or one database server: it would stand still with that one."""
    given = _environment(name)
    assert given["TAMGA_BROKER_HOST"].split(",") == BROKERS
    assert given["TAMGA_DATABASE_HOST"].split(",") == DATABASES
    for variable in ("TAMGA_AMQP_ADMIN_URL", "TAMGA_DATABASE_ADMIN_URL"):
        members = BROKERS if "AMQP" in variable else DATABASES
        assert all(re.search(rf"\b{member}\b", given.get(variable, member)) for member in members), variable


def test_every_name_is_known_while_its_member_is_away() -> None:
    """Who talks to members knows their addresses by heart: those that the members have."""
    overlay = _services(OVERLAY)
    members = [*BROKERS, *DATABASES]
    addresses = [f"{name}:{overlay[name]['networks']['backend']['ipv4_address']}" for name in members]
    assert {name: service.get("extra_hosts") for name, service in overlay.items()} == dict.fromkeys(overlay, addresses)
    assert len({address.rpartition(".")[2] for address in addresses}) == len(members)


def test_there_are_processes_to_tell() -> None:
    """The rule above is asked of relays, workers and pages alike."""
    assert {"grants-api", "grants-worker", "grants-relay", "watch", "prepare"} <= set(TOLD)


def test_the_overlay_changes_no_service_that_is_not_there() -> None:
    """What it only changes exists in the main file; what it adds are the other members."""
    added = set(_services(OVERLAY)) - set(_services(ROOT / "docker-compose.yml"))
    assert added == {"broker-2", "broker-3", "database-2"}


def test_the_nodes_look_for_each_other_under_the_names_they_have() -> None:
    """Each broker's host name is among those that the nodes' settings list, and no other."""
    listed = re.findall(r"^cluster_formation\.classic_config\.nodes\.\d+ = rabbit@(\S+)$", _settings(), re.MULTILINE)
    hosts = [_services(path)[name]["hostname"] for name in BROKERS for path in _files(name)]
    assert sorted(listed) == sorted(hosts) == BROKERS


def _settings() -> str:
    return (CLUSTER / "rabbitmq.conf").read_text()


def _files(name: str) -> list[Path]:
    """Return in which file a service has its host name."""
    return [path for path in (ROOT / "docker-compose.yml", OVERLAY) if "hostname" in _services(path).get(name, {})]


def test_each_database_server_looks_at_the_other_one() -> None:
    """Each is the other's peer, only the first may begin without one, and their names fit a replication slot."""
    first, second = (_environment(name) for name in DATABASES)
    assert (first["TAMGA_PEER"], second["TAMGA_PEER"]) == ("database-2", "database")
    assert (first.get("TAMGA_FIRST"), second.get("TAMGA_FIRST")) == ("yes", None)
    assert all(re.fullmatch(r"[a-z0-9_]+", given["TAMGA_NODE"]) for given in (first, second))
    assert first["TAMGA_NODE"] != second["TAMGA_NODE"]


def test_what_is_mounted_is_there_and_can_be_run() -> None:
    """Every file of ours that a member gets exists, and the servers' script may be executed."""
    mounts = [mount for service in _services(OVERLAY).values() for mount in service.get("volumes", [])]
    ours = {mount.partition(":")[0] for mount in mounts if mount.startswith("./")}
    assert ours == {"./deploy/cluster/rabbitmq.conf", "./deploy/cluster/database", "./deploy/cluster/pg_hba.conf"}
    assert all((ROOT / path).exists() for path in ours)
    assert (CLUSTER / "database").stat().st_mode & 0o111 == 0o111


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker here to read the files")
def test_compose_itself_reads_both_files_together(tmp_path: Path) -> None:
    """`docker compose config` accepts the two, with every variable given; it needs no engine."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no compose here")
    names = set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text() + OVERLAY.read_text()))
    values = dict.fromkeys(names, "1") | {"TAMGA_BIND": "127.0.0.1"}
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    files = ["--file", "docker-compose.yml", "--file", str(OVERLAY.relative_to(ROOT))]
    command = ["docker", "compose", "--env-file", str(tmp_path / "env"), *files, "config", "--services"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(BROKERS + DATABASES) <= set(done.stdout.split())
