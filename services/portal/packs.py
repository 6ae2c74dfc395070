"""Reading a programme pack: a folder of YAML files becomes one JSON value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from shared.entity import canonical_hash
from shared.errors import InvalidError
from shared.events.award_rules import award_rule_problems
from shared.events.closeout_rules import closeout_problems
from shared.events.cofinancing_rules import CofinancingRules
from shared.events.decision_rules import decision_problems
from shared.events.diligence_rules import diligence_problems
from shared.events.partner_rules import partner_problems
from shared.events.payment_rules import payment_problems
from shared.events.publishing_facts import publishing_problems
from shared.events.reporting_rules import reporting_problems
from shared.forms import call_problems, judging_problems
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


_PROBLEMS = (
    call_problems,
    award_rule_problems,
    decision_problems,
    payment_problems,
    reporting_problems,
    closeout_problems,
    diligence_problems,
    judging_problems,
    partner_problems,
)


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
    if wrong := {field: rule for check in _PROBLEMS for field, rule in check(pack).items()}:
        raise InvalidError(wrong, "The programme can't be loaded")
    facts = pack["programme"]
    programme_id = facts.get("programme") if isinstance(facts, dict) else None
    if not isinstance(programme_id, str) or not programme_id:
        raise InvalidError({"programme.yaml": "must name the programme: `programme: its-id`"})
    _check_cofinancing(pack)
    if unfit := dict(publishing_problems(pack["programme"])):
        raise InvalidError({f"programme.yaml: {field}": rule for field, rule in unfit.items()})
    return programme_id, pack, canonical_hash(pack)


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
