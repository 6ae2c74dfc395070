"""Rows of the log as pages show them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from services.audit import labels
from services.audit.storage.search import Filters, Overview

_BRIEF_CHANGES = 3
_BRIEF_LENGTH = 80


def act(row: Any) -> dict[str, Any]:
    """Return what a line about an act shows."""
    body = json.loads(row.body)
    return {
        "index": row.leaf_index,
        "id": row.event_id,
        "what": labels.kind(row.type),
        "type": row.type,
        "who": row.actor_name or row.actor_id,
        "person": row.actor_id,
        "role": labels.ROLES.get(row.role or "", row.role or ""),
        "system": row.actor_kind == "system",
        "organisation": row.organisation,
        "at": row.occurred_at,
        "case": row.case,
        "entity": row.entity,
        "outcome": row.outcome,
        "changes": brief(body["changes"]),
        "detail": detail(row.type, body),
    }


def brief(changes: dict[str, list[Any]]) -> list[tuple[str, str, str]]:
    """Return the first few changes whose values are short enough for a line."""
    lines = []
    for name, (old, new) in changes.items():
        texts = [short(old), short(new)]
        if all(len(text) <= _BRIEF_LENGTH for text in texts):
            lines.append((name.replace("_", " "), texts[0], texts[1]))
    return lines[:_BRIEF_CHANGES]


def short(value: Any) -> str:
    """Return a value as a few words."""
    if value is None:
        return "–"
    if isinstance(value, dict) and value.keys() == {"amount", "currency"}:
        return f"{value['amount']}\u00a0{value['currency']}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def detail(type_: str, body: dict[str, Any]) -> str:
    """Return the sentence that the act itself gives: why it was refused, what was opened, the reason given."""
    data = body["data"]
    if type_.endswith((".attempt.refused", ".event.rejected")):
        return str(data.get("detail") or data.get("problem") or "")
    if type_.endswith(".record.viewed"):
        return f"{data.get('what', '')} {data.get('record', '')}"
    return str(body["reason"] or "")


def tree(rows: Any) -> list[tuple[int, dict[str, Any]]]:
    """Return (depth, act): each act under the one that caused it."""
    known = {row.event_id for row in rows}
    children: dict[Any, list[Any]] = {}
    for row in rows:
        children.setdefault(row.causation_id if row.causation_id in known else None, []).append(row)
    found: list[tuple[int, dict[str, Any]]] = []
    todo = [(0, row) for row in reversed(children.get(None, []))]
    while todo:
        depth, row = todo.pop()
        found.append((depth, act(row)))
        todo += [(depth + 1, child) for child in reversed(children.pop(row.event_id, []))]
    return found


def without(filters: Filters, name: str) -> str:
    """Return the address of this search without one filter."""
    return address({key: value for key, value in filters.given().items() if key != name})


def with_(filters: Filters, name: str, value: str) -> str:
    """Return the address of this search with one filter more."""
    return address(filters.given() | {name: value})


def address(given: dict[str, str]) -> str:
    """Return the address of a search."""
    query = urlencode(given)
    return f"/audit/?{query}" if query else "/audit/"


def histogram(overview: Overview, *, height: int = 52) -> dict[str, Any]:
    """Return the bars of the histogram as numbers of an SVG."""
    most = max((count for _, count, _ in overview.bars), default=0)
    bars = [
        {
            "x": number * 13,
            "height": round(height * count / most, 1) if count else 0,
            "refused": round(height * refused / most, 1) if refused else 0,
            "count": count,
            "at": start,
        }
        for number, (start, count, refused) in enumerate(overview.bars)
    ]
    return {"bars": bars, "width": max(13 * len(bars), 13 * 20), "height": height}


def ladder(steps: list[dict[str, Any]], leaf: str, root: str, index: int) -> dict[str, Any]:
    """Return the picture of an inclusion proof: from the leaf at the foot, step by step to the root."""
    rung, rows = 46, []
    foot = rung * len(steps) + 26
    for number, step in enumerate(steps, 1):
        rows.append(step | {"y": foot - rung * number, "x": 24 if step["side"] == "left" else 424, "number": number})
    return {"rows": rows, "height": foot + 40, "foot": foot, "leaf": leaf, "root": root, "index": index, "rung": rung}
