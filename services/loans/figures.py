"""What the operator's view says of casework: open referrals by stage, and how many are late."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from services.loans.storage.figures import ageing


def figures(connection: Connection) -> dict[str, Any]:
    """Return the open cases of this service."""
    return {"casework": ageing(connection)}
