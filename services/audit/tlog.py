"""The log as files for machines, laid out by C2SP's tlog-tiles: its newest checkpoint, tiles, bundles of entries."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from services.audit.domain.tiles import TileName, TilePathError, tile_name
from services.audit.handlers import consistency, tiling
from shared.errors import InvalidError, Rule
from shared.web.dependencies import Reader, allowed

router = APIRouter()
_PATH = Path(max_length=80)
_MOST = 1 << 63  # no column holds a greater number
# Whoever may read keeps it; nobody between us does. A tile that is complete never changes.
_CACHED = {"cache-control": "private, max-age=31536000, immutable"}
_FRESH = {"cache-control": "no-cache"}


@router.get("/api/consistency", dependencies=[allowed("audit.tlog.read")])
def prove_consistency(
    connection: Reader,
    old: Annotated[int, Query(alias="from", lt=_MOST)],
    new: Annotated[int | None, Query(alias="to", lt=_MOST)] = None,
) -> dict[str, Any]:
    """Return the proof that the log of `from` entries is the beginning of that of `to`: left out, the newest signed."""
    return consistency.prove(connection, old, new).as_json()


@router.get("/tlog/checkpoint", dependencies=[allowed("audit.tlog.read")])
def checkpoint(connection: Reader) -> Response:
    """Return the newest checkpoint, as it was signed."""
    return Response(tiling.checkpoint(connection), media_type="text/plain", headers=_FRESH)


@router.get("/tlog/tile/entries/{path:path}", dependencies=[allowed("audit.tlog.entries")])
def entries(connection: Reader, path: Annotated[str, _PATH]) -> Response:
    """Return a bundle of entries: each leaf after its length in two bytes, the most significant first."""
    name = _named(f"entries/{path}")
    return _answer(tiling.bundle(connection, name))


@router.get("/tlog/tile/{path:path}", dependencies=[allowed("audit.tlog.read")])
def tile(connection: Reader, path: Annotated[str, _PATH]) -> Response:
    """Return the hashes of a tile, 32 bytes each."""
    name = _named(path)
    return _answer(tiling.hashes(connection, name))


def _named(path: str) -> TileName:
    try:
        return tile_name(path)
    except TilePathError as error:
        raise InvalidError({"path": Rule("names no tile: %(why)s", why=str(error))}) from error


def _answer(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers=_CACHED)
