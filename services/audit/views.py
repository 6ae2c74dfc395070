"""Rows of the log as pages show them."""

from __future__ import annotations

from typing import Any

from services.audit import labels
from services.audit.storage.search import LETTER
from services.audit.telling import Teller
from services.audit.words import CODES

_LONG = 160


def act(row: Any, teller: Teller) -> dict[str, Any]:
    """Return what a line about an act shows."""
    body = teller.body(row)
    return {
        "index": row.leaf_index,
        "id": row.event_id,
        "what": labels.kind(row.type),
        "type": row.type,
        "who": row.actor_name or body["actor"]["name"] or row.actor_id,
        "person": row.actor_id,
        "role": labels.ROLES.get(row.role or "", row.role or ""),
        "system": row.actor_kind == "system",
        "organisation": row.organisation,
        "at": row.occurred_at,
        "case": row.case,
        "entity": row.entity,
        "outcome": row.outcome,
        "line": teller.line(row.type, body),
        "detail": detail(row.type, body),
        "letters": None,
    }


def detail(type_: str, body: dict[str, Any]) -> str:
    """Return the sentence that the act itself gives: why it was refused, what was opened, the reason given."""
    data = body["data"]
    if type_.endswith((".attempt.refused", ".event.rejected")):
        text = str(data.get("detail") or data.get("problem") or "")
    elif type_.endswith(".record.viewed"):
        kind, _, which = str(data.get("record", "")).rpartition(":")
        text = f"{data.get('what', '')} · {which[:8] if kind == 'event' else which}"
    else:
        text = str(body["reason"] or "")
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"


def is_own(row: Any, organisation: str | None) -> bool:
    """Return whether people of this organisation acted."""
    return bool(organisation) and row.organisation == organisation


def is_letter(row: Any) -> bool:
    """Return whether a row says what happened to a letter."""
    return bool(row.type.startswith(LETTER))


def letters(rows: Any, teller: Teller) -> dict[str, Any]:
    """Return the letters that an act set off: each once, in the state it came to, with counts by state."""
    last = {row.entity: row for row in rows}
    states: dict[str, int] = {}
    for row in last.values():
        state = row.type.removeprefix(LETTER)
        states[state] = states.get(state, 0) + 1
    return {
        "count": len(last),
        "states": [(CODES.get(state, state), count) for state, count in states.items()],
        "all": [act(row, teller) | {"state": row.type.removeprefix(LETTER)} for row in last.values()],
    }


def with_letters(rows: Any, others: Any, teller: Teller) -> list[dict[str, Any]]:
    """Return acts, each with the letters that it set off: those of the nearest cause that is among the acts."""
    acts = {row.event_id: act(row, teller) for row in rows}
    causes = {row.event_id: row.causation_id for row in others}
    first = {row.correlation_id: row.event_id for row in rows if not is_letter(row)}
    theirs: dict[Any, list[Any]] = {}
    for row in others:
        cause, steps = row.causation_id, 0
        while cause in causes and steps < len(causes):
            cause, steps = causes[cause], steps + 1
        theirs.setdefault(cause if cause in acts else first.get(row.correlation_id), []).append(row)
    for event_id, found in theirs.items():
        if event_id in acts:
            acts[event_id]["letters"] = letters(found, teller)
    return list(acts.values())


def tree(rows: Any, teller: Teller) -> list[tuple[int, dict[str, Any]]]:
    """Return (depth, act): each act under the one that caused it, letters folded into the act that set them off."""
    mail = [row for row in rows if is_letter(row)]
    rest = [row for row in rows if not is_letter(row)] or list(rows)
    told = {item["id"]: item for item in with_letters(rest, mail if len(rest) < len(rows) else [], teller)}
    children: dict[Any, list[Any]] = {}
    for row in rest:
        children.setdefault(row.causation_id if row.causation_id in told else None, []).append(row)
    found: list[tuple[int, dict[str, Any]]] = []
    todo = [(0, row) for row in reversed(children.get(None, []))]
    while todo:
        depth, row = todo.pop()
        found.append((depth, told[row.event_id]))
        todo += [(depth + 1, child) for child in reversed(children.pop(row.event_id, []))]
    return found


def ladder(steps: list[dict[str, Any]], leaf: str, root: str, index: int) -> dict[str, Any]:
    """Return the picture of an inclusion proof: from the leaf at the foot, step by step to the root."""
    rung, rows = 46, []
    foot = rung * len(steps) + 26
    for number, step in enumerate(steps, 1):
        rows.append(step | {"y": foot - rung * number, "x": 24 if step["side"] == "left" else 424, "number": number})
    return {"rows": rows, "height": foot + 40, "foot": foot, "leaf": leaf, "root": root, "index": index, "rung": rung}
