"""An export on paper: who searched for what, the entries, and the checkpoint under which they stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.audit.domain.export import Export
from services.audit.handlers.export_rows import cells, say
from services.audit.storage import tree
from services.audit.storage.opening import Opener

TEMPLATE = Path(__file__).parents[1] / "templates" / "export.typ"
_COMPILE: dict[str, Any] = {"format": "pdf", "pdf_standards": ["a-3a", "ua-1"], "ignore_system_fonts": True}
_LONG = 400


def printed(item: Export, rows: Sequence[Any], opener: Opener, zone: ZoneInfo, checkpoint: tree.Signed) -> bytes:
    """Return the entries as a tagged PDF/A."""
    day = item.asked_at.date()
    told = [cells(row, opener) | {"at": row.occurred_at.astimezone(zone)} for row in rows]
    data = {
        "lang": item.locale,
        "title": say("Audit log"),
        "day": [day.year, day.month, day.day],
        "about": [
            [say("Asked by"), item.by_name],
            [say("Purpose"), item.purpose],
            [say("Search"), item.search or say("everything")],
            [say("Entries"), str(len(rows))],
        ],
        "head": [say(name) for name in ("Leaf", "When", "Who", "What", "Case", "Changes")],
        "rows": [
            [
                str(one["index"]),
                f"{one['at']:%Y-%m-%d %H:%M:%S}",
                one["name"] or one["person"],
                one["what"] + (f" ({one['outcome']})" if one["outcome"] != "success" else ""),
                one["case"] or "",
                _changed(one["changes"]),
            ]
            for one in told
        ],
        "checkpoint": [say("Signed state of the log"), checkpoint.note.strip()],
    }
    import typst  # noqa: PLC0415 - twelve megabytes for whoever prints

    inputs = {"data": json.dumps(data, ensure_ascii=False, sort_keys=True)}
    made: bytes = typst.compile(_template(), sys_inputs=inputs, timestamp=int(item.asked_at.timestamp()), **_COMPILE)
    return made


def _changed(changes: str) -> str:
    pairs = json.loads(changes or "{}")
    text = "; ".join(f"{name}: {_plain(old)} → {_plain(new)}" for name, (old, new) in pairs.items())
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _plain(value: Any) -> str:
    return (
        "–"
        if value in (None, "", [], {})
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )


@cache
def _template() -> bytes:
    return TEMPLATE.read_bytes()
