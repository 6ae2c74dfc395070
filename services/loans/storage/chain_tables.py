"""Tables of value-chain finance: tripartite agreements with their versions, deliveries, deductions, transfers."""

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
    String,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.loans.storage.tables import metadata
from shared.database import entity_table

_SIDES = ("organisation", "buyer", "bank")


def _sides() -> list[Column[str]]:
    return [
        *(Column(name, String(80), nullable=False) for name in _SIDES),
        *(Column(f"{name}_name", String(200), nullable=False) for name in _SIDES),
    ]


tripartite = entity_table(
    "tripartite",
    metadata,
    Column("programme", String(80), nullable=False),
    *_sides(),
    Column("stage", String(16), nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("number", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("referrals", JSONB, nullable=False),
    Column("season_to", Date, nullable=False),
    Column("ends_on", Date),
    Column("next_by", Date),  # the next day by which goods are to be delivered
    *[Index(f"tripartite_{name}", name, "updated_at", "id") for name in (*_SIDES, "programme")],
    Index("tripartite_referrals", "referrals", postgresql_using="gin"),
    Index("tripartite_live", "id", postgresql_where=text("stage IN ('in_force', 'under_notice')")),
    # Two clicks make one agreement, whatever the code does.
    Index(
        "tripartite_one_drawn",
        *("organisation", "buyer", "bank"),
        unique=True,
        postgresql_where=text("stage IN ('draft', 'proposed')"),
    ),
)
tripartite_text = Table(
    "tripartite_text",
    metadata,
    Column("agreement", String(80), ForeignKey("tripartite.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("text", JSONB, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),
    Column("written_by", String(200), nullable=False),
    PrimaryKeyConstraint("agreement", "number"),
)
transfer = entity_table(
    "transfer",
    metadata,
    Column("agreement", String(80), ForeignKey("tripartite.id"), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("amount", Numeric(20, 4), nullable=False),
    Column("on", Date, nullable=False),
    Column("received_on", Date),
    Column("payment", String(80), nullable=False),
    Index("transfer_agreement", "agreement", "on", "id"),
    # A reference is paid once under an agreement; one that the bank did not get may be tried again.
    Index("transfer_one", "agreement", "payment", unique=True, postgresql_where=text("stage <> 'refused'")),
)
delivery = entity_table(
    "delivery",
    metadata,
    Column("agreement", String(80), ForeignKey("tripartite.id"), nullable=False),
    Column("number", String(80), nullable=False),
    Column("good", String(40), nullable=False),
    Column("good_name", String(200), nullable=False),
    Column("unit", String(20), nullable=False),
    Column("quantity", Numeric(18, 3), nullable=False),
    Column("price", Numeric(18, 4), nullable=False),
    Column("currency", String(3), nullable=False),
    *[Column(name, Numeric(20, 4), nullable=False) for name in ("value", "by_rule", "deduction", "net")],
    Column("delivered_on", Date, nullable=False),
    Column("paid_on", Date, nullable=False),
    Column("objection_until", Date, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("dispute", String(2000), nullable=False),
    Column("transfer", String(80), ForeignKey("transfer.id")),
    Column("received_on", Date),
    Index("delivery_agreement", "agreement", "delivered_on", "id"),
    # A line sent twice counts once; a line that was taken back leaves its number free.
    Index("delivery_one", "agreement", "number", unique=True, postgresql_where=text("stage <> 'taken_back'")),
)
deduction = Table(
    "deduction",
    metadata,
    Column("delivery", String(80), ForeignKey("delivery.id"), nullable=False),
    Column("loan", String(80), ForeignKey("loan.id"), nullable=False),
    Column("amount", Numeric(20, 4), nullable=False),
    PrimaryKeyConstraint("delivery", "loan"),
    Index("deduction_loan", "loan"),
)
