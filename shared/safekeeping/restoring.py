"""Databases of a backup on a server again: filled under other names first, then renamed, all of them or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from shared.infrastructure.databases import admin_engine, at, drop_database, ensure_role, run
from shared.infrastructure.names import app_role, owner_role
from shared.safekeeping.refusals import SafekeepingError

_ONE_AT_A_TIME = 0x7461_6D67_6172  # an advisory lock of the server
_CONNECTED = text("""
SELECT DISTINCT coalesce(nullif(application_name, ''), usename, 'unknown') FROM pg_stat_activity
WHERE datname = ANY(:names) AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY 1
""")
_THERE = text("SELECT datname FROM pg_database WHERE datname = ANY(:names)")
_TABLES = text("SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')")
_SERVER = text("""
SELECT current_setting('server_version_num')::int / 10000 AS major,
  pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only
""")


@dataclass(frozen=True)
class Server:
    """A database server, as its administrator, and the passwords of the services' roles (none: as they are)."""

    admin_url: str
    passwords: Mapping[str, str]

    def major(self) -> int:
        """Return its major version; raises SafekeepingError when it is away or may only be read."""
        try:
            with admin_engine(self.admin_url).connect() as connection:
                found = connection.execute(_SERVER).one()
        except OperationalError as error:
            where = make_url(self.admin_url)
            raise SafekeepingError(
                f"The database server at {where.host}:{where.port or 5432} takes no connection"
                f" ({reason(error)}): start it, or correct its address and password."
            ) from error
        if found.read_only:
            raise SafekeepingError(
                "The database server may only be read: it is a standby, or default_transaction_read_only is on;"
                " use the primary, or switch that off."
            )
        return int(found.major)

    def connected(self, services: Mapping[str, str]) -> list[str]:
        """Return who is connected to these databases ({service: name})."""
        with admin_engine(self.admin_url).connect() as connection:
            return list(connection.execute(_CONNECTED, {"names": list(services.values())}).scalars())

    def filled(self, services: Mapping[str, str]) -> list[str]:
        """Return which of these databases have tables."""
        with admin_engine(self.admin_url).connect() as connection:
            there = connection.execute(_THERE, {"names": list(services.values())}).scalars().all()
        found = []
        for name in there:
            with admin_engine(at(self.admin_url, database=name)).connect() as connection:
                if connection.execute(_TABLES).scalar_one():
                    found.append(name)
        return sorted(found)

    def owner_url(self, service: str, database: str) -> str:
        """Return the URL of a database with the role that owns its tables."""
        role = owner_role(service)
        return at(self.admin_url, database=database, user=role, password=self.passwords.get(role))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the server against a second restore or drill; raises SafekeepingError."""
        with admin_engine(self.admin_url).connect() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _ONE_AT_A_TIME}).scalar():
                raise SafekeepingError("Another restore or drill is under way on this server: wait until it is done.")
            yield

    @contextmanager
    def scratch(self, names: Mapping[str, str]) -> Iterator[None]:
        """Make empty databases ({service: name}), owned as the real ones, and drop what is left of them at the end."""
        with ExitStack() as made, admin_engine(self.admin_url).connect() as connection:
            for service, name in names.items():
                self._make_empty(connection, service, name)
                made.callback(drop_database, self.admin_url, name)
            yield

    def _make_empty(self, connection: Connection, service: str, name: str) -> None:
        owner, app = owner_role(service), app_role(service)
        for role in (owner, app):
            ensure_role(connection, role, self.passwords.get(role))
        drop_database(self.admin_url, name)  # of a restore that was killed
        run(connection, "GRANT {owner} TO CURRENT_USER", owner=owner)
        run(connection, "CREATE DATABASE {name} OWNER {owner} TEMPLATE template0", name=name, owner=owner)
        run(connection, "REVOKE ALL ON DATABASE {name} FROM PUBLIC", name=name)

    def put_in_place(self, names: Mapping[str, str], live: Mapping[str, str], aside: str) -> list[str]:
        """Give restored databases ({service: name}) their live names, in one transaction.

        Those that are there already get the name with `aside` at its end; returns those. Raises SafekeepingError
        when somebody has connected to one meanwhile: then nothing has changed.
        """
        engine = create_engine(self.admin_url, poolclass=NullPool)
        moved = []
        try:
            with engine.begin() as connection:
                there = connection.execute(_THERE, {"names": list(live.values())}).scalars().all()
                for service, name in names.items():
                    own = live[service]
                    if own in there:
                        run(connection, "ALTER DATABASE {own} RENAME TO {aside}", own=own, aside=own + aside)
                        moved.append(own + aside)
                    run(connection, "ALTER DATABASE {name} RENAME TO {own}", name=name, own=own)
        except DBAPIError as error:
            raise SafekeepingError(
                f"The restored databases can't take their names ({reason(error)}): stop whoever uses them, then again."
            ) from error
        return moved

    def drop(self, names: list[str]) -> None:
        """Drop databases."""
        for name in names:
            drop_database(self.admin_url, name)


def reason(error: DBAPIError) -> str:
    """Return what the server says, on one line."""
    return " ".join(str(error.orig).split())[:200]
