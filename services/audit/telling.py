"""What events say, for people: values in the reader's language, and of lists only what changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from services.audit import labels
from services.audit.domain.sealing import filled
from services.audit.storage.opening import SEALED, Opener
from services.audit.words import CODED, CODES, FIELDS, OF_EVENTS, RATES, TELLING, TOLD
from shared.i18n import LOCALES, current_locale, translate
from shared.web.pages import DASH, Pages

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ID = re.compile(r"(?:user:)?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")
_CODE = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_PRIVATE = "[private]"
_MOST = 12  # entries of a list or of a mapping that are shown
_DEEP = 3
_LARGE = 4000
_LINE = 2  # things that a line says
_SHORT = 60
_HUGE = 10**15  # longer numbers are no amounts; they are shown as they stand


@dataclass(frozen=True)
class Node:
    """A value to show: a text, or lines of (label, node), or a list of nodes."""

    text: Any = ""
    pairs: list[tuple[str, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """One line of what changed: `before` is None for what is new, `after` for what is gone."""

    label: str
    before: Node | None
    after: Node | None


def say(message: str, **params: Any) -> str:
    """Return one of the log's messages in the reader's language."""
    return translate("audit", message, params)


def label(name: str) -> str:
    """Return what a field is called."""
    if name in FIELDS:
        return say(FIELDS[name])
    if (plain := name.removesuffix("_name")) in FIELDS:
        return say(FIELDS[plain])
    words = plain.replace("_", " ").replace(".", ": ")
    return words[:1].upper() + words[1:]


def empty(value: Any) -> bool:
    """Return whether there is nothing to say about a value."""
    return value is None or value in ("", [], {})


def is_money(value: Any) -> bool:
    """Return whether a value is an amount with its currency."""
    return isinstance(value, Mapping) and value.keys() == {"amount", "currency"}


def is_plain(value: Any) -> bool:
    """Return whether a value is said in one text: no list, no mapping but money and words in languages."""
    return not isinstance(value, list | Mapping) or is_money(value) or _is_words(value)


def _is_words(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and value.keys() <= set(LOCALES)


def ids_in(value: Any) -> Iterator[str]:
    """Return the ids of people and things anywhere in a value."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from ids_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from ids_in(part)
    elif isinstance(value, str) and (found := _ID.fullmatch(value)):
        yield found[1]


class Teller:
    """Says values to one reader. `names` are the names of people by their id."""

    def __init__(self, pages: Pages, names: Mapping[str, str] | None = None, opener: Opener | None = None) -> None:
        self.pages, self.names, self.opener = pages, names or {}, opener

    def body(self, row: Any) -> dict[str, Any]:
        """Return the body of a stored event, with what is sealed of people opened where there is a key."""
        whole: dict[str, Any] = (
            self.opener.body(row.body, row.event_id) if self.opener else filled(json.loads(row.body), lambda _: SEALED)
        )
        return whole

    def text(self, name: str, value: Any) -> Any:
        """Return a plain value as a text."""
        if empty(value):
            return DASH
        if isinstance(value, bool):
            return say("yes") if value else say("no")
        if isinstance(value, int | float):
            return self.pages.number(value) if abs(value) < _HUGE and value == int(value) else str(value)
        if isinstance(value, Mapping):
            return self.pages.money(value) if is_money(value) else self._words(value)
        return self._string(name, str(value))

    def _string(self, name: str, value: str) -> Any:
        if value == _PRIVATE:
            return say("not kept in the log")
        with suppress(ValueError, OverflowError, ArithmeticError):  # it looks like one, and is none
            if name in RATES:
                return self.pages.percent(value, 2)
            if _MOMENT.match(value):
                return self.pages.moment(value)
            if _DAY.fullmatch(value):
                return self.pages.day(value)
        return self._code(name, value)

    def _code(self, name: str, value: str) -> str:
        if found := _ID.fullmatch(value):
            return self.names.get(found[1], value)
        if name == "event_type":
            return say(labels.kind(value))
        if name in CODED and _CODE.fullmatch(value):
            return say(CODES[value]) if value in CODES else value.replace("_", " ")
        return value

    @staticmethod
    def _words(value: Mapping[str, Any]) -> str:
        return str(value.get(current_locale.get()) or value.get("en") or next(iter(value.values())))

    def node(self, name: str, value: Any, depth: int = 0) -> Node:
        """Return a value as text, lines or a list; of a large one, such as a whole pack, its outline."""
        if not depth and not is_plain(value) and len(repr(value)) > _LARGE:
            depth = _DEEP - 1
        if is_plain(value):
            return Node(self.text(name, value))
        if empty(value):
            return Node(DASH)
        if depth >= _DEEP:
            return Node(say("%(n)s parts", n=len(value)))
        if isinstance(value, Mapping):
            return self._pairs(value, depth)
        if all(is_plain(part) for part in value) and sum(len(str(part)) for part in value) <= 3 * _SHORT:
            return Node(", ".join(str(self.text(name, part)) for part in value))
        nodes = [self.node(name, part, depth + 1) for part in value[:_MOST]]
        return Node(items=nodes + self._rest(len(value)))

    def _pairs(self, value: Mapping[str, Any], depth: int) -> Node:
        told = [(key, part) for key, part in value.items() if not empty(part) and not _named(key, value)]
        pairs = [(label(key), self.node(key, part, depth + 1)) for key, part in told[:_MOST]]
        return Node(pairs=pairs, items=self._rest(len(told)))

    @staticmethod
    def _rest(count: int) -> list[Node]:
        return [Node(say("and %(n)s more", n=count - _MOST))] if count > _MOST else []

    def data(self, data: Mapping[str, Any]) -> list[tuple[str, Node]]:
        """Return what an event says, line by line."""
        return [
            (label(name), self.node(name, value))
            for name, value in data.items()
            if not empty(value) and not _named(name, data)
        ]

    def changes(self, changes: Mapping[str, list[Any]]) -> list[Change]:
        """Return what changed, line by line; of lists and mappings only the entries that differ."""
        names = {name: pair[1] for name, pair in changes.items()}
        told = {name: pair for name, pair in changes.items() if not _named(name, names)}
        return [change for name, (old, new) in told.items() for change in self._differ(name, label(name), old, new)]

    def _differ(self, name: str, title: str, old: Any, new: Any) -> Iterator[Change]:
        if empty(old) and empty(new):
            return
        if _PRIVATE in (old, new):
            yield Change(title, None, Node(say("changed; the words are not kept in the log")))
        elif _mapping(old) and _mapping(new) and not (empty(old) and len(repr(new)) > _LARGE):
            yield from self._entries(title, old or {}, new or {})
        elif isinstance(old, list) and isinstance(new, list) and (old or new) and _keyed([*old, *new]):
            before, after = ({_key(part): part for part in parts} for parts in (old, new))
            yield from self._entries(title, before, after)
        else:
            yield self._change(name, title, old, new)

    def _entries(self, title: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
        for key in dict.fromkeys([*old, *new]):
            before, after = old.get(key), new.get(key)
            if before == after or _named(key, new) or _named(key, old):
                continue
            one = f"{title}: {_heading(key, after or before)}"
            if before is None or after is None:
                yield self._change(key, one, before, after)
            else:
                yield from self._differ(key, one, before, after)

    def _change(self, name: str, title: str, old: Any, new: Any) -> Change:
        before = None if empty(old) else self.node(name, old)
        after = None if empty(new) else self.node(name, new)
        return Change(title, before, after)

    def line(self, type_: str, body: Mapping[str, Any]) -> str:
        """Return the one or two most telling things of an act in a line."""
        data, changes = body["data"], body["changes"]
        if type_.startswith("notifications.delivery."):
            return f"{self.text('channel', data.get('channel'))} → {data.get('recipient_name') or DASH}"
        service, _, act = type_.partition(".")
        if act in OF_EVENTS:
            return " · ".join([say(labels.SERVICES.get(f"{service}.", service)), *self._given(data, OF_EVENTS[act])])
        if type_.endswith((".attempt.refused", ".record.viewed", ".event.rejected")):
            return ""
        told = [self._step(name, *changes[name]) for name in TELLING if self._tells(changes.get(name))]
        return " · ".join((told or self._given(data, TOLD))[:_LINE])

    def _given(self, data: Mapping[str, Any], names: Iterable[str]) -> list[str]:
        plain = [name for name in names if not empty(data.get(name)) and is_plain(data[name])]
        return [f"{label(name)}: {_cut(self.text(name, data[name]))}" for name in plain]

    @staticmethod
    def _tells(pair: list[Any] | None) -> bool:
        if pair is None or _PRIVATE in pair or not all(is_plain(value) for value in pair):
            return False
        return not all(empty(value) for value in pair) and not (empty(pair[0]) and isinstance(pair[1], bool))

    def _step(self, name: str, old: Any, new: Any) -> str:
        after = _cut(self.text(name, new))
        return f"{label(name)}: {after}" if empty(old) else f"{label(name)}: {_cut(self.text(name, old))} → {after}"


def _named(name: str, among: Mapping[str, Any]) -> bool:
    """Return whether a field is an id whose name stands beside it."""
    return bool(among.get(f"{name.removesuffix('_id')}_name")) and not name.endswith("_name")


def _mapping(value: Any) -> bool:
    return empty(value) or (isinstance(value, Mapping) and not is_plain(value))


def _keyed(parts: list[Any]) -> bool:
    return all(isinstance(part, Mapping) for part in parts)


def _key(part: Mapping[str, Any]) -> str:
    """Return what tells an entry of a list from the others."""
    return next((str(part[name]) for name in ("id", "number", "line", "at") if part.get(name)), repr(part))


def _heading(key: str, part: Any) -> str:
    if isinstance(part, Mapping):
        for name in ("name", "title"):
            if isinstance(part.get(name), str) and part[name]:
                return str(part[name])
        if part.get("at") == key or _ID.fullmatch(key) or len(key) > _SHORT:
            return say("entry")
    return label(key)


def _cut(text: Any) -> str:
    words = text.striptags() if isinstance(text, Markup) else str(text)
    return words if len(words) <= _SHORT else words[: _SHORT - 1] + "…"
