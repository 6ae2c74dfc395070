"""What the operator's view says of the record: the last verification, and the last of the whole log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from services.audit.storage import verifications


def figures(connection: Connection) -> dict[str, Any]:
    """Return both verifications, each None as long as there was none."""
    newest, whole = verifications.latest(connection, 1), verifications.latest(connection, 1, whole=True)
    return {"verification": _said(newest), "verification_whole": _said(whole)}


def _said(runs: list[Any]) -> dict[str, Any] | None:
    if not runs:
        return None
    run = runs[0]
    return {
        "id": str(run.id),
        "at": run.finished_at.isoformat(),
        "ok": run.ok,
        "whole": run.whole,
        "events": run.report["events"],
        "findings": len(run.report["findings"]),
        "by": run.report.get("by", ""),
    }
