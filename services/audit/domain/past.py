"""An entity as it was: rebuilt from what its events changed, and checked against the hash that the last one carries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.entity import HIDDEN, canonical_hash

Verdict = Literal["matches", "unproven", "hidden", "before", "broken", "unhashed"]


@dataclass(frozen=True)
class Told:
    """What one event of an entity says of its state; `opaque`: values in it are sealed, or were erased."""

    sequence: int
    changes: Mapping[str, Sequence[Any]]
    after_hash: str | None
    opaque: bool = False


@dataclass(frozen=True)
class Past:
    """A state by field, which of its fields the log does not tell, and what checking it gave.

    matches: the hash of the state is the one of the last event; unproven: it is another one;
    hidden: some values are not in the log; before: the first events are not in the log;
    broken: what one event left is not what the next one found; unhashed: no event carries a hash.
    """

    state: dict[str, Any]
    hidden: frozenset[str]
    verdict: Verdict


def rebuilt(own_id: str, events: Sequence[Told], names: Collection[str] = ()) -> Past:
    """Return the state after these events, which are all of an entity up to a moment, in their order.

    `names` are fields that entities of this kind may have: one that was empty from the start is in no event of this
    one, and yet in the state that was hashed.
    """
    state: dict[str, Any] = {}
    hidden: set[str] = set()
    fits, opaque, expected = True, False, None
    for number, event in enumerate(events, 1):
        fits = fits and event.sequence == number
        opaque = opaque or event.opaque
        for name, (old, new) in event.changes.items():
            if HIDDEN in (old, new):
                hidden.add(name)
            elif name not in hidden and not event.opaque:
                fits = fits and state.get(name) == old
            state[name] = new
        expected = event.after_hash or expected
    begins = bool(events) and events[0].sequence != 1
    verdict = _verdict(begins=begins, fits=fits, hidden=bool(hidden) or opaque, expected=expected)
    if verdict is None:
        verdict = "matches" if expected in _hashes({"id": own_id, **state}, names) else "unproven"
    return Past(state, frozenset(hidden), verdict)


def _verdict(*, begins: bool, fits: bool, hidden: bool, expected: str | None) -> Verdict | None:
    if begins:
        return "before"
    if not fits:
        return "broken"
    if expected is None:
        return "unhashed"
    return "hidden" if hidden else None


def _hashes(state: dict[str, Any], names: Collection[str]) -> set[str]:
    return {canonical_hash(state), canonical_hash(dict.fromkeys(names) | state)}
