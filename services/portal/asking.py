"""What the front door says to a proxy that asks who a request comes from, before it passes the request on.

The proxy sends the request's head (cookie, API key) here and gives the answer's statement to the service. Without
a statement the service takes the request as nobody's; when sessions can't be read, the front door's own answer
(503) goes to the browser instead.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.web.identity import HEADER


async def telling(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the statement that the front door has just put on this request, if any."""
    if scope["type"] != "http":
        return
    statement = Headers(scope=scope).get(HEADER)
    # Empty rather than missing: some proxies would then leave on the request what they found there.
    await Response(status_code=200, headers={HEADER: statement or ""})(scope, receive, send)
