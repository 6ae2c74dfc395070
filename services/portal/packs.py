"""Reading a programme pack: a folder of YAML files becomes one JSON value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from services.portal.handlers.checking import pack_problems
from shared.entity import canonical_hash
from shared.errors import InvalidError

# The people of a pack are for the first start only; they never travel with the programme.
_APART = frozenset({"people"})


class _PlainLoader(yaml.CSafeLoader):
    """Safe YAML whose dates stay text, because a pack travels as JSON."""


_PlainLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file; raises InvalidError that names the file and what is wrong."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)  # noqa: S506 - a safe loader, in C
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidError({path.name: f"cannot be read: {error}"}) from error
    if odd := next(_odd_keys(content), None):
        raise InvalidError({f"{path.name}: {odd}": "is no name: put it, or what stands before it, in quotes"})
    return content


def _odd_keys(content: Any, place: str = "") -> Iterator[str]:
    """Give the place of each key that is no text: a comma in a value without quotes makes one, and JSON has none."""
    if isinstance(content, dict):
        for name, value in content.items():
            here = f"{place}.{name}" if place else str(name)
            if not isinstance(name, str):
                yield here
            yield from _odd_keys(value, here)
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _odd_keys(value, f"{place}[{number}]")


def read_pack(folder: Path) -> tuple[str, dict[str, Any], str]:
    """Return (programme id, pack, SHA-256 of its canonical form) of a pack's folder.

    Raises InvalidError that names file, field and rule of what can't be read and of forms that can't be used.
    """
    if not (folder / "programme.yaml").is_file():
        raise InvalidError({"path": f"{folder} has no programme.yaml"})
    pack: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yaml" and path.stem not in _APART:
            pack[path.stem] = read_yaml(path)
        elif path.is_dir():
            pack |= _inner(path)
    _add_letters(folder, pack)
    if wrong := pack_problems(pack):
        raise InvalidError(wrong, "The programme can't be loaded")
    return pack["programme"]["programme"], pack, canonical_hash(pack)


def _inner(folder: Path) -> dict[str, Any]:
    inner = {part.stem: read_yaml(part) for part in sorted(folder.glob("*.yaml"))}
    return {folder.name: inner} if inner else {}


def _add_letters(folder: Path, pack: dict[str, Any]) -> None:
    """Complete a pack by the letters of the programme beside it that `letters_from` names; its own win, by file.

    What is loaded is whole: a later change of the other programme does not reach this one before it is loaded again.
    """
    facts = pack.get("programme")
    source = facts.get("letters_from") if isinstance(facts, dict) else None
    if source is None:
        return
    beside = folder.resolve().parent / str(source)
    if not (beside / "notifications.yaml").is_file() or beside.name != source:
        raise InvalidError({"programme.yaml: letters_from": f"{source} is no programme beside this one with letters"})
    own = pack.get("notifications") or {}
    pack["notifications"] = read_yaml(beside / "notifications.yaml") | own
    pack["letters"] = _inner(beside / "letters").get("letters", {}) | pack.get("letters", {})
