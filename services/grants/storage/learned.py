"""Writing down what other services told: people, organisations, packs, letters. Each can be told again."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, update
from sqlalchemy.dialects.postgresql import Insert, insert

from services.grants.storage import tables as t


def _put(connection: Connection, table: Table, key: tuple[str, ...], values: dict[str, Any]) -> None:
    connection.execute(_putting(table, key, tuple(values)), values)


@cache
def _putting(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Insert:
    """Return the statement, which is made once: letters come by the hundred."""
    statement = insert(table).values({name: bindparam(name) for name in names})
    changes = {name: statement.excluded[name] for name in names if name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changes)


def put_person(connection: Connection, **values: Any) -> None:
    """Remember a person as they are now."""
    _put(connection, t.person, ("id",), values)


def deactivate_person(connection: Connection, person_id: str) -> None:
    """Remember that a person can't act any more."""
    connection.execute(update(t.person).where(t.person.c.id == person_id).values(active=False))


def put_organisation(connection: Connection, **values: Any) -> None:
    """Remember an organisation as it is now."""
    _put(connection, t.organisation, ("id",), values)


def put_pack(connection: Connection, *, programme: str, version: int, sha256: str, content: Any, at: datetime) -> None:
    """Keep a version of a pack; a version that is there already stays as it is, for live cases are pinned to it."""
    statement = insert(t.pack).values(
        programme=programme, version=version, sha256=sha256, content=content, loaded_at=at
    )
    connection.execute(statement.on_conflict_do_nothing())


def put_call(connection: Connection, **values: Any) -> None:
    """Remember a call as its newest pack has it."""
    _put(connection, t.call, ("programme", "id"), values)


def put_letter(connection: Connection, **values: Any) -> None:
    """Remember the present state of a letter."""
    _put(connection, t.letter, ("id",), values)
