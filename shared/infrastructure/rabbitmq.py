"""A private RabbitMQ node: its own data folder and ports, users from a definitions file, ended with us."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.infrastructure import system
from shared.infrastructure.system import InfrastructureError

USER = "rabbitmq"
ADMIN = "tamga-admin"
WATCHER = "watch"  # sees how the broker is, and reads and writes nothing
EXCHANGE = "events"
_TAGS = {ADMIN: ["administrator"], WATCHER: ["monitoring"]}
FRUGAL = (
    # The HTTP API says what is declared; figures come from our own tables and are not collected twice.
    "management.disable_stats = true",
    "management_agent.disable_metrics_collector = true",
    # What quorum queues have not moved to their own files yet lies in memory, by default up to 512 MB of it: with
    # 150,000 events waiting, a small node would have no more and would block who publishes until it had less.
    "raft.wal_max_size_bytes = 64000000",
)
# A node of ours, wherever it runs: who may connect, where its words go, and how much it may take.
COMMON = (
    "loopback_users = none",
    "log.console = true",
    "log.console.level = warning",
    "log.file = false",
    "vm_memory_high_watermark.absolute = 512MB",
    "disk_free_limit.absolute = 200MB",
    "collect_statistics_interval = 30000",
    *FRUGAL,
)
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one of /usr/sbin insists on becoming root or rabbitmq


def program() -> Path | None:
    """Return RabbitMQ's start script, or None when it is not installed."""
    if _PROGRAM.exists():
        return _PROGRAM
    on_path = shutil.which("rabbitmq-server")
    return Path(on_path) if on_path else None


def password_hash(password: str, salt: bytes | None = None) -> str:
    """Return RabbitMQ's form of a password: base64 of 4 bytes salt and SHA-256 of salt + password."""
    salt = salt or secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def least(service: str) -> dict[str, str]:
    """Return a service's permissions: it declares nothing, writes to the exchange alone, reads its own queues alone."""
    return {"configure": "^$", "write": f"^{EXCHANGE}$", "read": rf"^{service}(\.backfill)?$"}


def least_topics(service: str) -> dict[str, str]:
    """Return under which routing keys a service may write to the exchange of events: those that begin with its name."""
    return {"exchange": EXCHANGE, "write": rf"^{service}\.", "read": ".*"}


def definitions(passwords: dict[str, str], vhosts: tuple[str, ...] = ("/",)) -> dict[str, Any]:
    """Return users and their least permissions: `passwords` by service, and the topology admin's under ADMIN.

    A service declares nothing, writes only to the exchange of events and only under its own name, and
    reads only its own queues. `user_id` validation keeps it from speaking for another.
    """
    services = [name for name in passwords if name not in (ADMIN, WATCHER)]
    every, nothing = ".*", "^$"
    return {
        "vhosts": [{"name": vhost} for vhost in vhosts],
        "users": [
            {
                "name": name,
                "password_hash": password_hash(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": _TAGS.get(name, []),
            }
            for name, password in passwords.items()
        ],
        "permissions": [
            {"user": ADMIN, "vhost": vhost, "configure": every, "write": every, "read": every} for vhost in vhosts
        ]
        + [
            {"user": WATCHER, "vhost": vhost, "configure": nothing, "write": nothing, "read": nothing}
            for vhost in vhosts
            if WATCHER in passwords
        ]
        + [{"user": name, "vhost": vhost} | least(name) for name in services for vhost in vhosts],
        "topic_permissions": [
            {"user": name, "vhost": vhost} | least_topics(name) for name in services for vhost in vhosts
        ],
    }


def api_url(passwords: dict[str, str], port: int) -> str:
    """Return the administrator's URL of a node's HTTP API on this machine."""
    return f"http://{ADMIN}:{passwords[ADMIN]}@127.0.0.1:{port}"


@dataclass
class RabbitMQ:
    """A node in `folder`; `passwords` by user name (services and ADMIN); loads its users at every start.

    It tells its figures for Prometheus at `metrics_port`, unless that is 0.
    """

    folder: Path
    port: int
    distribution_port: int
    passwords: dict[str, str]
    vhosts: tuple[str, ...] = ("/",)
    api_port: int = field(default_factory=system.free_port)
    metrics_port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """Return the file with what the node says."""
        return self.folder / "rabbitmq.log"

    def url(self, user: str = ADMIN, vhost: str = "/") -> str:
        """Return a user's URL."""
        return f"amqp://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/{vhost.replace('/', '%2F')}"

    @property
    def api_url(self) -> str:
        """Return the administrator's URL of the HTTP API: what AMQP can't tell, such as bindings."""
        return api_url(self.passwords, self.api_port)

    def start(self) -> None:
        """Start the node, without waiting for it."""
        script = program()
        if script is None:
            raise InfrastructureError("RabbitMQ is not installed: run `apt-get install rabbitmq-server`.")
        user = system.runner_of(USER)
        self._configure(user)
        self.log.unlink(missing_ok=True)
        self.process = system.start(
            [str(script)], log=self.log, folder=self.folder, user=user, environment=self._environment()
        )

    def _configure(self, user: str | None) -> None:
        for name in ("mnesia", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            f"load_definitions = {self.folder}/definitions.json",
            # Memory is measured by the runtime itself, not by a helper process that wakes every second.
            "vm_memory_calculation_strategy = allocated",
            "management.tcp.ip = 127.0.0.1",
            f"management.tcp.port = {self.api_port}",
            *COMMON,
        ]
        plugins = ["rabbitmq_management"]
        if self.metrics_port:
            plugins.append("rabbitmq_prometheus")
            lines += ["prometheus.tcp.ip = 127.0.0.1", f"prometheus.tcp.port = {self.metrics_port}"]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "plugins").write_text(f"[{','.join(plugins)}].\n")
        definition_file = self.folder / "definitions.json"
        definition_file.touch(mode=0o600)
        definition_file.write_text(json.dumps(definitions(self.passwords, self.vhosts)))
        system.hand_over(self.folder, user)

    def _environment(self) -> dict[str, str]:
        name, folder = "tamga@localhost", str(self.folder)
        # Distribution is named from the start and listens on one loopback port: no epmd daemon is
        # needed. After a minute the node would start one all the same, through another `erl` that only
        # ERL_ZFLAGS reaches. Two schedulers that sleep when idle suit a small machine.
        arguments = (
            f"+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -sname {name} "
            f"-erl_epmd_port {self.distribution_port} -kernel inet_dist_use_interface {{127,0,0,1}}"
        )
        return {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": folder,
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
            "ERL_ZFLAGS": "-start_epmd false",
        }

    def wait(self, seconds: float = 90) -> None:
        """Wait until the node takes connections; raises InfrastructureError."""
        if self.process is None:
            raise InfrastructureError("RabbitMQ was not started.")
        system.wait_until(self._ready, self.process, seconds=seconds, log=self.log)

    def _ready(self) -> bool:
        return "completed with" in self.log.read_text(errors="replace")

    def stop(self) -> None:
        """End the node in order: queues are closed, messages are on disk."""
        if self.process:
            system.stop(self.process, patience=30)
