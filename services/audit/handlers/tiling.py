"""Giving the log away piece by piece, as C2SP's tlog-tiles lays it out: to whoever wants to check it without us."""

from __future__ import annotations

from sqlalchemy import Connection

from services.audit.domain.leaf import BodyError, leaf_from
from services.audit.domain.tiles import TileName
from services.audit.handlers.proofs import UnprovableError
from services.audit.storage import tiling, tree
from services.audit.storage.append import BrokenLogError
from shared.checkpoints import HEADER, Kept
from shared.errors import NotFoundError

_NONE = "There is no such tile"


def checkpoint(connection: Connection) -> str:
    """Return the newest signed checkpoint as it was signed; raises NotFoundError before there is one."""
    signed = tree.latest_checkpoint(connection)
    if signed is None:
        raise NotFoundError("Nothing has been signed yet")
    return signed.note


def hashes(connection: Connection, name: TileName) -> bytes:
    """Return the hashes of a tile, 32 bytes each.

    Raises NotFoundError for what the log has not grown to yet, UnprovableError for what was taken out of it.
    """
    if name.end > tree.head(connection).size >> (8 * name.level):
        raise NotFoundError(_NONE)
    try:
        return b"".join(tiling.hashes(connection, name))
    except BrokenLogError as error:
        raise UnprovableError("The log does not prove this: %(why)s", why=str(error)) from error


def bundle(connection: Connection, name: TileName) -> bytes:
    """Return the leaves of a bundle of entries, each after its length in two bytes."""
    if name.end > tree.head(connection).size:
        raise NotFoundError(_NONE)
    try:
        leaves = [leaf_from(row) for row in tiling.rows(connection, name.first, name.end)]
    except BodyError as error:
        raise UnprovableError("The log does not prove this: %(why)s", why=str(error)) from error
    if len(leaves) != name.width:
        raise UnprovableError("The log does not prove this: %(why)s", why="rows of this bundle are missing")
    return b"".join(len(leaf).to_bytes(2) + leaf for leaf in leaves)


def header(connection: Connection) -> dict[str, str]:
    """Return the header by which a file that leaves here carries the newest checkpoint."""
    signed = tree.latest_checkpoint(connection)
    return {HEADER: Kept(signed.size, signed.root.hex(), signed.note).carried()} if signed else {}
