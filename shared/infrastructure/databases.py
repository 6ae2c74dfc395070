"""Per service a database, an owner role for migrations, and an app role that may only change rows.

The app role gets rows of every table by default privileges. A table that it may do less with says so
itself: `Table(..., info={"app_may": "SELECT, INSERT"})`; `restrict` applies that after every migration.
"""

from __future__ import annotations

from psycopg import sql
from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool

from shared.infrastructure.names import app_role, owner_role

ROWS = "SELECT, INSERT, UPDATE, DELETE"


def admin_engine(url: str | URL) -> Engine:
    """Return an engine whose every statement stands alone, as CREATE DATABASE wants it."""
    return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)


def at(url: str | URL, *, database: str, user: str | None = None, password: str | None = None) -> str:
    """Return `url` for another database and, if given, another user."""
    parts = make_url(url).set(database=database)
    if user is not None:
        parts = parts.set(username=user)
        parts = parts.set(password=password) if password else parts._replace(password=None)
    return parts.render_as_string(hide_password=False)


def run(connection: Connection, statement: str, **names: str) -> None:
    """Run one administrative statement; {name} is quoted as an identifier, {name_text} as a literal."""
    parts = {
        name: sql.Literal(value) if name.endswith("_text") else sql.Identifier(value) for name, value in names.items()
    }
    composed = sql.SQL(statement).format(**parts).as_string(None)
    connection.exec_driver_sql(composed.replace("%", "%%"))


def ensure_role(connection: Connection, role: str, password: str | None) -> None:
    """Make a role that may sign in, or give the one there is this password."""
    # Two sessions may both find it missing: one of them then finds it made.
    run(
        connection,
        "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        role=role,
    )
    if password:
        run(connection, "ALTER ROLE {role} PASSWORD {password_text}", role=role, password_text=password)


def ensure_database(admin_url: str, database: str, service: str, passwords: dict[str, str] | None = None) -> None:
    """Make a service's database with its two roles and their rights; harmless when all is there already."""
    owner, app = owner_role(service), app_role(service)
    secrets = passwords or {}
    engine = admin_engine(admin_url)
    with engine.connect() as connection:
        for role in (owner, app):
            ensure_role(connection, role, secrets.get(role))
        there = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(there, {"name": database}).scalar() is None:
            run(connection, "GRANT {owner} TO CURRENT_USER", owner=owner)
            run(connection, "CREATE DATABASE {database} OWNER {owner}", database=database, owner=owner)
        run(connection, "REVOKE ALL ON DATABASE {database} FROM PUBLIC", database=database)
        # Temporary tables are for rebuilding a projection beside the live one.
        run(connection, "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {app}", database=database, app=app)
    with admin_engine(at(admin_url, database=database)).connect() as connection:
        defaults = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT "
        run(connection, defaults + ROWS + " ON TABLES TO {app}", owner=owner, app=app)
        run(connection, defaults + "USAGE, SELECT ON SEQUENCES TO {app}", owner=owner, app=app)


def restrict(connection: Connection, metadata: MetaData, service: str) -> None:
    """Give the app role exactly what each table of `metadata` says that it may; run as the owner."""
    app, there = app_role(service), set(inspect(connection).get_table_names())
    # A table may be declared before its version is written: that is how versions are made.
    for table in (declared for declared in metadata.sorted_tables if declared.name in there):
        run(connection, "REVOKE ALL ON {table} FROM {app}", table=table.name, app=app)
        run(connection, "GRANT " + table.info.get("app_may", ROWS) + " ON {table} TO {app}", table=table.name, app=app)


def drop_database(admin_url: str, database: str) -> None:
    """Drop a database with whoever is connected to it."""
    with admin_engine(admin_url).connect() as connection:
        run(connection, "DROP DATABASE IF EXISTS {database} WITH (FORCE)", database=database)
