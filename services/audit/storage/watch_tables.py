"""The tables of the watch: how far it has read the log, and its hits."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, SmallInteger, String, Table, text

from services.audit.storage.tables import metadata
from shared.database import entity_table

places = Table(
    "watch_place",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),  # 1: there is one
    Column("next_leaf", BigInteger, nullable=False),
)
hits = entity_table(
    "hit",
    metadata,
    Column("rule", String(40), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("leaf", BigInteger, nullable=False),
    Column("happened_at", DateTime(timezone=True), nullable=False),
    Index("hit_newest", "stage", "leaf", "id"),
    Index("hit_happened", "happened_at"),
    Index("hit_open", "rule", postgresql_where=text("stage = 'open'")),
)
