"""The tables of what is known about completeness: manifests with their verdicts, comparisons with live rows."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, String, Table, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from services.audit.storage.tables import metadata

manifests = Table(
    "manifest",
    metadata,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),  # of the event that tells it
    Column("source", String(40), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),  # ever
    Column("told_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("verdict", String(16), nullable=False),  # waiting | sound | missing | different | deleted
    Column("found", BigInteger, nullable=False, server_default="0"),
    Column("fresh_deleted", BigInteger, nullable=False, server_default="0"),  # since the manifest before
    Column("skew_ms", BigInteger, nullable=False, server_default="0"),
    Column("compared_at", DateTime(timezone=True)),
    Column("disputed_at", DateTime(timezone=True)),
)
Index("manifest_source", manifests.c.source, manifests.c.leaf_index)
Index("manifest_open", manifests.c.leaf_index, postgresql_where=text("verdict <> 'sound'"))

comparisons = Table(
    "comparison",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("started_at", DateTime(timezone=True), nullable=False, index=True),
    Column("finished_at", DateTime(timezone=True)),
    Column("by", String(200), nullable=False),
    Column("place", JSONB, nullable=False),  # how far it is: [service, table, id]
    Column("rows", BigInteger, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("found", Integer, nullable=False),
    Column("findings", JSONB, nullable=False),  # the first hundreds of them
)
