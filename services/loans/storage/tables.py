"""Tables: the service's own entities, locked proposals, and what it learned from other services."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.checkpoints import checkpoint_table
from shared.database import entity_table, service_metadata

metadata = service_metadata()
checkpoint_table(metadata)

proposal = entity_table(
    "proposal",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("supporter_name", String(200), nullable=False),
    Column("supporter", String(80)),
    Column("stage", String(24), nullable=False),
    Column("title", String(200), nullable=False),
    Column("amount", Numeric(20, 4)),
    Column("currency", String(3), nullable=False),
    Column("number", Integer, nullable=False),
    Column("accepted_referral", String(80)),
    Index("proposal_own", "organisation", "updated_at", "id"),
    Index("proposal_programme", "programme", "updated_at", "id"),
    Index("proposal_supporter", "supporter", "organisation", "updated_at"),
)
referral = entity_table(
    "referral",
    metadata,
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("bank", String(80), nullable=False),
    Column("bank_name", String(200), nullable=False),
    Column("stage", String(24), nullable=False),
    Column("open", Boolean, nullable=False),
    Column("title", String(200), nullable=False),
    Column("amount", Numeric(20, 4), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("term_months", Integer, nullable=False),
    Column("due", Date),
    Column("valid_until", Date),
    Index("referral_bank", "bank", "stage", "updated_at", "id"),
    Index("referral_proposal", "proposal"),
    Index("referral_valid_until", "valid_until", postgresql_where=text("stage = 'offered'")),
    # A bank is asked once about a proposal at a time.
    Index("referral_one_open", "proposal", "bank", unique=True, postgresql_where=text("open")),
)
improvement = entity_table(
    "improvement",
    metadata,
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False),
    Column("referral", String(80), ForeignKey("referral.id"), nullable=False, unique=True),
    Column("number", Integer, nullable=False),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("bank_name", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("again", String(80), ForeignKey("referral.id")),
    Column("due", Date),
    Column("readiness_before", Numeric(6, 4), nullable=False),
    Column("readiness_after", Numeric(6, 4)),
    Column("dscr_before", Numeric(12, 3)),
    Column("dscr_after", Numeric(12, 3)),
    Index("improvement_proposal", "proposal"),
    Index("improvement_programme", "programme", "updated_at", "id"),
)
loan = entity_table(
    "loan",
    metadata,
    # One accepted offer a need, whatever the code does.
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False, unique=True),
    Column("referral", String(80), ForeignKey("referral.id"), nullable=False, unique=True),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False, index=True),
    Column("bank", String(80), nullable=False, index=True),
    # What a line of a repayment tape is held against; empty in rows of before tapes, and filled at the first one.
    Column("currency", String(3)),
    Column("payouts", Text),
    Column("timetable", Text),
    Column("whole", Boolean),
    Column("stage", String(24)),
    Column("bucket", SmallInteger),
    Column("settled_on", Date),
    Column("restructured", Boolean),
    Column("profile", JSONB),
    Column("disclosed", JSONB),
    Index("loan_of_bank", "bank", "programme", "id"),
)
fee = entity_table(
    "fee",
    metadata,
    # One adviser earns on a proposal, whatever the code does.
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False, unique=True),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("firm_name", String(200), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    *[Column(name, Numeric(20, 4), nullable=False) for name in ("earned", "lost", "approved", "paid", "returned")],
    Index("fee_programme", "programme", "updated_at", "id"),
    Index("fee_own", "organisation", "updated_at", "id"),
)
tape = entity_table(
    "tape",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("bank", String(80), nullable=False),
    Column("as_of", Date, nullable=False),
    Column("month", String(7), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("applied_at", DateTime(timezone=True)),
    Column("superseded_at", DateTime(timezone=True)),
    Index("tape_of_programme", "programme", "as_of"),
    # One tape of a bank counts for a month, whatever the code does.
    Index("tape_one_counts", "bank", "programme", "month", unique=True, postgresql_where=text("stage = 'applied'")),
)
product = entity_table(
    "product",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("bank", String(80), nullable=False),
    Column("bank_name", String(200), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", String(200), nullable=False),
    Column("instrument", String(24), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_min", Numeric(20, 4), nullable=False),
    Column("amount_max", Numeric(20, 4), nullable=False),
    Column("term_min", Integer, nullable=False),
    Column("term_max", Integer, nullable=False),
    Column("rate_min", Numeric(9, 4), nullable=False),
    Column("rate_max", Numeric(9, 4), nullable=False),
    Column("effective_low", Numeric(18, 6)),
    Column("effective_high", Numeric(18, 6)),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date),
    Index("product_programme", "programme", "stage", "updated_at", "id"),
    Index("product_bank", "bank", "updated_at", "id"),
)
product_version = Table(
    "product_version",
    metadata,
    Column("product", String(80), ForeignKey("product.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("terms", JSONB, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False),
    Column("published_by", String(200), nullable=False),
    PrimaryKeyConstraint("product", "number"),
)
sequence = entity_table(
    "sequence",
    metadata,
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("referral", String(80), ForeignKey("referral.id")),  # of the bank whose turn it is
    Index("sequence_running", "updated_at", "id", postgresql_where=text("stage = 'running'")),
    # A proposal goes through one sequence at a time.
    Index("sequence_one", "proposal", unique=True, postgresql_where=text("stage <> 'done'")),
)
teaser = entity_table(
    "teaser",
    metadata,
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("programme", String(80), nullable=False),
    Column("bank", String(80), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("until", Date, nullable=False),
    Column("face", JSONB, nullable=False),
    Column("reasons", JSONB, nullable=False),
    Index("teaser_bank", "bank", "updated_at", "id"),
    # A bank has one teaser of a proposal at a time.
    Index(
        "teaser_one_shown",
        "proposal",
        "bank",
        unique=True,
        postgresql_where=text("stage IN ('shown', 'interested', 'not_for_us')"),
    ),
)
tape_line = Table(
    "tape_line",
    metadata,
    Column("tape", String(80), ForeignKey("tape.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("loan", String(80), nullable=False),
    Column("carried", Boolean, nullable=False),
    Column("wrong", Boolean, nullable=False),
    Column("differs", Boolean, nullable=False),
    Column("principal_paid", Numeric(20, 4)),
    Column("interest_paid", Numeric(20, 4)),
    Column("fees_paid", Numeric(20, 4)),
    Column("said_outstanding", Numeric(20, 4)),
    Column("said_days", Integer),
    Column("paid_on", Date),
    Column("outstanding", Numeric(20, 4)),
    Column("days", Integer),
    Column("owed", Numeric(20, 4)),
    Column("stage", String(24)),
    Column("bucket", SmallInteger),
    Column("restructured", Boolean),
    Column("findings", JSONB),  # problems and differences, with what was given where it is wrong
    PrimaryKeyConstraint("tape", "line"),
    Index("tape_line_one", "tape", "loan", unique=True, postgresql_where=text("NOT wrong")),
    Index("tape_line_loan", "loan"),
    Index("tape_line_late", "tape", "days", postgresql_where=text("days > 0")),
)
tape_sum = Table(
    "tape_sum",
    metadata,
    Column("tape", String(80), ForeignKey("tape.id"), nullable=False),
    Column("audience", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("dimension", String(16), nullable=False),
    Column("value", String(80), nullable=False),
    Column("loans", Integer, nullable=False),
    Column("late_loans", Integer, nullable=False),
    Column("written_off_loans", Integer, nullable=False),
    *[
        Column(name, Numeric(20, 4), nullable=False)
        for name in (
            *("outstanding", "over_0", "over_30", "over_60", "over_90"),
            *("restructured", "over_30_or_restructured", "written_off"),
        )
    ],
    PrimaryKeyConstraint("tape", "audience", "currency", "dimension", "value"),
)
# Every look of a bank at a referral; the outbox, which has it too, keeps its rows for a time only.
look = Table(
    "look",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False),
    Column("referral", String(80), ForeignKey("referral.id"), nullable=False),
    Column("bank", String(80), nullable=False),
    Column("bank_name", String(200), nullable=False),
    Column("person", String(80), nullable=False),
    Column("person_name", String(200), nullable=False),
    Column("role", String(40), nullable=False),
    Column("way", String(16), nullable=False),
    Column("live", Boolean, nullable=False),  # whether the consent was: of a look without one no field was shown
    Column("fields", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("look_of_proposal", "proposal", "at", "id"),
)
# What becomes of proposals, counted now and then where they are too many to be counted for each page.
funnel = Table(
    "funnel",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("bank", String(80), nullable=False),  # empty for the whole programme
    Column("counted_at", DateTime(timezone=True), nullable=False),
    Column("figures", JSONB, nullable=False),
    PrimaryKeyConstraint("programme", "bank"),
)
locked_proposal = Table(
    "locked_proposal",
    metadata,
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("locked_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("proposal", "number"),
)

# Learned from other services' events.
person = Table(
    "person",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("organisation", String(80)),
    Column("active", Boolean, nullable=False),
)
organisation = Table(
    "organisation",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("country", String(2)),
    Column("registration_number", String(80)),
)
supporter = Table(
    "supporter",
    metadata,
    Column("organisation", String(80), nullable=False),
    Column("programme", String(80), nullable=False),
    Column("name", String(200), nullable=False),
    Column("award", String(80), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("organisation", "programme"),
)
programme = Table(
    "programme",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("country", String(2), nullable=False),
    Column("pack_version", Integer, nullable=False),
    Column("finance", JSONB),
)
# Links of letters by which a person does one act: what notifications has told of them, and which were used.
action_link = Table(
    "action_link",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of the link
    Column("link", String(80), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("person", String(80), nullable=False, index=True),
    Column("referral", String(80), nullable=False),
    Column("good_until", DateTime(timezone=True), nullable=False),
)
link_use = Table(
    "link_use",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("used_at", DateTime(timezone=True), nullable=False),
)
letter = Table(
    "letter",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("case", String(80), nullable=False, index=True),
    Column("event", String(80), nullable=False),  # the act that the letter tells of
    Column("recipient", String(80), nullable=False),
    Column("recipient_name", String(200), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("state", String(24), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
