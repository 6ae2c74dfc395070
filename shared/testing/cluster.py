"""A cluster on one machine: three RabbitMQ nodes and two PostgreSQL servers, each at a loopback address of its own.

What is done to them is the same for processes as for containers: a member is started, killed, frozen and thawed, a
standby is promoted, a former primary joins again. `Cluster` says what there is to do; here it is done to processes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from shared.infrastructure import postgres, system
from shared.infrastructure.rabbitmq import ADMIN, RabbitMQ
from shared.testing.node import folder_for

BROKERS = ("broker-1", "broker-2", "broker-3")
DATABASES = ("database-1", "database-2")
SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "cluster" / "database"
RULES = SCRIPT.with_name("pg_hba.conf")
FENCED = 3  # the exit code of a server that must not be a primary
_STARTED = 90.0  # seconds until a member answers


class Cluster(Protocol):
    """What the scenarios do to a cluster; members are called as in BROKERS and DATABASES."""

    def kill(self, member: str) -> None:
        """End a member at once, as when its machine loses power."""

    def start(self, member: str) -> None:
        """Start a member on the data it has, without waiting for it."""

    def wait(self, member: str) -> None:
        """Wait until a member answers; raises TimeoutError."""

    def freeze(self, member: str) -> None:
        """Let a member do nothing any more, its connections open: as a machine that hangs."""

    def thaw(self, member: str) -> None:
        """Let it go on where it stood."""

    def ended(self, member: str) -> bool:
        """Say whether a member has ended by itself."""

    def ask(self, member: str, command: str) -> str:
        """Run `database COMMAND` for a member (promote, rejoin, alone, status) and return what it says."""

    def leader(self, queue: str) -> str:
        """Return which broker leads a quorum queue."""

    @property
    def amqp_url(self) -> str:
        """Return the administrator's URL of all brokers."""

    @property
    def admin_url(self) -> str:
        """Return the administrator's URL of whichever database server takes changes."""


@dataclass
class ClusterNode(RabbitMQ):
    """One RabbitMQ node of several; they find each other by address, on the same port of each."""

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    cookie: str = ""

    def _configure(self, user: str | None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o400)
            cookie.write_text(self.cookie)
        super()._configure(user)
        file = self.folder / "rabbitmq.conf"
        lines = [
            "cluster_formation.peer_discovery_backend = classic_config",
            *(f"cluster_formation.classic_config.nodes.{n} = tamga@{host}" for n, host in enumerate(self.hosts, 1)),
            # They wait for each other by a lock; to begin at different moments besides is not needed.
            "cluster_formation.randomized_startup_delay_range.min = 0",
            "cluster_formation.randomized_startup_delay_range.max = 1",
            "cluster_partition_handling = pause_minority",
        ]
        file.write_text(file.read_text().replace("127.0.0.1", self.host) + "\n".join(lines) + "\n")

    def _environment(self) -> dict[str, str]:
        environment = super()._environment()
        given = environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]
        given = given.replace("-sname tamga@localhost", f"-name tamga@{self.host}")
        return environment | {
            "RABBITMQ_NODENAME": f"tamga@{self.host}",
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": given.replace("127,0,0,1", self.host.replace(".", ",")),
        }


@dataclass
class DatabaseNode:
    """One of two PostgreSQL servers, run by the script that runs it in its container."""

    folder: Path
    name: str
    host: str
    peer: str
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "database.log"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def environment(self) -> dict[str, str]:
        programs = postgres.binaries()
        return {
            "PATH": f"{programs}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "PGDATA": str(self.data),
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "POSTGRES_PASSWORD_FILE": str(self.folder / "password"),
            "TAMGA_NODE": self.name.replace("-", "_"),
            "TAMGA_PEER": self.peer,
            "TAMGA_PEER_PORT": str(self.port),
            "TAMGA_FIRST": "yes" if self.name == DATABASES[0] else "",
        }

    def create(self) -> None:
        """Make the folder, and the data of the first server: the other one copies them."""
        user = system.runner_of(postgres.USER)
        self.folder.mkdir(parents=True)
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        system.hand_over(self.folder, user)
        if self.name == DATABASES[0]:
            self.initialise()

    def initialise(self) -> None:
        """Make data of its own."""
        shutil.rmtree(self.data, ignore_errors=True)
        command = ["initdb", "-D", str(self.data), "-U", postgres.USER, "-A", "scram-sha-256", "--data-checksums"]
        command += ["--pwfile", str(self.folder / "password"), "-E", "UTF8", "--locale", "C.UTF-8"]
        self.run(command).check_returncode()

    def start(self) -> None:
        tuning = postgres.TUNING | {"listen_addresses": self.host, "unix_socket_directories": ""}
        # Else some of its memory would outlive a server that is killed.
        tuning |= {"hba_file": str(RULES), "dynamic_shared_memory_type": "mmap"}
        options = [part for name, value in tuning.items() for part in ("-c", f"{name}={value}")]
        server = ["postgres", "-D", str(self.data), "-p", str(self.port), *options]
        self.process = system.start(
            ["bash", str(SCRIPT), "run", *server],
            log=self.log,
            folder=self.folder,
            user=system.runner_of(postgres.USER),
            environment=self.environment(),
        )

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user, and return what came of it."""
        user = system.runner_of(postgres.USER)
        identity = {"user": user, "group": user, "extra_groups": []} if user else {}
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            command,
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            **identity,
        )

    def ready(self) -> bool:
        return self.run(["pg_isready", "--quiet"]).returncode == 0

    def memory(self) -> str:
        """Return the number of the shared memory that the server holds; empty when it runs not."""
        with suppress(FileNotFoundError, IndexError):
            return (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        return ""


class NativeCluster:
    """The members as processes of this machine, which end with us. Start it in the main thread."""

    def __init__(self, folder: Path) -> None:
        hosts = tuple(f"127.0.0.{number}" for number in (11, 12, 13))
        port, distribution, api, database = (system.free_port() for _ in range(4))
        self._passwords, cookie = {ADMIN: secrets.token_hex(8)}, secrets.token_hex(16)
        self.brokers = {
            name: ClusterNode(
                folder / name, port, distribution, self._passwords, api_port=api, host=host, hosts=hosts, cookie=cookie
            )
            for name, host in zip(BROKERS, hosts, strict=True)
        }
        password = secrets.token_hex(8)
        self.databases = {
            name: DatabaseNode(folder / name, name, host, peer, database, password)
            for name, host, peer in zip(DATABASES, hosts[:2], hosts[1::-1], strict=True)
        }
        user, at = f"{postgres.USER}:{password}", f"host={hosts[0]},{hosts[1]}&port={database},{database}"
        self.admin_url = f"postgresql+psycopg://{user}@/postgres?{at}&target_session_attrs=read-write"
        self.amqp_url = ";".join(f"amqp://{ADMIN}:{self._passwords[ADMIN]}@{host}:{port}//" for host in hosts)

    def begin(self, members: tuple[str, ...] = (*BROKERS, *DATABASES)) -> None:
        """Start members for the first time and wait until they are one cluster."""
        for database in self.databases.values():
            database.create()
        for member in members:
            self.start(member)
        for member in members:
            self.wait(member)

    def end(self) -> None:
        """End every member and all that it has started."""
        for member in (*BROKERS, *DATABASES):
            self.kill(member)

    def kill(self, member: str) -> None:
        process = self._process(member)
        if process is None or process.poll() is not None:
            return
        memory = self.databases[member].memory() if member in self.databases else ""
        for number in (signal.SIGSTOP, signal.SIGKILL):
            signal_family(process.pid, number)
        process.wait()
        if memory:  # a machine without power forgets it, and the numbers of its processes
            subprocess.run(["ipcrm", "--shmem-id", memory], check=False, capture_output=True)
            (self.databases[member].data / "postmaster.pid").unlink(missing_ok=True)

    def start(self, member: str) -> None:
        (self.brokers | self.databases)[member].start()

    def wait(self, member: str) -> None:
        check = self.databases[member].ready if member in self.databases else self.brokers[member]._ready  # noqa: SLF001 - a node's own word
        until(lambda: self.ended(member) or check(), f"{member} does not answer")
        if self.ended(member):
            raise TimeoutError(f"{member} has ended: {self.said(member)}")

    def freeze(self, member: str) -> None:
        signal_family(self._running(member).pid, signal.SIGSTOP)

    def thaw(self, member: str) -> None:
        signal_family(self._running(member).pid, signal.SIGCONT)

    def ended(self, member: str) -> bool:
        return self._running(member).poll() is not None

    def said(self, member: str) -> str:
        """Return the last line of a member's log."""
        lines = (self.brokers | self.databases)[member].log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def ask(self, member: str, command: str) -> str:
        done = self.databases[member].run(["bash", str(SCRIPT), command])
        if done.returncode:
            raise RuntimeError(f"database {command}: {done.stderr.strip()}")
        return (done.stdout + done.stderr).strip()

    def leader(self, queue: str) -> str:
        led_by = ""

        def known() -> bool:
            nonlocal led_by
            led_by = self._leader(queue)
            return bool(led_by) and not self.ended(led_by)

        until(known, f"no broker says who leads {queue}")
        return led_by

    def _leader(self, queue: str) -> str:
        by_node = {f"tamga@{node.host}": name for name, node in self.brokers.items()}
        for node in (node for name, node in self.brokers.items() if not self.ended(name)):
            with suppress(httpx.HTTPError):
                url = f"{node.api_url.replace('127.0.0.1', node.host)}/api/queues/%2F/{queue}"
                return by_node.get(httpx.get(url, timeout=3).raise_for_status().json().get("leader"), "")
        return ""

    def _process(self, member: str) -> subprocess.Popen[bytes] | None:
        return (self.brokers | self.databases)[member].process

    def _running(self, member: str) -> subprocess.Popen[bytes]:
        process = self._process(member)
        if process is None:
            raise RuntimeError(f"{member} was not started")
        return process


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it, each before its children."""
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _family(int(child))


def signal_family(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process and to all that descend from it."""
    for one in list(_family(pid)) if number != signal.SIGSTOP else _family(pid):  # who stands has no more children
        with suppress(ProcessLookupError):
            os.kill(one, number)


def until(check: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is true; raises TimeoutError with `otherwise`."""
    deadline = time.monotonic() + _STARTED
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} within {_STARTED:.0f} s")
        time.sleep(0.1)


@contextmanager
def native_cluster() -> Iterator[NativeCluster]:
    """Give a running cluster of processes; nothing of it is left when the block ends."""
    with folder_for("cluster") as folder:
        folder.mkdir(mode=0o755)
        cluster = NativeCluster(folder)
        try:
            cluster.begin()
            yield cluster
        finally:
            cluster.end()
