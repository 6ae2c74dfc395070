"""The ledger's lines: added, never changed, never taken out; the database role may do neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    RowMapping,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    func,
    insert,
    select,
)

from services.grants.storage import tables as t
from services.grants.storage.base import metadata

MOST = 500
# That the lines of an entry add up to nothing is checked by the database at commit (migration 0007).
ledger_line = Table(
    "ledger_line",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("entry", Uuid, nullable=False),
    Column("line", Integer, nullable=False),
    Column("programme", String(80), nullable=False),
    Column("call", String(80), nullable=False),
    Column("case", String(80), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("account", String(40), nullable=False),
    Column("amount", Numeric(22, 3), nullable=False),  # a debit, or a credit below nothing
    Column("currency", String(3), nullable=False),
    Column("about", String(200), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", String(80), nullable=False),
    Column("by_name", String(200), nullable=False),
    CheckConstraint("amount <> 0", name="some"),
    UniqueConstraint("entry", "line"),
    Index("ledger_line_case", "case", "id"),
    Index("ledger_line_fund", "programme", "call", "account", "currency", postgresql_include=["amount"]),
    Index("ledger_line_order", "programme", "id"),
    info={"app_may": "SELECT, INSERT"},
)
c = ledger_line.c


def balances(connection: Connection, case: str) -> dict[str, Decimal]:
    """Return {account: its debit} of one agreement."""
    query = select(c.account, func.sum(c.amount).label("amount")).where(c.case == case).group_by(c.account)
    return {row.account: row.amount for row in connection.execute(query)}


def fund_balances(connection: Connection, programme: str, call: str = "") -> dict[tuple[str, str], dict[str, Decimal]]:
    """Return {(call, currency): {account: its debit}} of a programme's funds, or of one."""
    query = select(c.call, c.currency, c.account, func.sum(c.amount).label("amount")).where(c.programme == programme)
    if call:
        query = query.where(c.call == call)
    found: dict[tuple[str, str], dict[str, Decimal]] = {}
    for row in connection.execute(query.group_by(c.call, c.currency, c.account).order_by(c.call, c.currency)):
        found.setdefault((row.call, row.currency), {})[row.account] = row.amount
    return found


def add(connection: Connection, case: str, lines: Sequence[Mapping[str, Any]], fund: str | None = None) -> None:
    """Write the lines of an entry; the fund is that of the case's call, unless it is named."""
    call = fund or select(t.application.c.call).where(t.application.c.id == case).scalar_subquery()
    connection.execute(insert(ledger_line).values([{**line, "case": case, "call": call} for line in lines]))


def lines_of(connection: Connection, case: str) -> list[RowMapping]:
    """Return the lines of one agreement in the order in which they were entered."""
    return list(connection.execute(select(ledger_line).where(c.case == case).order_by(c.id)).mappings())


def lines_of_fund(
    connection: Connection,
    programme: str,
    call: str = "",
    *,
    after: int | None = None,
    limit: int = MOST,
    newest: bool = False,
) -> list[RowMapping]:
    """Return `limit + 1` lines of a programme's funds, or of one call's, after the line `after`.

    `newest` turns their order round: the latest line first.
    """
    query = select(ledger_line).where(c.programme == programme)
    if call:
        query = query.where(c.call == call)
    if after is not None:
        query = query.where(c.id < after if newest else c.id > after)
    return list(connection.execute(query.order_by(c.id.desc() if newest else c.id).limit(limit + 1)).mappings())
