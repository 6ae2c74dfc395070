"""Where the broker and the database come from: given URLs, containers, private instances, packages first.

Each of the two climbs the ladder for itself. Ports and passwords are remembered in the home folder, so
that a second start finds its data again.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from shared.infrastructure import containers, packages, postgres, rabbitmq, system
from shared.infrastructure.names import app_role, database_name, owner_role
from shared.infrastructure.system import InfrastructureError
from shared.settings import SERVICES

SUPERUSER = "postgres"
ELSEWHERE = Path("/var/lib")


class Server(Protocol):
    """A broker or a database that we start and stop; `log` has what it says."""

    process: subprocess.Popen[bytes] | None

    @property
    def log(self) -> Path: ...

    def start(self) -> None: ...

    def wait(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Part:
    """A broker or a database: how it was found, its administrator's URL, and the server if it is ours to run.

    `api_url` is the address of the broker's HTTP API with its administrator, `metrics_url` that of its figures for
    Prometheus; empty when they were not given.
    """

    how: str
    admin_url: str
    server: Server | None
    api_url: str = ""
    metrics_url: str = ""


def remembered(home: Path, name: str) -> dict[str, str]:
    """Return what was written down under `name` at an earlier start."""
    path = home / name
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found


def remember(home: Path, name: str, values: Mapping[str, str]) -> None:
    """Write `values` down, readable by the owner only, all or nothing."""
    draft = home / f"{name}.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(dict(values), indent=2) + "\n")
    draft.replace(home / name)


def passwords(home: Path) -> dict[str, str]:
    """Return the passwords of all roles and users of the infrastructure, made at the first start."""
    known = remembered(home, "secrets.json")
    roles = [role(service) for service in SERVICES for role in (app_role, owner_role)]
    names = [SUPERUSER, rabbitmq.ADMIN, *roles, *(f"amqp_{service}" for service in SERVICES)]
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(24) for name in missing}
        remember(home, "secrets.json", known)
    return known


def ports(home: Path, *names: str) -> dict[str, int]:
    """Return a free port for each name, the one of the last start if it is free again."""
    known = remembered(home, "ports.json")
    chosen: dict[str, int] = {}
    for name in names:
        preferred = int(known[name]) if name in known else None
        chosen[name] = system.free_port(preferred)
    remember(home, "ports.json", known | {name: str(port) for name, port in chosen.items()})
    return chosen


def data_folder(home: Path, name: str, user: str) -> Path:
    """Return where a private server keeps its data: in the home folder if the server's user can reach it.

    A checkout under /root can't be reached by `postgres`; then the data are under /var/lib, and a note
    in the home folder says so.
    """
    folder = home.resolve() / name
    if not system.is_root() or system.traversable(home.resolve(), user):
        return folder
    elsewhere = _elsewhere(home)
    elsewhere.mkdir(mode=0o755, exist_ok=True)
    note = home / "DATA-IS-ELSEWHERE.txt"
    note.write_text(f"The user {user} can not reach this folder: databases and queues are in {elsewhere}.\n")
    return elsewhere / name


def _elsewhere(home: Path) -> Path:
    return ELSEWHERE / f"tamga-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]}"


def find_database(home: Path, environment: Mapping[str, str] = os.environ) -> Part:
    """Climb the ladder for the database server; nothing is started yet."""
    if given := environment.get("TAMGA_DATABASE_URL"):
        url = given.replace("postgresql://", "postgresql+psycopg://", 1)
        _must_answer(url, 5432, "TAMGA_DATABASE_URL", "database server")
        return Part("given", url, None)
    password = passwords(home)[SUPERUSER]
    port = ports(home, "postgresql")["postgresql"]
    url = f"postgresql+psycopg://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres"
    folder = home.resolve() / "postgresql"
    if not _has_private_data(home, "postgresql") and containers.available(folder, containers.POSTGRES_IMAGE):
        return Part("container", url, containers.postgres(folder, port, password))
    if postgres.binaries() is None:
        packages.install(["postgresql"])
    return Part("private", url, postgres.Postgres(data_folder(home, "postgresql", postgres.USER), port, password))


def find_broker(home: Path, environment: Mapping[str, str] = os.environ) -> Part:
    """Climb the ladder for the broker; nothing is started yet."""
    if given := environment.get("TAMGA_AMQP_URL"):
        _must_answer(given, 5672, "TAMGA_AMQP_URL", "broker")
        return Part("given", given, None, environment.get("TAMGA_AMQP_API_URL", ""))
    users = broker_users(home)
    port, distribution, api = ports(home, "rabbitmq", "rabbitmq-distribution", "rabbitmq-api").values()
    url, api_url = broker_url(home, rabbitmq.ADMIN), rabbitmq.api_url(users, api)
    folder = home.resolve() / "rabbitmq"
    if not _has_private_data(home, "rabbitmq") and containers.available(folder, containers.RABBITMQ_IMAGE):
        return Part("container", url, containers.rabbitmq(folder, port, users, api), api_url)
    if rabbitmq.program() is None:
        packages.install(["rabbitmq-server"])
    folder = data_folder(home, "rabbitmq", rabbitmq.USER)
    [metrics] = ports(home, "metrics broker").values()
    node = rabbitmq.RabbitMQ(folder, port, distribution, users, api_port=api, metrics_port=metrics)
    return Part("private", url, node, api_url, f"http://127.0.0.1:{metrics}/metrics")


def _has_private_data(home: Path, name: str) -> bool:
    inside = {"postgresql": "data", "rabbitmq": "mnesia"}[name]
    return any((root / name / inside).exists() for root in (home.resolve(), _elsewhere(home)))


def broker_users(home: Path) -> dict[str, str]:
    """Return the broker's users and their passwords: one a service, and the topology's administrator."""
    known = passwords(home)
    return {rabbitmq.ADMIN: known[rabbitmq.ADMIN]} | {service: known[f"amqp_{service}"] for service in SERVICES}


def broker_url(home: Path, user: str) -> str:
    """Return a broker user's URL on the port that was chosen."""
    port = remembered(home, "ports.json")["rabbitmq"]
    return f"amqp://{user}:{broker_users(home)[user]}@127.0.0.1:{port}//"


def service_urls(home: Path, database: Part, broker: Part) -> dict[str, dict[str, str]]:
    """Return the URLs of every service's own role and user, by the names of the settings' fields."""
    known = passwords(home)
    server = urlsplit(database.admin_url)
    at = f"{server.hostname}:{server.port or 5432}"

    def url(role: str, service: str) -> str:
        return f"postgresql+psycopg://{role}:{known[role]}@{at}/{database_name(service)}"

    given = broker.how == "given"
    return {
        "database_urls": {service: url(app_role(service), service) for service in SERVICES},
        "owner_database_urls": {service: url(owner_role(service), service) for service in SERVICES},
        "amqp_urls": {
            service: os.environ.get(f"TAMGA_{service.upper()}_AMQP_URL", broker.admin_url)
            if given
            else broker_url(home, service)
            for service in SERVICES
        },
    }


def _must_answer(url: str, default_port: int, variable: str, what: str) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or default_port
    if not system.answers(host, port):
        raise InfrastructureError(f"No {what} answers at {host}:{port}: start it or correct {variable}.")
