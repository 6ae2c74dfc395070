"""What the operator's view says of casework: open cases by stage and holder, and how many are late."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from services.grants.storage import figures as counts


def figures(connection: Connection) -> dict[str, Any]:
    """Return the open cases of this service."""
    return {"casework": counts.ageing(connection)}
