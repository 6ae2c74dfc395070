"""Where a person may be sent to: addresses of this site only."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.requests import Request

# One slash, then no second one or backslash (browsers read both as "another host"), nothing invisible.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")


def local_path(given: str | None, otherwise: str = "/") -> str:
    """Return `given` if it is an address within this site, else `otherwise`."""
    if given is None or not _LOCAL.fullmatch(given):
        return otherwise
    return given


def sign_in_url(request: Request) -> str:
    """Return the address of the sign-in page that leads back to where the request wanted to go.

    After a posted form the way back is the page the form stood on, which the browser names.
    """
    target = request.scope["path"]
    if request.scope.get("query_string"):
        target += "?" + request.scope["query_string"].decode("latin-1")
    if request.method != "GET":
        referer = re.sub(r"^https?://[^/]+", "", request.headers.get("referer", ""))
        return f"/sign-in?ended=form&next={quote(local_path(referer))}"
    return "/sign-in" if target == "/" else f"/sign-in?next={quote(local_path(target))}"
