"""Reading a programme pack: a folder of YAML files becomes one JSON value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from shared.entity import canonical_hash
from shared.errors import InvalidError
from shared.events.cofinancing_rules import CofinancingRules
from shared.events.decision_rules import decision_problems
from shared.forms import call_problems
from shared.web.forms import field_errors

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
        return yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)  # noqa: S506 - a safe loader, in C
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidError({path.name: f"cannot be read: {error}"}) from error


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
            inner = {part.stem: read_yaml(part) for part in sorted(path.glob("*.yaml"))}
            pack |= {path.name: inner} if inner else {}
    if wrong := call_problems(pack) | decision_problems(pack):
        raise InvalidError(wrong, "The programme can't be loaded")
    facts = pack["programme"]
    programme_id = facts.get("programme") if isinstance(facts, dict) else None
    if not isinstance(programme_id, str) or not programme_id:
        raise InvalidError({"programme.yaml": "must name the programme: `programme: its-id`"})
    _check_cofinancing(pack)
    return programme_id, pack, canonical_hash(pack)


def _check_cofinancing(pack: dict[str, Any]) -> None:
    """Raise InvalidError that names file, field and rule when the rules of co-financing contradict themselves."""
    if "cofinancing" not in pack:
        return
    try:
        rules = CofinancingRules.model_validate(pack["cofinancing"])
    except ValidationError as error:
        problems = field_errors(error.errors(include_url=False, include_input=False))
    else:
        flows = pack.get("workflows")
        known = [flow for flow in flows.values() if isinstance(flow, dict)] if isinstance(flows, dict) else []
        named = {str(flow.get("workflow")): flow for flow in known}
        problems = {**rules.misfits(), **rules.misfits_with(named.get(rules.workflow))}
    if problems:
        raise InvalidError({f"cofinancing.yaml: {field}": rule for field, rule in problems.items()})
