"""Forms whose fields are named by a call: read as they come."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import FormData


async def posted(request: Request) -> FormData:
    """Return the fields of a posted form whose names come from the call."""
    return await request.form()
