"""What the operator's view says of letters: what waits to be sent, and how those of the last day stand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from services.notifications import storage
from shared.clock import utc_now

DAY = timedelta(days=1)


def figures(connection: Connection) -> dict[str, Any]:
    """Return the letters that wait, and the last day's by channel and status."""
    now = utc_now()
    recent = storage.letters_since(connection, first_id(now - DAY))
    return {"letters": storage.waiting_letters(connection, now) | {"last_day": recent}}


def first_id(moment: datetime) -> str:
    """Return the least id that is given at a moment (UUID version 7)."""
    return str(UUID(int=int(moment.timestamp() * 1000) << 80))
