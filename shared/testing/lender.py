"""The pytest plugin that starts one database server and one broker for all processes of a test run."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest

from shared.infrastructure.postgres import Postgres
from shared.infrastructure.rabbitmq import RabbitMQ
from shared.testing import servers
from shared.testing.shared_stand import VARIABLE, Loan, vhosts_of

_GIVEN = ("TAMGA_TEST_DATABASE_URL", "TAMGA_TEST_AMQP_URL")


class Lender:
    """The plugin of the process that hands out the tests to `processes` others."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._postgres: Postgres | None = None
        self._rabbitmq: RabbitMQ | None = None
        self._folder: Path | None = None
        self._versions = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Start the servers while the other processes look for the tests."""
        if any(name in os.environ for name in _GIVEN):
            return
        self._folder = Path(tempfile.mkdtemp(prefix="tamga-stand-", dir="/tmp"))
        self._folder.chmod(0o755)
        vhosts = tuple(name for number in range(self._processes) for name in vhosts_of(f"gw{number}"))
        self._rabbitmq = servers.broker(self._folder, vhosts)
        self._rabbitmq.start()
        self._postgres = servers.database_server(self._folder)
        self._postgres.start()
        loan = Loan(
            folder=str(self._folder),
            admin_url=self._postgres.admin_url,
            port=self._rabbitmq.port,
            distribution_port=self._rabbitmq.distribution_port,
            api_port=self._rabbitmq.api_port,
        )
        os.environ[VARIABLE] = json.dumps(asdict(loan))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Wait for the servers, before any test is handed out."""
        for server in (self._postgres, self._rabbitmq):
            if server:
                server.wait()
        if self._postgres and self._rabbitmq and not self._versions:
            self._versions = servers.versions(self._postgres, self._rabbitmq)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what the tests ran on."""
        if self._versions:
            terminalreporter.write_line(f"Servers: {self._versions}.")

    def pytest_unconfigure(self) -> None:
        """End the servers, with their data."""
        os.environ.pop(VARIABLE, None)
        servers.end(self._postgres, self._rabbitmq)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
