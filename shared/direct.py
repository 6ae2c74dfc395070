"""Questions over HTTP to processes of our own: past any proxy of the environment, which knows nothing of them."""

from __future__ import annotations

import urllib.request
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(request: str | urllib.request.Request, seconds: float) -> bytes:
    """Return the answer's body; each wait ends after `seconds`. Raises HTTPError for a refusal, OSError for silence."""
    answer: Any
    with _OPENER.open(request, timeout=seconds) as answer:
        return bytes(answer.read())
