"""Comparing a live row with the last act on record about it: has anything but the programs changed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.entity import HIDDEN, canonical_hash

Nature = Literal["altered", "appeared", "vanished"]
# Where events call an entity otherwise than its table.
_KINDS = {("portal", "account"): "user", ("loans", "group_of_firms"): "group"}
LONGEST = 200  # characters of a value that are kept
# What stands in a value where the record says nothing: private, sealed under a key that is not here, or erased.
UNREADABLE = (HIDDEN, "[sealed]", "[erased]")
# Whose fields are a person's own: told by name alone.
PERSONAL = frozenset({("portal", "user")})


def kind_of(source: str, table: str) -> str:
    """Return by what name a service's events call the entities of a table."""
    return _KINDS.get((source, table), table)


@dataclass(frozen=True)
class Live:
    """A row as it is, with the number of the last event about it, both of one moment; None: there never was one."""

    entity: str  # "kind:id"
    version: int
    state: dict[str, Any]
    updated_at: str
    last: int | None


@dataclass(frozen=True)
class Audited:
    """What the log has of an entity up to an event: its newest number, and the newest act with a hash of the state.

    `after_hash` is None where nobody can read it any more: the person whose state it is was erased.
    """

    newest: int
    sequence: int | None = None
    event_id: str | None = None
    after_hash: str | None = None
    at: str | None = None
    by: str | None = None
    case: str | None = None


@dataclass(frozen=True)
class Finding:
    """A row that is not as its last act left it. `fields` is {name: [as audited, as it is]}."""

    source: str
    entity: str
    nature: Nature
    fields: dict[str, list[Any]] = field(default_factory=dict)
    sequence: int | None = None
    event_id: str | None = None
    at: str | None = None
    by: str | None = None
    case: str | None = None
    version: int | None = None


Verdict = Literal["same", "waiting", "altered", "appeared", "unknowable"]


def judge(live: Live, audited: Audited | None) -> Verdict:
    """Return what a row is beside the record: an act that is on its way to the log is waited for."""
    if live.last is None:
        return "appeared"
    if audited is None or audited.newest < live.last:
        return "waiting"
    if audited.sequence is None:
        return "appeared"
    if audited.after_hash is None:
        return "unknowable"
    return "same" if canonical_hash(live.state) == audited.after_hash else "altered"


def rebuilt(changes: Iterable[Mapping[str, list[Any]]]) -> dict[str, Any]:
    """Return the state that the changes of all acts, in their order, lead to; None-valued fields may be absent."""
    state: dict[str, Any] = {}
    for step in changes:
        state |= {name: pair[1] for name, pair in step.items()}
    return state


def differing(audited: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return {field: [as audited, as it is]}, long values cut; unreadable ones only when nothing else explains it."""
    names = sorted((audited.keys() | live.keys()) - {"id"})
    hidden = [name for name in names if _unreadable(audited.get(name))]
    found = {
        name: [_short(audited.get(name)), _short(live.get(name))]
        for name in names
        if name not in hidden and audited.get(name) != live.get(name)
    }
    return found or {name: [HIDDEN, HIDDEN] for name in hidden}


def _unreadable(value: Any) -> bool:
    """Say whether a value, or a part of it, is one that the record keeps from its readers."""
    if isinstance(value, Mapping):
        return any(map(_unreadable, value.values()))
    if isinstance(value, list):
        return any(map(_unreadable, value))
    return isinstance(value, str) and any(word in value for word in UNREADABLE)


def _short(value: Any) -> Any:
    if isinstance(value, str | list | dict) and len(str(value)) > LONGEST:
        return f"{str(value)[:LONGEST]}…"
    return value
