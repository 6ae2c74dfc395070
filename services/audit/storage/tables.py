"""The tables of the log. What belongs to the log can be added to and read, by the app role nothing else."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database import entity_table, service_metadata

metadata = service_metadata()
APPEND_ONLY = {"app_may": "SELECT, INSERT"}

events = Table(
    "event",
    metadata,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("source", String(40), nullable=False),
    Column("position", BigInteger),  # an audit.event.rejected of our own has none
    Column("type", String(120), nullable=False),
    Column("version", Integer, nullable=False),
    Column("entity", String(160), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("actor_id", String(120), nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("role", String(80)),
    Column("organisation", String(120)),
    Column("on_behalf_of", String(120)),
    Column("session", String(120)),
    Column("programme", String(80)),
    Column("case", String(80)),
    Column("outcome", String(16), nullable=False),
    Column("correlation_id", Uuid, nullable=False),
    Column("causation_id", Uuid),
    Column("traceparent", String(64)),
    Column("summary", Text, nullable=False),
    # Canonical JSON as text, not jsonb: the leaf has the hash of these very bytes.
    Column("body", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=False),  # empty: it follows from the columns; stored by former releases
    Column("marks", LargeBinary),  # which column was altered, if one was: see domain.leaf
    Column("leaf_hash", LargeBinary, nullable=False),
    CheckConstraint("octet_length(leaf_hash) = 32", name="leaf_hash_is_sha256"),
    info=APPEND_ONLY,
)
# Lists are filtered by one of these and read backwards from the newest leaf: an index that grows at its groups' ends
# stays half as large as one that grows at their beginnings.
# By a hash of the id: half as long as the id itself, and as good for asking who it was.
Index("event_actor", func.hashtextextended(events.c.actor_id, text("0")), events.c.leaf_index)
Index("event_type", events.c.type, events.c.leaf_index)
Index("event_case", events.c["case"], events.c.leaf_index)
Index("event_organisation", events.c.organisation, events.c.leaf_index)
Index("event_programme", events.c.programme, events.c.leaf_index)
Index("event_refused", events.c.leaf_index, postgresql_where=text("outcome <> 'success'"))
Index("event_correlation", events.c.correlation_id, events.c.leaf_index)
Index("event_occurred", events.c.occurred_at)
Index("event_position", events.c.source, events.c.position)
Index("event_entity", events.c.source, events.c.entity, events.c.sequence)
# An expression, not a stored column: what is not stored can't be altered.
# With the stretch of the log in which a row is, so that what is frequent can be looked for stretch by stretch.
Index("event_words", func.log_words(events.c.leaf_index, events.c.summary), postgresql_using="gin")
Index(
    "event_changes",
    func.log_changes(events.c.leaf_index, events.c.body).label("changes"),
    postgresql_using="gin",
    postgresql_ops={"changes": "jsonb_path_ops"},
    # What waits to be sorted in leaves its room behind: of this index it would be more than the index itself.
    postgresql_with={"gin_pending_list_limit": 512},
)

tiles = Table(
    "tile",
    metadata,
    # Level 0 holds leaf hashes, level 1 the roots of level 0, and so on; 256 hashes each, complete ones only.
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    CheckConstraint("octet_length(hashes) = 8192", name="tile_is_complete"),
    info=APPEND_ONLY,
)

heads = Table(
    "tree_head",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("compact", LargeBinary, nullable=False),
    info=APPEND_ONLY,
)

checkpoints = Table(
    "checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("signed_at", DateTime(timezone=True), nullable=False),
    info=APPEND_ONLY,
)

rejected = Table(
    "rejected",
    metadata,
    Column("event_id", Uuid, primary_key=True),  # of the audit.event.rejected that proves it
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    info=APPEND_ONLY,
)

verifications = Table(
    "verification",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False, index=True),
    Column("whole", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", String(64), nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("report", JSONB, nullable=False),
    info=APPEND_ONLY,
)

holds = entity_table(
    "hold",
    metadata,
    Column("scope", String(16), nullable=False),
    Column("which", String(120), nullable=False),
    Column("open", Boolean, nullable=False),
    Index("hold_open", "scope", "which", postgresql_where=text("open")),
)
erasures = entity_table(
    "erasure",
    metadata,
    Column("stage", String(16), nullable=False),
    Index("erasure_recent", "updated_at", "id"),
)
saved_searches = entity_table(
    "saved_search",
    metadata,
    Column("owner", String(120), nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("dropped", Boolean, nullable=False),
    Index("saved_search_seen", "owner", postgresql_where=text("NOT dropped")),
    Index("saved_search_shared", "shared", postgresql_where=text("shared AND NOT dropped")),
)

exports = entity_table(
    "export",
    metadata,
    Column("by", String(120), nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Index("export_newest", "asked_at"),
)

REFUSE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""


def guard(table: str) -> str:
    """Return the statement that makes a table refuse every change but an insert, whoever asks."""
    return (
        f'CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}"'
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


STRETCH = 14  # bits: what is indexed by words and by changes is so by stretches of 16,384 leaves, too
# The planner believes that making a tsvector costs next to nothing, and then makes one for every row it passes.
WORDS = """
CREATE OR REPLACE FUNCTION log_words(text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    RETURN to_tsvector('simple', $1);
END $$
"""
# The stretch is a word with a space before it: no text has such words.
STRETCHED_WORDS = f"""
CREATE OR REPLACE FUNCTION log_words(leaf_index bigint, summary text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    RETURN to_tsvector('simple', summary) || array_to_tsvector(ARRAY[' ' || (leaf_index >> {STRETCH})]);
END $$
"""
# What an event changed, {field: [before, after]}, and under "" the fields' names: the index keeps values with their
# names, no names alone. Jsonb has no NUL character; a body that was ruined has no changes.
CHANGES = r"""
CREATE OR REPLACE FUNCTION log_changes(body text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE COST 1000 AS $$
DECLARE
  changes jsonb;
BEGIN
  changes := CAST(body AS jsonb) -> 'changes';
  RETURN changes || jsonb_build_object('', jsonb_path_query_array(changes, '$.keyvalue().key'));
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  IF strpos(body, '\u0000') > 0 THEN
    RETURN public.log_changes(replace(body, '\u0000', '\ufffd'));
  END IF;
  RETURN NULL;
END $$
"""
STRETCHED_CHANGES = f"""
CREATE OR REPLACE FUNCTION log_changes(leaf_index bigint, body text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE COST 1000 AS $$
DECLARE
  changes jsonb;
BEGIN
  changes := public.log_changes(body);
  RETURN changes || jsonb_build_object('', (changes -> '') || to_jsonb(leaf_index >> {STRETCH}));
END $$
"""
LOG: tuple[Table, ...] = (events, tiles, heads, checkpoints, rejected, verifications)


def _guarded() -> None:
    for function in (WORDS, CHANGES, STRETCHED_WORDS, STRETCHED_CHANGES):
        event.listen(events, "before_create", DDL(function.replace("%", "%%")))  # type: ignore[no-untyped-call]
    for table in LOG:
        for statement in (REFUSE, guard(table.name)):
            event.listen(table, "after_create", DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]


_guarded()
