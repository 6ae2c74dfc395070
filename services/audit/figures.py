"""What the operator's view says of the record: its size, what of it is signed, the last verifications."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from services.audit.storage import comparing, hits, keeping, manifests, signing, tree, verifications


def figures(connection: Connection) -> dict[str, Any]:
    """Return the size, the last checkpoint and both verifications, each None as long as there was none."""
    newest, whole = verifications.latest(connection, 1), verifications.latest(connection, 1, whole=True)
    signed = tree.latest_checkpoint(connection)
    made, tried = keeping.newest(connection, "created"), keeping.newest(connection, "drilled")
    trouble = signing.present(connection)
    compared = comparing.latest(connection, 1)
    return {
        "watched": hits.open_ones(connection),
        "disputed": manifests.count_disputed(connection),
        "outside": compared[0].found if compared else 0,
        "backup": _made(made) if made else None,
        "drill": _tried(tried) if tried else None,
        "verification": _said(newest),
        "verification_whole": _said(whole),
        "log_size": tree.head(connection).size,
        "unsigned": _unsigned(trouble) if trouble else None,
        "checkpoint": {"size": signed.size, "at": signed.signed_at.isoformat()} if signed else None,
    }


def _unsigned(trouble: signing.Trouble) -> dict[str, Any]:
    return {"kind": trouble.kind, "why": trouble.reason, "since": trouble.since.isoformat()}


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


def _made(row: Any) -> dict[str, Any]:
    data = row.data
    took = data["milliseconds"] / 1000
    return {"at": row.time.isoformat(), "ok": True, "file": data["file"], "size": data["bytes"], "seconds": took}


def _tried(row: Any) -> dict[str, Any]:
    told = {name: row.data[name] for name in ("ok", "rpo_seconds", "rto_seconds")}
    return told | {"at": row.time.isoformat(), "problem": "; ".join(row.data["problems"])}
