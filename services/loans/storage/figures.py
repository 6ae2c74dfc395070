"""Counts for the operator: open referrals by stage, and whose turn it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Date, Float, func, literal, select

from services.loans.storage.tables import referral

_FIRMS_TURN = ("created", "info_requested", "offered")


def ageing(connection: Connection) -> list[dict[str, Any]]:
    """Return the open referrals by programme, stage and holder: how many, how many late, the oldest since a change."""
    c, today = referral.c, func.timezone("UTC", func.now()).cast(Date)
    query = (
        select(
            literal("referral").label("kind"),
            c.programme,
            c.stage,
            func.count().label("open"),
            func.count().filter(c.due < today).label("overdue"),
            func.extract("epoch", func.now() - func.min(c.updated_at)).cast(Float).label("oldest_seconds"),
        )
        .where(c.open)
        .group_by(c.programme, c.stage)
    )
    return [
        dict(row) | {"holder": "applicant" if row["stage"] in _FIRMS_TURN else "partner"}
        for row in connection.execute(query).mappings()
    ]
