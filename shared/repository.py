"""Storage of entities: their canonical state beside the columns that queries need, under an optimistic version."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from sqlalchemy import JSON, Connection, Integer, String, Table, bindparam, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from shared.engine import ask, encode_json
from shared.entity import Entity, Recorded
from shared.errors import NotFoundError, StaleVersionError

if TYPE_CHECKING:
    from shared.database import UnitOfWork

E = TypeVar("E", bound=Entity)


class Repository(Generic[E]):
    """Entities of one kind in one table. `columns` gives the query columns' values of an entity."""

    def __init__(
        self, uow: UnitOfWork, table: Table, kind: type[E], columns: Callable[[E], dict[str, Any]] = lambda _: {}
    ) -> None:
        self.uow, self.table, self.kind, self.columns = uow, table, kind, columns

    def add(self, entity: E) -> E:
        """Store a new entity when the unit of work commits."""
        self.uow.track(entity, self, None)
        return entity

    def find(self, entity_id: str, *, expected: int | None = None, for_update: bool = False) -> E | None:
        """Return the entity or None; see `get`. Who expects version 0 says that there is none yet."""
        known = self.uow.tracked(self.table.name, entity_id)
        if known is not None:
            # Somebody's page shows the version of before this act, or of before what the act has written itself so far.
            first = self.uow.first_seen(self.table.name, entity_id)
            if expected is not None and first and expected not in {first, known.version}:
                raise self.stale(entity_id, expected)
            return known  # type: ignore[return-value]  # one table holds one kind
        row = self._row(entity_id, for_update=for_update)
        if row is None:
            return None
        if expected is not None and expected != row["version"]:
            raise _stale(row, expected)
        return self._load(row)

    def _row(self, entity_id: str, *, for_update: bool) -> dict[str, Any] | None:
        found = ask(self.uow.connection, _finding(self.table, for_update=for_update), {"id": entity_id}).fetchone()
        return dict(zip(_COLUMNS, found, strict=True)) if found else None

    def get(self, entity_id: str, *, expected: int | None = None, for_update: bool = True) -> E:
        """Return the entity, locked for this transaction unless `for_update` is false.

        Raises NotFoundError, or StaleVersionError when `expected` is not its present version.
        """
        entity = self.find(entity_id, expected=expected, for_update=for_update)
        if entity is None:
            raise NotFoundError("There is no such %(kind)s", kind=self.kind.KIND)
        return entity

    def where(self, *conditions: Any, order_by: Any = None, limit: int = 200) -> list[E]:
        """Return entities that fulfil `conditions`, at most `limit`, not locked."""
        query = select(self.table).where(*conditions).limit(limit)
        if order_by is not None:
            query = query.order_by(order_by)
        rows = self.uow.connection.execute(query).mappings().all()
        return [self._load(row) for row in rows]

    def _load(self, row: Any) -> E:
        known = self.uow.tracked(self.table.name, row["id"])
        if known is not None:
            return known  # type: ignore[return-value]  # one table holds one kind
        entity = self.kind.stored(row["state"], row["version"])
        self.uow.track(entity, self, entity.loaded())
        return entity

    def values(self, entity: E, state: dict[str, Any], events: list[Recorded]) -> dict[str, Any]:
        """Return what an entity's row is to be under its next version."""
        actor = self.uow.context.actor
        changes: dict[str, Any] = {}
        for item in events:
            changes |= item.changes
        return {
            "state": state,
            "version": entity.version + 1,
            "updated_at": self.uow.now(),
            "updated_by": actor.id,
            "updated_by_name": actor.name or actor.id,
            "last_changes": changes,
        } | self.columns(entity)

    def update(self, entity: E, values: dict[str, Any]) -> None:
        """Write the entity's row; raises StaleVersionError when somebody was faster."""
        update = _updating(self.table, tuple(values))
        given = {name: encode_json(value) if name in update.json else value for name, value in values.items()}
        place = {"_id": entity.id, "_version": entity.version}
        if ask(self.uow.connection, update.statement, given | place).rowcount != 1:
            raise self.stale(entity.id, entity.version)

    def stale(self, entity_id: str, expected: int) -> StaleVersionError:
        """Return the error for a change that was made on an older version: it says who changed what since."""
        return _stale(self._row(entity_id, for_update=False), expected)


def _stale(row: Any, expected: int) -> StaleVersionError:
    return StaleVersionError(
        expected=expected,
        current=row["version"],
        by=row["updated_by_name"],
        at=row["updated_at"],
        changes=row["last_changes"],
    )


# What an entity is made of and a stale change is told by; the rest of a row is there to be searched.
_COLUMNS = ("id", "version", "state", "updated_at", "updated_by_name", "last_changes")


_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


# Building a statement costs more than sending it, so the two of every act are kept.
@lru_cache(maxsize=256)
def _finding(table: Table, *, for_update: bool) -> str:
    lock = " FOR UPDATE" if for_update else ""
    return f'SELECT {", ".join(_COLUMNS)} FROM "{table.name}" WHERE id = %(id)s{lock}'  # noqa: S608 - names of ours


class _Updating(NamedTuple):
    """The update of a row, and its members that are written as JSON."""

    statement: str
    json: frozenset[str]


@lru_cache(maxsize=256)
def _updating(table: Table, names: tuple[str, ...]) -> _Updating:
    row = table.c.id == bindparam("_id", type_=String), table.c.version == bindparam("_version", type_=Integer)
    written = frozenset(name for name in names if isinstance(table.c[name].type, JSON))
    return _Updating(str(table.update().where(*row).compile(dialect=_DIALECT, column_keys=names)), written)


class Change(NamedTuple):
    """An entity that is to be written: its state, and whether its row is new."""

    repository: Repository[Any]
    entity: Entity
    state: dict[str, Any]
    new: bool
    events: list[Recorded]


def store(changes: list[Change], *, new: bool) -> None:
    """Write rows of one table, new ones all at once."""
    rows = [item.repository.values(item.entity, item.state, item.events) for item in changes]
    first = changes[0].repository
    if new:
        ids = [{"id": item.entity.id, "created_at": row["updated_at"]} for item, row in zip(changes, rows, strict=True)]
        _insert(first.uow.connection, first.table, [row | more for row, more in zip(rows, ids, strict=True)])
    for item, row in zip(changes, rows, strict=True):
        if not new:
            item.repository.update(item.entity, row)
        item.entity.version += 1


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows without waiting for each."""
    connection.execute(table.insert(), rows)
