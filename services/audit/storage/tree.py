"""Reading the tree: nodes for proofs out of tiles and rows, heads, checkpoints."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from services.audit.domain.merkle import SIZE, CompactRange, perfect_root
from services.audit.storage.append import WIDTH, BrokenLogError, entries
from services.audit.storage.tables import checkpoints, heads, tiles

_BITS = 8  # a tile spans eight heights of the tree
# One signer at a time, apart from the lock of whoever appends.
SIGN_LOCK = 0x7369_676E_6D67


class Nodes:
    """The hashes of perfect subtrees of a log of `size` leaves, read a tile at a time and kept."""

    def __init__(self, connection: Connection, size: int) -> None:
        self.connection, self.size = connection, size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, height: int, index: int) -> bytes:
        level, within = divmod(height, _BITS)
        count = 1 << within
        number, offset = divmod(index * count, WIDTH)
        part = self._tile(level, number)[offset : offset + count]
        if len(part) != count:
            raise BrokenLogError(f"subtree {index} of height {height} is not complete")
        return perfect_root(part)

    def _tile(self, level: int, number: int) -> list[bytes]:
        if (level, number) not in self._tiles:
            self._tiles[(level, number)] = self._read(level, number)
        return self._tiles[(level, number)]

    def _read(self, level: int, number: int) -> list[bytes]:
        start, last = number * WIDTH, self.size >> (level * _BITS)
        if start + WIDTH > last:
            return entries(self.connection, level, start, last)
        query = select(tiles.c.hashes).where(tiles.c.level == level, tiles.c.number == number)
        packed = self.connection.execute(query).scalar()
        if packed is None or len(packed) != WIDTH * SIZE:
            raise BrokenLogError(f"tile {number} of level {level} is missing")
        return [packed[at : at + SIZE] for at in range(0, len(packed), SIZE)]


class Signed(NamedTuple):
    """A stored checkpoint."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


def head(connection: Connection) -> CompactRange:
    """Return the tree as it stands."""
    row = connection.execute(select(heads.c.size, heads.c.compact).order_by(heads.c.size.desc()).limit(1)).first()
    return CompactRange.unpack(row.size, row.compact) if row else CompactRange()


def head_at(connection: Connection, size: int) -> CompactRange | None:
    """Return the tree as it stood at a size at which a batch ended."""
    packed = connection.execute(select(heads.c.compact).where(heads.c.size == size)).scalar()
    return CompactRange.unpack(size, packed) if packed is not None else None


def latest_checkpoint(connection: Connection, *, at_most: int | None = None) -> Signed | None:
    """Return the checkpoint of the greatest size, or of the greatest up to `at_most`."""
    query = (
        select(checkpoints.c.size, checkpoints.c.root, checkpoints.c.note, checkpoints.c.signed_at)
        .order_by(checkpoints.c.size.desc())
        .limit(1)
    )
    row = connection.execute(query if at_most is None else query.where(checkpoints.c.size <= at_most)).first()
    return Signed(*row) if row else None


def checkpoint_at(connection: Connection, size: int) -> Signed | None:
    """Return the checkpoint of exactly that size."""
    found = latest_checkpoint(connection, at_most=size)
    return found if found and found.size == size else None


def lock_signing(connection: Connection) -> None:
    """Wait until nobody else signs; the lock goes with the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SIGN_LOCK})


def add_checkpoint(connection: Connection, signed: Signed) -> None:
    """Store a checkpoint; one of the same size that somebody stored meanwhile says the same."""
    connection.execute(upsert(checkpoints).on_conflict_do_nothing(), signed._asdict())
