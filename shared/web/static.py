"""Style sheet, script and pictures: kept in memory, compressed once, named by their content so caches never ask."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

FOLDER = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file, its type, its compressed form, and its address with the hash of its content."""

    body: bytes
    packed: bytes
    media_type: str
    url: str


@cache
def assets() -> dict[str, Asset]:
    """Return every static file by its plain name."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix == ".md":
            continue
        body = path.read_bytes()
        digest = hashlib.sha256(body).hexdigest()[:12]
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        found[path.name] = Asset(body, gzip.compress(body, 9, mtime=0), media_type, f"/static/{digest}/{path.name}")
    return found


def static_url(name: str) -> str:
    """Return the address under which a static file may be cached for ever."""
    return assets()[name].url


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer /static/<hash>/<name>; a hash of an older release gets the present file, but not for ever."""
    request = Request(scope)
    parts = scope["path"].removeprefix(scope.get("root_path", "")).strip("/").split("/")
    asset = assets().get(parts[-1])
    if asset is None or len(parts) > 2 or request.method not in ("GET", "HEAD"):
        await PlainTextResponse("not found", 404)(scope, receive, send)
        return
    exact = asset.url.endswith("/".join(["", *parts]))
    headers = {"cache-control": FOREVER if exact and len(parts) == 2 else "no-cache"}
    packs = "gzip" in request.headers.get("accept-encoding", "") and len(asset.packed) < len(asset.body)
    if packs:
        headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
    response = Response(asset.packed if packs else asset.body, media_type=asset.media_type, headers=headers)
    await response(scope, receive, send)
