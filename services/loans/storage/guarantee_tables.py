"""Tables of guarantee facilities, of firms' consents to guarantors, and of guarantees."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, Numeric, String, text

from services.loans.storage.tables import metadata
from shared.database import entity_table

facility = entity_table(
    "facility",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("guarantor", String(80), nullable=False),
    Column("guarantor_name", String(200), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", String(200), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("ceiling", Numeric(20, 4), nullable=False),
    Column("coverage", Numeric(9, 4), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date),
    Column("waits", Boolean, nullable=False),
    Index("facility_programme", "programme", "updated_at", "id"),
    Index("facility_own", "guarantor", "updated_at", "id"),
)
permission = entity_table(
    "permission",
    metadata,
    Column("loan", String(80), ForeignKey("loan.id"), nullable=False),
    Column("proposal", String(80), nullable=False),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("bank", String(80), nullable=False),
    Column("guarantor", String(80), nullable=False),
    Column("until", Date, nullable=False),
    Column("live", Boolean, nullable=False),
    # A firm's word to one guarantor about one loan stands once at a time.
    Index("permission_one_live", "loan", "guarantor", unique=True, postgresql_where=text("live")),
)
guarantee = entity_table(
    "guarantee",
    metadata,
    Column("facility", String(80), ForeignKey("facility.id"), nullable=False),
    Column("loan", String(80), ForeignKey("loan.id"), nullable=False),
    Column("permission", String(80), ForeignKey("permission.id"), nullable=False),
    Column("proposal", String(80), nullable=False),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("bank", String(80), nullable=False),
    Column("bank_name", String(200), nullable=False),
    Column("guarantor", String(80), nullable=False),
    Column("guarantor_name", String(200), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("live", Boolean, nullable=False),
    Column("currency", String(3), nullable=False),
    *[Column(name, Numeric(20, 4), nullable=False) for name in ("principal", "sum", "committed", "spent", "net")],
    Column("coverage", Numeric(9, 4), nullable=False),
    Column("issued_on", Date),
    Column("ended_on", Date),
    Column("acts_on", Date),  # the next day on which a fee is charged or it lapses
    # One guarantor stands in for a loan at a time, whatever the code does.
    Index("guarantee_one_live", "loan", unique=True, postgresql_where=text("live")),
    Index("guarantee_facility", "facility", "updated_at", "id"),
    Index("guarantee_programme", "programme", "updated_at", "id"),
    Index("guarantee_guarantor", "guarantor", "updated_at", "id"),
    Index("guarantee_bank", "bank", "updated_at", "id"),
    Index("guarantee_loan", "loan"),
    Index("guarantee_acts_on", "acts_on"),
)
