"""Tables of firms: their profiles, diagnostics, training with attendance, and what advisers do for them."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

from services.loans.storage.tables import metadata
from shared.database import entity_table

firm = entity_table(
    "firm",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("name", String(200), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("entries", Integer, nullable=False),
    # As stated last, for lists; None where nobody has.
    Column("employees", Numeric(12, 2)),
    Column("turnover", Numeric(20, 4)),
    Column("women_percent", Numeric(7, 2)),
    Index("firm_programme", "programme", "updated_at", "id"),
)
diagnostic = entity_table(
    "diagnostic",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("questionnaire", String(80), nullable=False),
    Column("taken_on", Date, nullable=False),
    Column("score", Numeric(6, 4), nullable=False),
    Index("diagnostic_of_firm", "organisation", "questionnaire", "taken_on", "id"),
)
training = entity_table(
    "training",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("course", String(80), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("people", Integer, nullable=False),
    Index("training_programme", "programme", "starts", "id"),
)
# What each person has learned, beside the training's own entity: what readiness is asked of.
attendance = Table(
    "attendance",
    metadata,
    Column("training", String(80), ForeignKey("training.id"), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("person", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("topic", String(80), nullable=False),
    Column("held_on", Date, nullable=False),
    Column("hours", Numeric(6, 2), nullable=False),
    Column("passed_on", Date),
    Column("valid_until", Date),
    PrimaryKeyConstraint("training", "organisation", "person"),
    Index("attendance_of_firm", "organisation"),
)
advice = entity_table(
    "advice",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("adviser", String(80), nullable=False),
    Column("last_contact", Date),
    Column("next_due", Date),
    UniqueConstraint("adviser", "organisation"),
)
