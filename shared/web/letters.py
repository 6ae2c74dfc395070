"""How it stands with the letters that an act caused: a timeline shows them under the act, the worst state first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping

# Gettext id and tone of every state, the one that needs a look most first.
STATES: dict[str, tuple[str, str]] = {
    "permanent_failure": ("not delivered", "bad"),
    "temporary_failure": ("tried, will be tried again", "warn"),
    "queued": ("on the way", "warn"),
    "suppressed": ("not sent: switched off by the reader", ""),
    "sent": ("delivered", "good"),
    "read": ("read", "good"),
}
_RANK = {state: rank for rank, state in enumerate(STATES)}


def by_event(rows: Iterable[RowMapping]) -> dict[str, dict[str, Any]]:
    """Return {id of the causing event: {title, label, tone, at, lines}}.

    A row is a letter: event, to, channel, title, state, at. `label` and `tone` are those of the worst letter; each
    line has to, channel, label, tone and at.
    """
    found: dict[str, list[RowMapping]] = {}
    for row in rows:
        found.setdefault(row["event"], []).append(row)
    return {event: _group(letters) for event, letters in found.items()}


def _group(letters: list[RowMapping]) -> dict[str, Any]:
    worst = min(letters, key=lambda letter: _RANK.get(letter["state"], 0))
    label, tone = _said(worst)
    # Read and merely delivered letters have arrived alike.
    arrived = ("delivered", "good") if tone == "good" else (label, tone)
    return {
        "title": worst["title"],
        "label": arrived[0],
        "tone": arrived[1],
        "at": min(letter["at"] for letter in letters),
        "lines": [_line(letter) for letter in sorted(letters, key=lambda letter: (letter["to"], letter["channel"]))],
    }


def _line(letter: RowMapping) -> dict[str, Any]:
    label, tone = _said(letter)
    return {"to": letter["to"], "channel": letter["channel"], "label": label, "tone": tone, "at": letter["at"]}


def _said(letter: RowMapping) -> tuple[str, str]:
    return STATES.get(letter["state"], (letter["state"], ""))
