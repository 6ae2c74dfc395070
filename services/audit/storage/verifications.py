"""What verifications found, kept for the pages; the log itself has their events."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select

from services.audit.storage.tables import verifications


def add(connection: Connection, own: UUID, report: dict[str, Any]) -> None:
    """Keep a report, given in its JSON form."""
    columns = ("started_at", "finished_at", "whole", "size", "root", "ok")
    connection.execute(insert(verifications).values(id=own, report=report, **{name: report[name] for name in columns}))


def latest(connection: Connection, limit: int = 10, *, whole: bool = False) -> list[Any]:
    """Return the newest verifications, the newest first; with `whole` only those of the whole log."""
    chosen = select(verifications).where(verifications.c.whole) if whole else select(verifications)
    return list(connection.execute(chosen.order_by(verifications.c.finished_at.desc()).limit(limit)))
