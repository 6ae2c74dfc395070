"""The database server and the broker of a test run: the machine's own programs, or containers.

TAMGA_TEST_SERVERS=containers takes the images that an operator runs, so that one suite sees both pairs: what Debian's
packages brought to this machine, and PostgreSQL 17 with RabbitMQ 4.0. TAMGA_TEST_DATABASE_IMAGE and
TAMGA_TEST_BROKER_IMAGE name others. Containers run on this machine's engine and listen on loopback alone.
"""

from __future__ import annotations

import json
import os
import signal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg

from shared.infrastructure import system
from shared.infrastructure.postgres import THROW_AWAY, TUNING, USER, Postgres
from shared.infrastructure.rabbitmq import ADMIN, COMMON, RabbitMQ, definitions
from shared.infrastructure.system import InfrastructureError, free_port
from shared.version import release

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_PASSWORDS = {ADMIN: "stand"}
_READY = {"database": "database system is ready to accept connections", "broker": "completed with"}
_PORT = {"database": 5432, "broker": 5672}
_API_PORT = 15672
# Neither takes the image's own start: tests want no secret, and a server that trusts them.
_INITDB = "initdb --username={user} --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync > /dev/null"
_BROKER = (
    "listeners.tcp.default = 5672",
    "load_definitions = /tmp/stand/definitions.json",
    f"management.tcp.port = {_API_PORT}",
    *COMMON,
)


def in_containers() -> bool:
    """Return whether this run is to take its servers from containers."""
    wanted = os.environ.get("TAMGA_TEST_SERVERS", "machine")
    if wanted not in ("machine", "containers"):
        raise InfrastructureError(f"TAMGA_TEST_SERVERS is {wanted!r}: it must be 'machine' or 'containers'.")
    return wanted == "containers"


def database_server(folder: Path) -> Postgres:
    """Return a database server for tests, not started yet; its data are nobody's."""
    kind = ContainedPostgres if in_containers() else Postgres
    return kind(folder / "postgresql", free_port(), throw_away=True)


def broker(folder: Path, vhosts: tuple[str, ...]) -> RabbitMQ:
    """Return a broker for tests with these virtual hosts, not started yet."""
    kind = ContainedRabbitMQ if in_containers() else RabbitMQ
    return kind(folder / "rabbitmq", free_port(), free_port(), _PASSWORDS, vhosts=vhosts)


def versions(database: Postgres, node: RabbitMQ) -> str:
    """Return in words what runs, by what the servers say themselves."""
    with psycopg.connect(database.admin_url.replace("+psycopg", "", 1)) as connection:
        postgres = connection.info.parameter_status("server_version")
    told = httpx.get(f"{node.api_url}/api/overview", timeout=20).raise_for_status().json()
    where = "in containers" if in_containers() else "of this machine"
    return f"PostgreSQL {postgres} and RabbitMQ {told['rabbitmq_version']} {where}"


def end(database: Postgres | None, node: RabbitMQ | None) -> None:
    """End both; their data go with them, so nobody waits until they have put everything in order."""
    if isinstance(node, ContainedRabbitMQ):
        node.stop()
    elif node and node.process:
        system.kill(node.process)
    if isinstance(database, ContainedPostgres):
        database.stop()
    elif database and database.process:
        system.stop(database.process, first=signal.SIGQUIT)


class _Contained:
    """A container that begins with a script of ours, in the name of the server's own user."""

    def __init__(self, part: str, user: str, script: str, ports: dict[int, int]) -> None:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only who runs containers needs it

        self._part = part
        self.image = os.environ.get(f"TAMGA_TEST_{part.upper()}_IMAGE") or f"tamga/{part}:{release()}"
        entrypoint = ["/bin/sh", "-c", script]
        self.container: DockerContainer = DockerContainer(self.image, user=user, entrypoint=entrypoint, shm_size="256m")
        for inside, outside in ports.items():
            self.container.ports[str(inside)] = ("127.0.0.1", outside)  # type: ignore[assignment] # its engine's own form

    def start(self) -> None:
        from docker.errors import DockerException  # noqa: PLC0415 - the same

        try:
            self.container.start()
        except DockerException as error:
            variable = f"TAMGA_TEST_{self._part.upper()}_IMAGE"
            raise InfrastructureError(
                f"No container of {self.image}: {error}. Build it with `make images`, or name another in {variable}."
            ) from error

    def wait(self, seconds: float) -> None:
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415 - the same

        ready = LogMessageWaitStrategy(_READY[self._part]).with_startup_timeout(round(seconds))
        try:
            ready.wait_until_ready(self.container)
        except (TimeoutError, RuntimeError) as error:
            raise InfrastructureError(f"The container of {self.image} does not get ready: {error}") from error


class ContainedPostgres(Postgres):
    """A PostgreSQL server in a container."""

    @cached_property
    def _contained(self) -> _Contained:
        settings = TUNING | THROW_AWAY | {"listen_addresses": "*", "unix_socket_directories": "/tmp"}  # noqa: S108 - in there
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        trust = "echo 'host all all all trust' >> $PGDATA/pg_hba.conf"
        script = f"export PGDATA=/tmp/data; {_INITDB.format(user=USER)} && {trust} && exec postgres {options}"
        return _Contained("database", "postgres", script, {_PORT["database"]: self.port})

    def start(self) -> None:
        self._contained.start()

    def wait(self, seconds: float = 60) -> None:
        self._contained.wait(seconds)

    def stop(self) -> None:
        self._contained.container.stop()


class ContainedRabbitMQ(RabbitMQ):
    """A RabbitMQ node in a container."""

    @cached_property
    def _contained(self) -> _Contained:
        files = {
            "HOME": "/tmp/home",  # noqa: S108 - in there
            "RABBITMQ_CONFIG_FILE": "/tmp/stand/rabbitmq.conf",  # noqa: S108 - the same
            "RABBITMQ_ENABLED_PLUGINS_FILE": "/tmp/stand/plugins",  # noqa: S108 - the same
            "RABBITMQ_MNESIA_BASE": "/tmp/home/mnesia",  # noqa: S108 - the same
            "RABBITMQ_LOG_BASE": "/tmp/home",  # noqa: S108 - the same
            "RABBITMQ_CONF_ENV_FILE": "/none",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }
        ports = {_PORT["broker"]: self.port, _API_PORT: self.api_port}
        made = _Contained("broker", "rabbitmq", "mkdir -p $HOME && exec rabbitmq-server", ports)
        made.container.with_envs(**files)
        for name, content in (
            ("rabbitmq.conf", "\n".join(_BROKER) + "\n"),
            ("plugins", "[rabbitmq_management].\n"),
            ("definitions.json", json.dumps(definitions(self.passwords, self.vhosts))),
        ):
            made.container.with_copy_into_container(content.encode(), f"/tmp/stand/{name}")  # noqa: S108 - the same
        return made

    def start(self) -> None:
        self._contained.start()

    def wait(self, seconds: float = 90) -> None:
        self._contained.wait(seconds)

    def stop(self) -> None:
        self._contained.container.stop()
