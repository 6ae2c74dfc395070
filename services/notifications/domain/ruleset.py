"""A programme's rules: which event tells whom by which letter. Data, read from the pack's `notifications.yaml`."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, ValidationError

from shared.entity import Part

Channel = Literal["email", "inbox"]
Purpose = Literal["acknowledge", "question", "decline"]
CHANNELS: tuple[Channel, ...] = ("email", "inbox")


class Category(Part):
    """A kind of letter; a locked one reaches people by e-mail whatever they chose."""

    name: dict[str, str]
    locked: bool = False


class Text(Part):
    """A letter in one language: places in {{ }} are fields of the event and the common fields."""

    subject: str
    text: str


class Letter(Part):
    """A letter in every language of the programme."""

    version: int = 1
    texts: dict[str, Text]

    @cached_property
    def digest(self) -> str:
        """Return the hex SHA-256 that pins the exact words."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Rule(Part):
    """When `event` happens (and `when` fits its data), tell `to` by `letter`."""

    id: str
    event: str
    when: dict[str, Any] = {}
    to: tuple[str, ...]
    letter: str
    category: str
    link: str = ""
    channels: tuple[Channel, ...] = CHANNELS
    not_actor: bool = True
    links: tuple[Purpose, ...] = ()  # what a reader may do by a link of the letter, once and without signing in

    def fits(self, event_type: str, data: dict[str, Any]) -> bool:
        """Return whether this rule speaks about that event; a list in `when` means any of its values."""
        return self.event == event_type and all(
            data.get(name) in (asked if isinstance(asked, list) else [asked]) for name, asked in self.when.items()
        )


class RuleSet(Part):
    """All rules and letters of one programme."""

    timezone: str = "UTC"
    languages: tuple[str, ...] = ("en",)
    fallback: dict[str, tuple[str, ...]] = {}
    greeting: dict[str, str] = {}
    signature: dict[str, str] = {}
    categories: dict[str, Category] = {}
    rules: tuple[Rule, ...] = ()
    letters: dict[str, Letter] = Field(default_factory=dict)

    def matching(self, event_type: str, data: dict[str, Any]) -> list[Rule]:
        """Return the rules that speak about an event, in their order."""
        return [rule for rule in self.rules if rule.fits(event_type, data)]

    def chain(self, locale: str) -> list[str]:
        """Return the languages to try for a reader, best first: their own, its fallbacks, English."""
        own = locale.replace("-", "_")
        base = own.partition("_")[0]
        return list(dict.fromkeys([own, base, *self.fallback.get(own, ()), *self.fallback.get(base, ()), "en"]))


class UnreadableRulesError(ValueError):
    """The pack's rules do not have the shape of rules; `problems` says where."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def read_pack(pack: dict[str, Any]) -> RuleSet:
    """Return the rules of a programme pack; raises UnreadableRulesError.

    `notifications.yaml` holds the rules; each file of `letters/` holds {letter: {version, en: …, ru: …}}.
    """
    rules = pack.get("notifications")
    files = pack.get("letters") or {}
    if not isinstance(rules, dict) or not isinstance(files, dict):
        raise UnreadableRulesError(["notifications.yaml: expected a mapping with `rules` and `categories`"])
    letters: dict[str, Any] = {}
    for name, content in sorted(files.items()):
        if not isinstance(content, dict):
            raise UnreadableRulesError([f"letters/{name}.yaml: expected a mapping of letters"])
        if doubled := sorted(letters.keys() & content.keys()):
            raise UnreadableRulesError([f"letters/{name}.yaml: defined twice: {', '.join(doubled)}"])
        letters |= content
    try:
        return RuleSet.model_validate(rules | {"letters": {name: _letter(raw) for name, raw in letters.items()}})
    except ValidationError as error:
        raise UnreadableRulesError(
            [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        ) from error


def _letter(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    texts = {name: value for name, value in raw.items() if name != "version"}
    return {"version": raw.get("version", 1), "texts": texts}
