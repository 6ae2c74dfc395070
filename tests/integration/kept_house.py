"""A house to be backed up: the five services' databases with acts in them, documents, keys, and a log of it all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from services.audit import handlers
from services.audit.handlers.signing import sign_checkpoint
from services.audit.keys import Keys
from services.backup import place
from services.backup.creating import Created, create
from services.backup.reviving import Backup
from shared.database import Context, UnitOfWork, system
from shared.documents import DocumentStore
from shared.events import Actor, Envelope
from shared.events.envelope import Body
from shared.events.portal import RecordViewed
from shared.infrastructure.databases import at
from shared.infrastructure.names import app_role, owner_role
from shared.messaging import batch
from shared.messaging.wire import encode
from shared.safekeeping.showing import Steps
from shared.settings import SERVICES, Settings
from shared.testing.stand import Stand

OPERATOR = Actor(id="operator:test", kind="person", name="Test", role="operator")
_RIGHTS = text("""
SELECT 'table' AS kind, c.relname AS name, pg_get_userbyid(c.relowner) AS owner, c.relacl::text AS rights
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition
UNION ALL SELECT 'default', d.defaclobjtype::text, pg_get_userbyid(d.defaclrole), d.defaclacl::text
FROM pg_default_acl d
UNION ALL SELECT 'function', p.proname, pg_get_userbyid(p.proowner), p.proacl::text FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
""")


class House:
    """The databases of a stand, a home folder, and what an operator does with them."""

    def __init__(self, stand: Stand, home: Path, amqp_url: str) -> None:
        self.stand, self.home = stand, home
        self.names = {service: stand.database_name(service) for service in SERVICES}
        self.settings = Settings(
            home=home,
            database_urls=self._urls(app_role),
            owner_database_urls=self._urls(owner_role),
            database_admin_url=stand.admin_url,
            amqp_admin_url=amqp_url,
            amqp_urls=dict.fromkeys(SERVICES, amqp_url),
        )

    def _urls(self, role: Any) -> dict[str, str]:
        return {
            service: at(self.stand.admin_url, database=name, user=role(service)) for service, name in self.names.items()
        }

    def engine(self, service: str) -> Engine:
        """Return an engine as the role that the service works as."""
        return create_engine(self.settings.database_urls[service], poolclass=NullPool)

    def act(self, count: int = 1, service: str = "portal") -> None:
        """Commit so many acts; nobody but the record wants to know of them."""
        with UnitOfWork(self.engine(service), service, Context(actor=system(service))) as uow:
            for _ in range(count):
                uow.record(RecordViewed(record="user", what="all of it"), entity=f"record:{uow.ids()}")

    def carry(self, *, lose: int = 0) -> None:
        """Bring what was committed into the log and sign it; the last `lose` of it stay on their way."""
        source, rows = self.engine("portal"), []
        with source.begin() as connection:
            rows = connection.execute(text("SELECT * FROM outbox WHERE published_at IS NULL ORDER BY row")).all()
            first = connection.execute(text("SELECT coalesce(max(position), 0) FROM outbox")).scalar_one() + 1
            for position, row in enumerate(rows, first):
                connection.execute(
                    text("UPDATE outbox SET position = :position, published_at = recorded_at WHERE row = :row"),
                    {"position": position, "row": row.row},
                )
        envelopes = [_envelope(row, position) for position, row in enumerate(rows, first)]
        raws = [encode(envelope) for envelope in envelopes[: len(envelopes) - lose]]
        batch.handle_batch(self.engine("audit"), "audit", handlers.append, raws)
        with self.engine("audit").begin() as connection:
            sign_checkpoint(connection, Keys.of(self.settings))

    def document(self, content: bytes = b"%PDF-1.7 a plan") -> str:
        """Store a document; returns its hash."""
        return DocumentStore(self.settings.documents_folder).put("plan.pdf", BytesIO(content)).sha256

    def backup(self) -> Created:
        """Make a backup."""
        return create(self.settings, OPERATOR, Steps())

    def file(self, made: Created) -> Backup:
        """Return a backup that was made, with its key."""
        return Backup(self.settings.backups_folder / made.file, place.key_of(self.settings))

    def rows(self, query: str, service: str = "portal") -> list[tuple[Any, ...]]:
        """Return what a query of one database answers, asked as its server's administrator."""
        with create_engine(
            at(self.stand.admin_url, database=self.names[service]), poolclass=NullPool
        ).connect() as all_:
            return [tuple(row) for row in all_.execute(text(query))]

    def rights(self) -> dict[str, list[Any]]:
        """Return who owns what in each database, and who may do what."""
        found = {}
        for service, name in self.names.items():
            with create_engine(at(self.stand.admin_url, database=name), poolclass=NullPool).connect() as connection:
                found[service] = [tuple(row) for row in connection.execute(_RIGHTS)]
        return found

    def databases(self) -> set[str]:
        """Return the names of the databases that have to do with this house."""
        with create_engine(self.stand.admin_url, poolclass=NullPool).connect() as connection:
            there = connection.execute(text("SELECT datname FROM pg_database")).scalars().all()
        return {name for name in there if any(f"{name}_".startswith(f"{own}_") for own in self.names.values())}


def _envelope(row: Any, position: int) -> Envelope:
    return Envelope(
        id=row.id,
        source="portal",
        type=row.type,
        version=row.version,
        entity=row.entity,
        sequence=row.sequence,
        position=position,
        time=row.time,
        correlation_id=row.correlation_id,
        body=Body(**row.body),
    )
