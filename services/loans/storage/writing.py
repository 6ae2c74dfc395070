"""Rows that are no entities: locked versions, and what is learned from other services."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Table, bindparam, insert
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from services.loans.storage import tables
from shared.database import UnitOfWork
from shared.entity import canonical_hash


def keep_locked(uow: UnitOfWork, proposal: str, number: int, content: dict[str, Any]) -> None:
    """Keep a locked version with its hash; it is never changed."""
    values = {"proposal": proposal, "number": number, "content": content, "sha256": canonical_hash(content)}
    uow.flush()  # the proposal's own row comes first
    uow.connection.execute(insert(tables.locked_proposal).values(**values, locked_at=uow.now()))


def learn(uow: UnitOfWork, name: str, /, **values: Any) -> None:
    """Insert a row of the learned table `name`, or bring the one with the same key up to date."""
    uow.connection.execute(_learning(tables.metadata.tables[name], tuple(values)), values)


@cache
def _learning(table: Table, names: tuple[str, ...]) -> Insert:
    """Return the statement, which is made once: letters come by the hundred."""
    key = [column.name for column in table.primary_key.columns]
    statement = upsert(table).values({name: bindparam(name) for name in names})
    fresh = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=fresh)
