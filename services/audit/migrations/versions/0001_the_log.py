"""The log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REFUSE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
WORDS = """
CREATE OR REPLACE FUNCTION log_words(text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    RETURN to_tsvector('simple', $1);
END $$
"""
LOG = ("event", "tile", "tree_head", "checkpoint", "rejected", "verification")


def guard() -> None:
    op.execute(REFUSE)
    for table in LOG:
        op.execute(
            f'CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}"'
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def upgrade() -> None:
    op.execute(WORDS)
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("checkpoint_pk")),
        info={"app_may": "SELECT, INSERT"},
    )
    op.create_table(
        "event",
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.String(length=120), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entity", sa.String(length=160), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.String(length=120), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=80), nullable=True),
        sa.Column("organisation", sa.String(length=120), nullable=True),
        sa.Column("on_behalf_of", sa.String(length=120), nullable=True),
        sa.Column("session", sa.String(length=120), nullable=True),
        sa.Column("programme", sa.String(length=80), nullable=True),
        sa.Column("case", sa.String(length=80), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("correlation_id", sa.Uuid(), nullable=False),
        sa.Column("causation_id", sa.Uuid(), nullable=True),
        sa.Column("traceparent", sa.String(length=64), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(leaf_hash) = 32", name=op.f("event_leaf_hash_is_sha256_ck")),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("event_pk")),
        sa.UniqueConstraint("event_id", name=op.f("event_event_id_uq")),
        info={"app_may": "SELECT, INSERT"},
    )
    op.create_index("event_actor", "event", ["actor_id", sa.literal_column("leaf_index DESC")], unique=False)
    op.create_index("event_case", "event", ["case", sa.literal_column("leaf_index DESC")], unique=False)
    op.create_index("event_correlation", "event", ["correlation_id", "leaf_index"], unique=False)
    op.create_index("event_entity", "event", ["source", "entity", "sequence"], unique=False)
    op.create_index("event_occurred", "event", ["occurred_at"], unique=False)
    op.create_index("event_organisation", "event", ["organisation", sa.literal_column("leaf_index DESC")], unique=False)
    op.create_index("event_position", "event", ["source", "position"], unique=False)
    op.create_index("event_programme", "event", ["programme", sa.literal_column("leaf_index DESC")], unique=False)
    op.create_index(
        "event_refused",
        "event",
        [sa.literal_column("leaf_index DESC")],
        unique=False,
        postgresql_where=sa.text("outcome <> 'success'"),
    )
    op.create_index("event_type", "event", ["type", sa.literal_column("leaf_index DESC")], unique=False)
    op.create_index(
        "event_words", "event", [sa.literal_column("log_words(summary)")], unique=False, postgresql_using="gin"
    )
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=120), nullable=False),
        sa.Column("entity", sa.String(length=160), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("correlation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "handled_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("inbox_pk")),
    )
    op.create_index(op.f("inbox_correlation_id_ix"), "inbox", ["correlation_id"], unique=False)
    op.create_table(
        "inbox_head",
        sa.Column("consumer", sa.String(length=40), nullable=False),
        sa.Column("entity", sa.String(length=200), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "entity", name=op.f("inbox_head_pk")),
    )
    op.create_table(
        "inbox_parked",
        sa.Column("consumer", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("entity", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("routing_key", sa.String(length=255), server_default="", nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("inbox_parked_pk")),
    )
    op.create_index("inbox_parked_due", "inbox_parked", ["consumer", "not_before"], unique=False)
    op.create_index("inbox_parked_entity", "inbox_parked", ["consumer", "entity", "sequence"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("row", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=120), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entity", sa.String(length=160), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("correlation_id", sa.Uuid(), nullable=False),
        sa.Column("causation_id", sa.Uuid(), nullable=True),
        sa.Column("traceparent", sa.String(length=64), nullable=True),
        sa.Column("programme", sa.String(length=80), nullable=True),
        sa.Column("case", sa.String(length=80), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("outbox_pk")),
        sa.UniqueConstraint("entity", "sequence", name=op.f("outbox_entity_sequence_uq")),
        sa.UniqueConstraint("id", name=op.f("outbox_id_uq")),
        sa.UniqueConstraint("position", name=op.f("outbox_position_uq")),
    )
    op.create_index("outbox_case", "outbox", ["case", "row"], unique=False)
    op.create_index(op.f("outbox_correlation_id_ix"), "outbox", ["correlation_id"], unique=False)
    op.create_index(
        "outbox_unpublished", "outbox", ["row"], unique=False, postgresql_where=sa.text("published_at IS NULL")
    )
    op.create_index(
        "outbox_waiting",
        "outbox",
        ["entity", "sequence"],
        unique=False,
        postgresql_where=sa.text("published_at IS NULL AND (not_before IS NOT NULL OR held_until IS NOT NULL)"),
    )
    op.create_table(
        "outbox_position",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("outbox_position_pk")),
    )
    op.create_table(
        "outbox_sequence",
        sa.Column("entity", sa.String(length=160), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entity", name=op.f("outbox_sequence_pk")),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("consumer", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("entity", sa.String(length=200), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.String(length=120), nullable=True),
        sa.Column("routing_key", sa.String(length=255), server_default="", nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("traceback", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=300), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("consumer_version", sa.String(length=40), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("settled_by", sa.String(length=120), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("quarantine_pk")),
        sa.UniqueConstraint("consumer", "event_id", name=op.f("quarantine_consumer_event_id_uq")),
    )
    op.create_index(op.f("quarantine_fingerprint_ix"), "quarantine", ["fingerprint"], unique=False)
    op.create_index(op.f("quarantine_state_ix"), "quarantine", ["state"], unique=False)
    op.create_table(
        "reference_counter",
        sa.Column("prefix", sa.String(length=40), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("reference_counter_pk")),
    )
    op.create_table(
        "rejected",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("rejected_pk")),
        info={"app_may": "SELECT, INSERT"},
    )
    op.create_table(
        "tile",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(hashes) = 8192", name=op.f("tile_tile_is_complete_ck")),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("tile_pk")),
        info={"app_may": "SELECT, INSERT"},
    )
    op.create_table(
        "tree_head",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("tree_head_pk")),
        info={"app_may": "SELECT, INSERT"},
    )
    op.create_table(
        "verification",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("verification_pk")),
        info={"app_may": "SELECT, INSERT"},
    )
    op.create_index(op.f("verification_finished_at_ix"), "verification", ["finished_at"], unique=False)
    guard()


def downgrade() -> None:
    op.drop_index(op.f("verification_finished_at_ix"), table_name="verification")
    op.drop_table("verification")
    op.drop_table("tree_head")
    op.drop_table("tile")
    op.drop_table("rejected")
    op.drop_table("reference_counter")
    op.drop_index(op.f("quarantine_state_ix"), table_name="quarantine")
    op.drop_index(op.f("quarantine_fingerprint_ix"), table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_table("outbox_sequence")
    op.drop_table("outbox_position")
    op.drop_index(
        "outbox_waiting",
        table_name="outbox",
        postgresql_where=sa.text("published_at IS NULL AND (not_before IS NOT NULL OR held_until IS NOT NULL)"),
    )
    op.drop_index("outbox_unpublished", table_name="outbox", postgresql_where=sa.text("published_at IS NULL"))
    op.drop_index(op.f("outbox_correlation_id_ix"), table_name="outbox")
    op.drop_index("outbox_case", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("inbox_parked_entity", table_name="inbox_parked")
    op.drop_index("inbox_parked_due", table_name="inbox_parked")
    op.drop_table("inbox_parked")
    op.drop_table("inbox_head")
    op.drop_index(op.f("inbox_correlation_id_ix"), table_name="inbox")
    op.drop_table("inbox")
    op.drop_index("event_words", table_name="event", postgresql_using="gin")
    op.drop_index("event_type", table_name="event")
    op.drop_index("event_refused", table_name="event", postgresql_where=sa.text("outcome <> 'success'"))
    op.drop_index("event_programme", table_name="event")
    op.drop_index("event_position", table_name="event")
    op.drop_index("event_organisation", table_name="event")
    op.drop_index("event_occurred", table_name="event")
    op.drop_index("event_entity", table_name="event")
    op.drop_index("event_correlation", table_name="event")
    op.drop_index("event_case", table_name="event")
    op.drop_index("event_actor", table_name="event")
    op.drop_table("event")
    op.drop_table("checkpoint")
    op.execute("DROP FUNCTION refuse_change(), log_words(text)")
