"""What a backup says of itself: at its beginning whose it is and of when, at its end what has to be in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, text

FORMAT = 1
ABOUT, MANIFEST = "about.json", "manifest.json"
_TABLES = text("""
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
  AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname
""")
_SERVER = text("SELECT current_setting('server_version_num')::int / 10000")
_REVISION = text("SELECT version_num FROM alembic_version")
_POSITION = text("SELECT last FROM outbox_position")
_NEWEST = text("SELECT recorded_at FROM outbox ORDER BY row DESC LIMIT 1")
_BYTES = text("""
SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
""")


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class Database(_Fact):
    """One database at the moment of the backup."""

    server: int  # PostgreSQL's major version
    revision: str | None  # of its tables
    position: int  # the last number that its events had
    newest: datetime | None  # when the newest of them was written
    rows: dict[str, int]
    bytes: int


class About(_Fact):
    """Whose backup it is, of which moment; the first part of the file."""

    format: int = FORMAT
    version: str
    at: datetime
    waited_seconds: float  # for how long writers waited at most
    databases: dict[str, Database]
    facts: dict[str, Any] = {}

    @property
    def events(self) -> int:
        """Return how many events are in all outboxes."""
        return sum(database.rows.get("outbox", 0) for database in self.databases.values())

    @property
    def newest(self) -> datetime | None:
        """Return when the newest event of all was written."""
        return max((database.newest for database in self.databases.values() if database.newest), default=None)


class Part(_Fact):
    """One part of the file."""

    bytes: int
    sha256: str


class Manifest(_Fact):
    """What has to be in the file; the last part of it. Documents are named by their hashes, so a count is enough."""

    parts: dict[str, Part]
    documents: int
    documents_bytes: int


def seen(connection: Connection) -> Database:
    """Return the facts of a database, as one snapshot sees it."""
    rows = counted(connection)
    server: int = connection.execute(_SERVER).scalar_one()
    return Database(
        server=server,
        revision=connection.execute(_REVISION).scalar() if "alembic_version" in rows else None,
        position=(connection.execute(_POSITION).scalar() or 0) if "outbox_position" in rows else 0,
        newest=connection.execute(_NEWEST).scalar() if "outbox" in rows else None,
        rows=rows,
        bytes=connection.execute(_BYTES).scalar_one(),
    )


def counted(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has."""
    names = connection.execute(_TABLES).scalars().all()
    return {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names}  # noqa: S608 - the catalogue's names
