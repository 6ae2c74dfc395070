"""What two versions of a part of a pack differ in, leaf by leaf; rows are compared by their ids, not their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_IDS = ("id", "type")


@dataclass(frozen=True)
class Difference:
    """One value that differs, as text; nothing stands as empty text."""

    path: str
    before: str
    after: str

    def as_dict(self) -> dict[str, str]:
        """Return it as JSON."""
        return asdict(self)


def differences(before: Any, after: Any) -> list[Difference]:
    """Return what differs, in the order of the paths; members that say nothing (null, empty) are no difference."""
    old, new = _leaves(before, ""), _leaves(after, "")
    paths = dict.fromkeys([*new, *old])
    return [Difference(path, old.get(path, ""), new.get(path, "")) for path in paths if old.get(path) != new.get(path)]


def _leaves(value: Any, path: str) -> dict[str, str]:
    if isinstance(value, Mapping):
        found: dict[str, str] = {}
        for name, inner in value.items():
            found |= _leaves(inner, f"{path}.{name}" if path else str(name))
        return found
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return _rows(value, path)
    text = _text(value)
    return {path: text} if text else {}


def _rows(rows: list[Mapping[str, Any]], path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    names = []
    for number, row in enumerate(rows):
        name = next((str(row[key]) for key in _IDS if row.get(key)), str(number))
        names.append(name)
        found |= _leaves({k: v for k, v in row.items() if k not in _IDS}, f"{path}.{name}")
    return found | {f"{path}.order": ", ".join(names)}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return str(value)


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the top-level members that differ."""
    names = dict.fromkeys([*after, *before])
    return sorted(name for name in names if differences(before.get(name), after.get(name)))


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Difference]]:
    """Return {file: what differs} of two versions of a pack."""
    found: dict[str, list[Difference]] = {}
    for item in differences(before, after):
        names = item.path.split(".")
        folder = names[0] in {"calls", "scoring", "workflows", "checklists", "letters"} and len(names) > 2
        file, rest = ("/".join(names[:2]), names[2:]) if folder else (names[0], names[1:])
        found.setdefault(file, []).append(Difference(".".join(rest), item.before, item.after))
    return found
