"""A throw-away database server and broker for tests, and fresh databases on it within milliseconds.

TAMGA_TEST_DATABASE_URL and TAMGA_TEST_AMQP_URL point to servers that run already. Otherwise they are those that all
processes of this run share, or private ones, started when first asked for, in a temporary folder, and ended for sure.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from shared.database import engine_for
from shared.infrastructure.databases import (
    admin_engine,
    at,
    drop_database,
    ensure_database,
    run,
)
from shared.infrastructure.names import app_role, owner_role
from shared.infrastructure.postgres import Postgres
from shared.infrastructure.rabbitmq import RabbitMQ
from shared.testing import servers
from shared.testing.shared_stand import Loan

VHOSTS = 32


class Stand:
    """The servers of one test session. Use as a context manager.

    `admin_url` is of a database server that is this stand's alone, with which nothing is shared.
    """

    def __init__(self, admin_url: str = "") -> None:
        self.token = secrets.token_hex(4)
        self._loan = None if admin_url else Loan.taken()
        shared = self._loan.admin_url if self._loan else os.environ.get("TAMGA_TEST_DATABASE_URL", "")
        self._admin_url = admin_url or shared
        self._given_amqp_url = os.environ.get("TAMGA_TEST_AMQP_URL", "")
        self._folder: Path | None = None
        self._postgres: Postgres | None = None
        self._rabbitmq: RabbitMQ | None = None
        self._templates: dict[str, str] = {}
        self._databases: list[str] = []
        self._engines: list[Engine] = []
        self._hosts = self._loan.vhosts() if self._loan else [f"tests-{number}" for number in range(VHOSTS)]
        self._vhosts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Return the temporary folder of this stand; servers' own users can reach it."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tamga-stand-", dir="/tmp"))
            self._folder.chmod(0o755)
        return self._folder

    @property
    def admin_url(self) -> str:
        """Return the superuser's URL of the database server, started at the first call."""
        if not self._admin_url:
            postgres = servers.database_server(self.folder)
            postgres.start()
            self._postgres = postgres
            postgres.wait()
            self._admin_url = postgres.admin_url
        return self._admin_url

    @property
    def rabbitmq(self) -> RabbitMQ:
        """Return the private broker, started at the first call; tests that stop brokers use their own."""
        if self._loan:
            return self._loan.rabbitmq
        if self._rabbitmq is None:
            node = servers.broker(self.folder, tuple(self._hosts))
            node.start()
            self._rabbitmq = node
            node.wait()
        return self._rabbitmq

    @property
    def amqp_url(self) -> str:
        """Return the URL of a virtual host that nobody used before.

        On a broker given by TAMGA_TEST_AMQP_URL it is the given host every time: name things uniquely.
        """
        if self._given_amqp_url:
            return self._given_amqp_url
        return self.rabbitmq.url(vhost=self.own_vhost())

    def own_vhost(self) -> str:
        """Return the name of a virtual host of the private broker that nobody used before."""
        if self._vhosts == len(self._hosts):
            raise RuntimeError(f"tests have used all {self._vhosts} virtual hosts of the stand: make more of them")
        self._vhosts += 1
        return self._hosts[self._vhosts - 1]

    def database(self, service: str) -> Engine:
        """Return an engine of a new database of `service`, connected as the role the service works as."""
        name = self.database_name(service)
        return self.engine(at(self.admin_url, database=name, user=app_role(service)))

    def engine(self, url: str) -> Engine:
        """Return an engine that is disposed of when the session ends."""
        engine = engine_for(url, pool_size=5)
        self._engines.append(engine)
        return engine

    def rest(self) -> None:
        """Give back the connections that nobody uses: each test would keep one, and the server has 600."""
        for engine in self._engines:
            engine.dispose()

    def database_name(self, service: str) -> str:
        """Make a new database of `service`, complete with its tables, and return its name."""
        if service not in self._templates:
            self._templates[service] = self._once(f"template-of-{service}", lambda: self._build_template(service))
        return self._copied(self._templates[service], service)

    def copy(self, engine: Engine, service: str) -> Engine:
        """Return an engine of a copy of a test's database: what takes long to tell is told once and had by many.

        Nobody else may be connected to it while it is copied.
        """
        engine.dispose()
        return self.engine(at(engine.url, database=self._copied(str(engine.url.database), service)))

    def _copied(self, template: str, service: str) -> str:
        name = f"test_{self.token}_{service}_{len(self._databases)}"
        with admin_engine(self.admin_url).connect() as connection:
            owner = owner_role(service)
            # On a server that never waits for its disk, to copy files takes less than half of what the log would.
            statement = "CREATE DATABASE {name} TEMPLATE {template} OWNER {owner} STRATEGY FILE_COPY"
            run(connection, statement, name=name, template=template, owner=owner)
            run(connection, "GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {app}", name=name, app=app_role(service))
        self._databases.append(name)
        return name

    def bare_database(self, service: str) -> str:
        """Make a database of `service` with its roles and no tables, and return its name."""
        name = f"test_{self.token}_{service}_{len(self._databases)}"

        def make() -> str:
            ensure_database(self.admin_url, name, service)
            return name

        self._databases.append(self._once(name, make))
        return name

    def _once(self, name: str, make: Callable[[], str]) -> str:
        return self._loan.once(name, make) if self._loan else make()

    @contextmanager
    def empty_database(self) -> Iterator[Engine]:
        """Give an engine of a new database without tables, as superuser; dropped when the block ends."""
        name = f"test_{self.token}_empty_{secrets.token_hex(3)}"
        with admin_engine(self.admin_url).connect() as connection:
            run(connection, "CREATE DATABASE {name}", name=name)
        engine = engine_for(at(self.admin_url, database=name), pool_size=5)
        try:
            yield engine
        finally:
            engine.dispose()
            drop_database(self.admin_url, name)

    def owner(self, database: str, service: str) -> Engine:
        """Return an engine of a database of this stand, connected as the tables' owner."""
        return create_engine(at(self.admin_url, database=database, user=owner_role(service)), poolclass=NullPool)

    def superuser(self, engine: Engine) -> Engine:
        """Return an engine of the same database that may do everything: for tampering in tests."""
        return create_engine(at(self.admin_url, database=str(engine.url.database)), poolclass=NullPool)

    def _build_template(self, service: str) -> str:
        from shared import migrations  # noqa: PLC0415 - alembic is slow to import and not every test asks

        name = f"test_{self.token}_{service}_template"
        ensure_database(self.admin_url, name, service)
        self._databases.append(name)
        with self.owner(name, service).begin() as connection:
            if migrations.has_versions(service):
                migrations.upgrade(service, connection, months_ahead=1)  # each costs every database some files
            else:
                migrations.create(service, connection)
        return name

    def close(self) -> None:
        """Drop every database, end every server, remove the folder."""
        for engine in self._engines:
            engine.dispose()
        if self._postgres is None and self._admin_url and not self._loan:
            for name in self._databases:
                drop_database(self._admin_url, name)
        self._databases, self._templates = [], {}
        servers.end(self._postgres, self._rabbitmq)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
