"""What an export says of an entry: the same columns in every format, exact values, and names in the reader's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from services.audit import labels
from services.audit.offline.verify import COLUMNS
from services.audit.storage.opening import Opener
from shared.events.canonical import canonical
from shared.exports.tables import Column, Table
from shared.i18n import translate

HEADINGS = {
    "index": "Leaf", "event_id": "Id of the event", "time": "When", "recorded": "Recorded", "what": "What",
    "type": "Kind of act", "person": "Id of the person", "name": "Who", "role": "Role", "organisation": "Organisation",
    "programme": "Programme", "case": "Case", "entity": "Entity", "sequence": "Sequence", "service": "Service",
    "position": "Position", "outcome": "Outcome", "reason": "Reason", "changes": "Changes", "data": "What the act says",
}  # fmt: skip
Tick = Callable[[], None]


def say(message: str) -> str:
    """Return a message in the reader's language."""
    return translate("audit", message)


def cells(row: Any, opener: Opener) -> dict[str, Any]:
    """Return what is said of an entry, by column: texts as the leaf has them, whole numbers as numbers."""
    body = opener.body(row.body, row.event_id)
    return {
        "index": row.leaf_index,
        "event_id": str(row.event_id),
        "time": row.occurred_at.isoformat(timespec="microseconds"),
        "recorded": row.recorded_at.isoformat(timespec="microseconds"),
        "what": say(labels.kind(row.type)),
        "type": row.type,
        "person": row.actor_id,
        "name": body["actor"]["name"],
        "role": row.role,
        "organisation": row.organisation,
        "programme": row.programme,
        "case": row.case,
        "entity": row.entity,
        "sequence": row.sequence,
        "service": row.source,
        "position": row.position,
        "outcome": row.outcome,
        "reason": body["reason"],
        "changes": _json(body["changes"]),
        "data": _json(body["data"]),
    }


def _json(value: Any) -> str:
    return canonical(value).decode() if value else ""


def table(rows: Iterator[Any], opener: Opener, zone: ZoneInfo, *, headings: bool) -> Table:
    """Return the entries as a table; without `headings` its columns have the names that `verify` knows."""
    names = [say(HEADINGS[name]) if headings else name for name in COLUMNS]
    columns = [
        Column(name, "number" if key in {"index", "sequence", "position"} else "text")
        for key, name in zip(COLUMNS, names, strict=True)
    ]
    return Table(say("Audit log"), columns, (tuple(cells(row, opener).values()) for row in rows), zone)


def lines(rows: Iterator[Any], opener: Opener) -> Iterator[bytes]:
    """Give the entries as JSON, one a line."""
    for row in rows:
        said = cells(row, opener)
        said |= {name: json.loads(said[name] or "{}") for name in ("changes", "data")}
        yield json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
