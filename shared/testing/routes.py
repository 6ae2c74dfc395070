"""The routes of a service's app are worked out once in a process of tests, however many apps of it are made.

FastAPI works out what each route of an included router takes and gives when its app gets the first request: half a
second of the processor for grants, and most tests have an app of their own. What it comes to depends on the route and
on what its inclusion adds, and that is the same each time.
"""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import routing

_KEPT = "_worked_out_before"


def worked_out_once(patch: pytest.MonkeyPatch) -> None:
    """Keep with each route what it came to; apps that override dependencies have none of this."""
    build = routing._IncludedRouter._build_effective_context  # noqa: SLF001 - there is no other place to stand

    def kept(self: Any, route: Any) -> Any:
        about = self.include_context
        added = (about.prefix, *(each.dependency for each in about.dependencies))
        before = route.__dict__.setdefault(_KEPT, {})
        if added not in before:
            before[added] = build(self, route)
        return before[added]

    patch.setattr(routing._IncludedRouter, "_build_effective_context", kept)  # noqa: SLF001 - the same
