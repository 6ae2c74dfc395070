"""The messaging tables that every service's own database has."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.messaging.partitions import partitioned


def outbox_tables(metadata: MetaData) -> None:
    """Add the tables of a service that publishes."""
    outbox = Table(
        "outbox",
        metadata,
        # Order of insertion, not of commit: only `position`, given by the one leader relay, is gapless.
        Column("row", BigInteger, Identity(always=True), primary_key=True),
        Column("id", Uuid, nullable=False),
        Column("type", String(120), nullable=False),
        Column("version", Integer, nullable=False),
        Column("entity", String(160), nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("position", BigInteger),
        Column("time", DateTime(timezone=True), nullable=False),
        Column("correlation_id", Uuid, nullable=False, index=True),
        Column("causation_id", Uuid),
        Column("traceparent", String(64)),
        Column("programme", String(80)),
        Column("case", String(80)),
        Column("outcome", String(16), nullable=False),
        Column("body", JSONB, nullable=False),
        Column("not_before", DateTime(timezone=True)),
        # When the row was written, by the database's clock: its partition, and the beginning of commit-to-handled.
        Column("recorded_at", DateTime(timezone=True), primary_key=True, server_default=text("clock_timestamp()")),
        Column("published_at", DateTime(timezone=True)),
        # Why the broker would not take it, and when the relay tries again.
        Column("held_reason", Text),
        Column("held_until", DateTime(timezone=True)),
        Index("outbox_unpublished", "row", postgresql_where=text("published_at IS NULL")),
        Index(
            "outbox_waiting",
            "entity",
            "sequence",
            postgresql_where=text("published_at IS NULL AND (not_before IS NOT NULL OR held_until IS NOT NULL)"),
        ),
        Index("outbox_case", "case", "row"),
        # Each partition has its own unique indexes on id, entity and sequence, and position: see `partitions`.
        postgresql_partition_by="RANGE (recorded_at)",
    )
    partitioned(outbox)
    # What was in partitions that are gone: by type, how many and the sum of their hashed ids, for reconciling.
    Table(
        "outbox_dropped",
        metadata,
        Column("partition", String(40), primary_key=True),
        Column("type", String(120), primary_key=True),
        Column("events", BigInteger, nullable=False),
        Column("sum", Numeric, nullable=False),
        Column("first_at", DateTime(timezone=True), nullable=False),
        Column("last_at", DateTime(timezone=True), nullable=False),
        Column("dropped_at", DateTime(timezone=True), nullable=False),
        Column("dropped_by", String(120), nullable=False),
    )
    Table(
        "outbox_sequence",
        metadata,
        Column("entity", String(160), primary_key=True),
        Column("last", BigInteger, nullable=False),
    )
    Table(
        "outbox_position",
        metadata,
        Column("source", String(40), primary_key=True),
        Column("last", BigInteger, nullable=False),
        # The rows that have the last numbers, in their order: on their way, until each of them has its number itself.
        Column("run", ARRAY(BigInteger)),
    )
    Table(
        "reference_counter",
        metadata,
        Column("prefix", String(40), primary_key=True),
        Column("last", BigInteger, nullable=False),
    )


def inbox_tables(metadata: MetaData) -> None:
    """Add the tables of a service that consumes."""
    Table(
        "inbox",
        metadata,
        Column("consumer", String(40), primary_key=True),
        Column("event_id", Uuid, primary_key=True),
        Column("source", String(40), nullable=False),
        Column("type", String(120), nullable=False),
        Column("entity", String(160), nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("position", BigInteger),
        Column("correlation_id", Uuid, index=True),
        Column("handled_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    )
    Table(
        "inbox_head",
        metadata,
        Column("consumer", String(40), primary_key=True),
        # "source/kind:id": two services may have entities of one name.
        Column("entity", String(200), primary_key=True),
        Column("last_sequence", BigInteger, nullable=False),
    )
    Table(
        "inbox_parked",
        metadata,
        Column("consumer", String(40), primary_key=True),
        Column("event_id", Uuid, primary_key=True),
        Column("entity", String(200), nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("position", BigInteger),
        Column("why", String(16), nullable=False),  # gap | retry
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("not_before", DateTime(timezone=True)),
        Column("parked_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
        Column("headers", JSONB, nullable=False),
        Column("routing_key", String(255), nullable=False, server_default=""),
        Column("user_id", String(255)),
        Column("body", LargeBinary, nullable=False),
        Column("last_error", Text),
        Index("inbox_parked_due", "consumer", "not_before"),
        Index("inbox_parked_entity", "consumer", "entity", "sequence"),
    )
    # How far a consumer of whole sources has come with each: what it lacks below is in inbox_gap.
    Table(
        "inbox_source",
        metadata,
        Column("consumer", String(40), primary_key=True),
        Column("source", String(40), primary_key=True),
        Column("last_position", BigInteger, nullable=False),
    )
    # Numbers that never came, although later ones did; `last` stays while a gap is filled from its beginning.
    Table(
        "inbox_gap",
        metadata,
        Column("consumer", String(40), primary_key=True),
        Column("entity", String(200), primary_key=True),  # the source alone, where positions are counted
        Column("last", BigInteger, primary_key=True),
        Column("first", BigInteger, nullable=False),
        Column("source", String(40), nullable=False),
        Column("since", DateTime(timezone=True), nullable=False),
        Column("alarmed_at", DateTime(timezone=True)),
        Column("asked", Integer, nullable=False, server_default="0"),
        Column("asked_at", DateTime(timezone=True)),
        # What the source said last: how many it sent again, and how many it does not have.
        Column("answered_at", DateTime(timezone=True)),
        Column("sent", Integer, nullable=False, server_default="0"),
        Column("absent", Integer, nullable=False, server_default="0"),
        Column("closed_at", DateTime(timezone=True)),
    )
    Table(
        "quarantine",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("consumer", String(40), nullable=False),
        Column("event_id", Uuid),  # unknown when the envelope itself can't be read
        Column("entity", String(200)),
        Column("sequence", BigInteger),
        Column("position", BigInteger),
        Column("type", String(120)),
        Column("routing_key", String(255), nullable=False, server_default=""),
        Column("user_id", String(255)),
        Column("headers", JSONB, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("error", Text, nullable=False),
        Column("traceback", Text, nullable=False),
        Column("fingerprint", String(300), nullable=False, index=True),
        Column("attempts", Integer, nullable=False),
        Column("consumer_version", String(40), nullable=False),
        Column("first_seen", DateTime(timezone=True), nullable=False),
        Column("last_seen", DateTime(timezone=True), nullable=False),
        # The failure that brought it here; those above are the latest one's.
        Column("first_error", Text),
        Column("first_traceback", Text),
        Column("first_version", String(40)),
        Column("replays", Integer, nullable=False, server_default="0"),
        Column("replayed_by", String(120)),
        Column("replayed_at", DateTime(timezone=True)),
        Column("replay_result", String(16)),  # waiting | applied | duplicate | failed
        Column("replay_result_at", DateTime(timezone=True)),
        Column("state", String(16), nullable=False, index=True),  # held | replayed | discarded
        Column("settled_by", String(120)),
        Column("settled_at", DateTime(timezone=True)),
        Column("settled_reason", Text),
        UniqueConstraint("consumer", "event_id"),
    )
