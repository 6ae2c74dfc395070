"""The servers that all processes of a test run share: where they are, and what was made on them for everybody.

The process that hands out the tests starts them (see `lender`) and tells the others by TAMGA_TEST_STAND. Servers take
seconds of both cores to start, and so do the services' tables: what is made once is locked while it is made.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shared.infrastructure.rabbitmq import ADMIN, RabbitMQ

VARIABLE = "TAMGA_TEST_STAND"
_VHOSTS = 16  # for each process


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
        told = os.environ.get(VARIABLE)
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
        return vhosts_of(os.environ.get("PYTEST_XDIST_WORKER", "gw0"))

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


def vhosts_of(worker: str) -> list[str]:
    """Return the names of the virtual hosts of one process."""
    return [f"tests-{worker}-{number}" for number in range(_VHOSTS)]
