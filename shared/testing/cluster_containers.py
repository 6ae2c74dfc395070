"""The same cluster in containers: the members of the compose overlay, with the images that are there."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from shared.infrastructure import postgres
from shared.infrastructure.rabbitmq import ADMIN
from shared.messaging.link import connect
from shared.testing.cluster import BROKERS, DATABASES, signal_family, until
from shared.testing.node import folder_for

ROOT = Path(__file__).resolve().parents[2]
MAIN, OVERLAY = "docker-compose.yml", "deploy/cluster/docker-compose.cluster.yml"
PROJECT = "tamga-chaos-cluster"
SUBNET = "10.213.78"  # beside that of a cluster in use
SERVICES = dict(zip((*BROKERS, *DATABASES), ("broker", "broker-2", "broker-3", "database", "database-2"), strict=True))
ADDRESSES = {member: f"{SUBNET}.{number}" for number, member in enumerate(SERVICES, 11)}
_IMAGES = {"TAMGA_BROKER_IMAGE": "tamga/broker", "TAMGA_DATABASE_IMAGE": "tamga/database"}
_SECRETS = ("broker_admin_password", "erlang_cookie", "postgres_password")
_PATIENCE = 120  # seconds for one command


class ContainerCluster:
    """The members as containers of one project, at fixed addresses that this machine reaches."""

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        self._version = version
        self._secrets = {name: secrets.token_hex(16) for name in _SECRETS}
        brokers = [ADDRESSES[member] for member in BROKERS]
        password = self._secrets["broker_admin_password"]
        self.amqp_url = ";".join(f"amqp://{ADMIN}:{password}@{address}:5672//" for address in brokers)
        user = f"{postgres.USER}:{self._secrets['postgres_password']}"
        hosts = ",".join(ADDRESSES[member] for member in DATABASES)
        self.admin_url = f"postgresql+psycopg://{user}@/postgres?host={hosts}&target_session_attrs=read-write"

    def begin(self) -> None:
        """Write down what the project needs, and start every member."""
        shutil.copy(ROOT / MAIN, self.folder)
        shutil.copytree(ROOT / "deploy" / "cluster", self.folder / "deploy" / "cluster")
        (self.folder / "secrets").mkdir()
        for name, secret in self._secrets.items():
            (self.folder / "secrets" / name).write_text(secret)
        names = ("VERSION", "DOMAIN", "BIND", "HTTP_PORT", "HTTPS_PORT", "TIME_ZONE", "MAIL_FROM", "APP_IMAGE")
        values = dict.fromkeys((f"TAMGA_{name}" for name in (*names, "PROXY_IMAGE")), "1")
        # Compose reads the addresses also of what is not started.
        values |= {"TAMGA_BIND": "127.0.0.1", "TAMGA_CLUSTER_NETWORK": SUBNET}
        values |= {name: f"{image}:{self._version}" for name, image in _IMAGES.items()}
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        self._compose("up", "--detach", "--no-deps", *SERVICES.values())
        for member in SERVICES:
            self.wait(member)

    def end(self) -> None:
        """Remove every container, network and volume of the project."""
        for member in SERVICES:
            with suppress(RuntimeError):  # what was never started
                self.thaw(member)
        self._compose("down", "--volumes", "--timeout", "5", "--remove-orphans")

    def kill(self, member: str) -> None:
        self._docker("kill", member)

    def start(self, member: str) -> None:
        self._docker("start", member)

    def wait(self, member: str) -> None:
        until(lambda: self._answers(member), f"{member} does not answer")

    def freeze(self, member: str) -> None:
        # Not `docker pause`: not every machine has what that takes.
        self._signal(member, signal.SIGSTOP)

    def thaw(self, member: str) -> None:
        self._signal(member, signal.SIGCONT)

    def _signal(self, member: str, number: signal.Signals) -> None:
        if pid := self._state(member)["Pid"]:  # 0 for one that does not run
            signal_family(pid, number)

    def ended(self, member: str) -> bool:
        return str(self._state(member)["Status"]) != "running"

    def ask(self, member: str, command: str) -> str:
        if command != "rejoin":
            return self._docker("exec", member, "cluster-database", command)
        self._docker("stop", member)  # the engine starts what was refused again and again
        return self._compose("run", "--rm", "--no-deps", "-T", SERVICES[member], command)

    def leader(self, queue: str) -> str:
        led_by = ""

        def known() -> bool:
            nonlocal led_by
            led_by = self._leader(queue)
            return bool(led_by) and not self.ended(led_by)

        until(known, f"no broker says who leads {queue}")
        return led_by

    def _leader(self, queue: str) -> str:
        by_node = {f"rabbit@{SERVICES[member]}": member for member in BROKERS}
        for address in (ADDRESSES[member] for member in BROKERS):
            with suppress(httpx.HTTPError):
                url = f"http://{address}:15672/api/queues/%2F/{queue}"
                said = httpx.get(url, auth=(ADMIN, self._secrets["broker_admin_password"]), timeout=3)
                return by_node.get(said.raise_for_status().json().get("leader"), "")
        return ""

    def _answers(self, member: str) -> bool:
        if member in DATABASES:
            with suppress(RuntimeError):
                return bool(self._docker("exec", member, "pg_isready", "--host", "/tmp"))  # noqa: S108 - its socket
            return False
        with suppress(OSError):
            connect(self.amqp_url.split(";")[BROKERS.index(member)], patience=2).release()
            return True
        return False

    def _state(self, member: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._docker("inspect", member))[0]["State"]
        return found

    def _docker(self, command: str, member: str, *rest: str) -> str:
        return _run(["docker", command, f"{PROJECT}-{SERVICES[member]}-1", *rest], self.folder)

    def _compose(self, *command: str) -> str:
        files = [part for name in (MAIN, OVERLAY) for part in ("--file", name)]
        start = ["docker", "compose", "--progress", "quiet", "--project-name", PROJECT, "--project-directory", "."]
        return _run([*start, *files, *command], self.folder)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[-3:])}: {done.stderr.strip()}")
    return (done.stdout + done.stderr).strip()


@contextmanager
def container_cluster(version: str) -> Iterator[ContainerCluster]:
    """Give a running cluster of containers, from images of this version; nothing of it is left when the block ends."""
    with folder_for("cluster") as folder:
        folder.mkdir(mode=0o755)
        cluster = ContainerCluster(folder, version)
        try:
            cluster.begin()
            yield cluster
        finally:
            cluster.end()
