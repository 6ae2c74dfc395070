"""Tables and queries of standing in: who acts for whom, and on which cases they did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    RowMapping,
    String,
    Table,
    and_,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from services.grants.domain.delegation import Delegation
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table
from shared.engine import ask

MOST = 300
_RUNS = text("NOT ended")

delegation = entity_table(
    "delegation",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("role", String(40), nullable=False),
    Column("delegator", String(80), nullable=False),
    Column("delegator_name", String(200), nullable=False),
    Column("delegate", String(80), nullable=False),
    Column("delegate_name", String(200), nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("ended", Boolean, nullable=False),
    Index("delegation_delegate", "delegate", "ends_at", postgresql_where=_RUNS),
    Index("delegation_delegator", "delegator", "ends_at", postgresql_where=_RUNS),
    Index("delegation_programme", "programme", "ends_at"),
)

# Who acted for whom on which case: they stay one person there after the absence is over.
acted_for = Table(
    "acted_for",
    metadata,
    Column("case", String(80), primary_key=True),
    Column("delegate", String(80), primary_key=True),
    Column("delegator", String(80), primary_key=True),
    Column("first_at", DateTime(timezone=True), nullable=False),
)
c = delegation.c
# Every request of staff begins with this question, and every case of an act on many.
_IN_FORCE = """
SELECT programme, role, delegator, delegator_name, delegate, delegate_name FROM delegation
WHERE NOT ended AND ends_at > %(now)s AND starts_at <= %(now)s AND (delegate = %(user)s OR delegator = %(user)s)
"""


def _columns(item: Delegation) -> dict[str, Any]:
    names = ("programme", "role", "delegator", "delegator_name", "delegate", "delegate_name", "starts_at", "ends_at")
    return {name: getattr(item, name) for name in names} | {"ended": item.ended_at is not None}


def delegations(uow: UnitOfWork) -> Repository[Delegation]:
    """Return the delegations of this transaction."""
    return Repository(uow, delegation, Delegation, _columns)


def lock(connection: Connection, programme: str) -> None:
    """Let one delegation of a programme be made at a time, until this transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"delegation:{programme}", 0))))


def in_force(connection: Connection, user: str, now: datetime) -> list[tuple[str, ...]]:
    """Return (programme, role, delegator, their name, delegate, their name) of a person's delegations in force now."""
    return ask(connection, _IN_FORCE, {"user": user, "now": now}).fetchall()


def overlapping(connection: Connection, item: Delegation) -> list[RowMapping]:
    """Return what of the same role and programme lies across it: of the same person, or by whom it leans on."""
    during = and_(~c.ended, c.starts_at < item.ends_at, c.ends_at > item.starts_at)
    same = and_(c.programme == item.programme, c.role == item.role)
    chained = or_(c.delegator.in_([item.delegator, item.delegate]), c.delegate == item.delegator)
    return list(connection.execute(select(delegation).where(during, same, chained).limit(5)).mappings())


def find(connection: Connection, delegation_id: str) -> Delegation | None:
    """Return a delegation to look at."""
    row = connection.execute(select(delegation).where(c.id == delegation_id)).mappings().one_or_none()
    return None if row is None else Delegation.stored(row["state"], row["version"])


def of_people(connection: Connection, user: str, programmes: Sequence[str]) -> list[Delegation]:
    """Return the delegations to and by a person, and all of these programmes, the latest to end first."""
    either = or_(c.delegate == user, c.delegator == user, c.programme.in_(programmes))
    query = select(delegation).where(either).order_by(c.ends_at.desc(), c.id).limit(MOST)
    return [Delegation.stored(row["state"], row["version"]) for row in connection.execute(query).mappings()]


def note_acted(connection: Connection, case: str, delegate: str, delegator: str, now: datetime) -> None:
    """Remember that one acted for the other on a case."""
    values = {"case": case, "delegate": delegate, "delegator": delegator, "first_at": now}
    connection.execute(insert(acted_for).values(**values).on_conflict_do_nothing())


def one_on_case(connection: Connection, case: str, user: str) -> set[str]:
    """Return the people who acted for a person on a case, or for whom that person did."""
    a = acted_for.c
    query = select(a.delegate, a.delegator).where(a.case == case, or_(a.delegate == user, a.delegator == user))
    return {name for row in connection.execute(query) for name in row} - {user}
