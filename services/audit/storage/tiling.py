"""Reading whole tiles and the rows of a tile."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from services.audit.domain.leaf import Row
from services.audit.domain.merkle import SIZE
from services.audit.domain.tiles import WIDTH, TileName
from services.audit.storage.append import BrokenLogError, entries
from services.audit.storage.tables import events, tiles


def hashes(connection: Connection, name: TileName) -> list[bytes]:
    """Return the hashes of a tile or of its beginning; raises BrokenLogError when some are gone."""
    query = select(tiles.c.hashes).where(tiles.c.level == name.level, tiles.c.number == name.number)
    packed = connection.execute(query).scalar()
    if packed is None:
        if name.width == WIDTH:
            raise BrokenLogError(f"tile {name.number} of level {name.level} is missing")
        return entries(connection, name.level, name.first, name.end)
    return [packed[at : at + SIZE] for at in range(0, name.width * SIZE, SIZE)]


def rows(connection: Connection, first: int, end: int) -> list[Any]:
    """Return the rows of the leaves [first, end), in order."""
    query = select(*(events.c[name] for name in Row._fields), events.c.leaf_index)
    query = query.where(events.c.leaf_index >= first, events.c.leaf_index < end)
    return list(connection.execute(query.order_by(events.c.leaf_index)))
