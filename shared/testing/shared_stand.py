"""One stand for all processes of a test run: the one that hands out the tests starts the servers, the others use them.

They are told where by TAMGA_TEST_STAND. Servers take seconds of both cores to start, and so do the services' tables:
what is made once is locked while it is made.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import pytest

from shared.infrastructure import system
from shared.infrastructure.postgres import Postgres
from shared.infrastructure.rabbitmq import ADMIN, RabbitMQ
from shared.infrastructure.system import free_port

_VARIABLE = "TAMGA_TEST_STAND"
_GIVEN = ("TAMGA_TEST_DATABASE_URL", "TAMGA_TEST_AMQP_URL")
_VHOSTS = 8  # for each process


@dataclass(frozen=True)
class Loan:
    """The servers of another process: where they are, and what was made on them."""

    folder: str
    admin_url: str
    port: int
    distribution_port: int
    api_port: int

    @classmethod
    def taken(cls) -> Self | None:
        """Return the servers that this process may use, if there are any."""
        told = os.environ.get(_VARIABLE)
        return cls(**json.loads(told)) if told else None

    @property
    def rabbitmq(self) -> RabbitMQ:
        """Return the node, which runs in another process's care."""
        passwords = {ADMIN: "stand"}
        return RabbitMQ(
            Path(self.folder) / "rabbitmq", self.port, self.distribution_port, passwords, api_port=self.api_port
        )

    def vhosts(self) -> list[str]:
        """Return the names of the virtual hosts that are this process's."""
        return _vhosts_of(os.environ.get("PYTEST_XDIST_WORKER", "gw0"))

    def once(self, name: str, make: Callable[[], str]) -> str:
        """Return what was made under this name, by whichever process came first."""
        with (Path(self.folder) / "made").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            made = dict(line.split() for line in file)
            if name not in made:
                made[name] = make()
                file.write(f"{name} {made[name]}\n")
            return made[name]


def _vhosts_of(worker: str) -> list[str]:
    return [f"tests-{worker}-{number}" for number in range(_VHOSTS)]


class Lender:
    """The plugin of the process that hands out the tests to `processes` others."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._postgres: Postgres | None = None
        self._rabbitmq: RabbitMQ | None = None
        self._folder: Path | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Start the servers while the other processes look for the tests."""
        if any(name in os.environ for name in _GIVEN):
            return
        self._folder = Path(tempfile.mkdtemp(prefix="tamga-stand-", dir="/tmp"))
        self._folder.chmod(0o755)
        vhosts = tuple(name for number in range(self._processes) for name in _vhosts_of(f"gw{number}"))
        self._rabbitmq = RabbitMQ(self._folder / "rabbitmq", free_port(), free_port(), {ADMIN: "stand"}, vhosts=vhosts)
        self._rabbitmq.start()
        self._postgres = Postgres(self._folder / "postgresql", free_port(), throw_away=True)
        self._postgres.start()
        loan = Loan(
            folder=str(self._folder),
            admin_url=self._postgres.admin_url,
            port=self._rabbitmq.port,
            distribution_port=self._rabbitmq.distribution_port,
            api_port=self._rabbitmq.api_port,
        )
        os.environ[_VARIABLE] = json.dumps(asdict(loan))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Wait for the servers, before any test is handed out."""
        for server in (self._postgres, self._rabbitmq):
            if server:
                server.wait()

    def pytest_unconfigure(self) -> None:
        """End the servers; their data go with the folder, so nobody waits until they have put everything in order."""
        os.environ.pop(_VARIABLE, None)
        if self._rabbitmq and self._rabbitmq.process:
            system.kill(self._rabbitmq.process)
        if self._postgres and self._postgres.process:
            system.stop(self._postgres.process, first=signal.SIGQUIT)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
