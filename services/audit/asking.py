"""The language in which people ask the log: `person:"Dana K" kind:grants.application.* changed:amount from:45000`.

Each field stands once; they narrow the search together. Words stand as they are, a minus before a word leaves out
what has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import Any

from services.audit import labels
from shared import asking
from shared.asking import Field, Mistake, Search, Term, Value, WrongError, choice, plain, quoted, when
from shared.errors import Rule
from shared.events import event_types
from shared.settings import SERVICES

__all__ = ["FIELDS", "NAMES", "Mistake", "Search", "Term", "asked", "kinds", "parse", "quoted", "written"]
_ENTITY = re.compile(r"[a-z][a-z0-9_]*(:\S+)?")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]")
_LEAVES = re.compile(r"[0-9]{1,15}")


def kinds() -> set[str]:
    """Return every kind of act that can be asked for."""
    common = {prefix + rest for prefix in labels.SERVICES for rest in labels.COMMON}
    return {*labels.KINDS, *common, *(name for name, _ in event_types())}


def _kind(value: str, _known: Any) -> Value:
    small = value.lower()
    known = kinds()
    start = small.removesuffix("*")
    if small.endswith(("*", ".")):
        start = start if start.endswith(".") else f"{start}."
        if any(name.startswith(start) for name in known):
            return start
        near = get_close_matches(start, {name[: name.index(".", at)] + "." for name in known for at in _dots(name)}, 1)
        raise WrongError(Rule("no act begins like this"), f"{near[0]}*" if near else "")
    if small in known:
        return small
    near = get_close_matches(small, known, 1, 0.5)
    if any(name.startswith(f"{small}.") for name in known):
        near = [f"{small}.*"]
    raise WrongError(Rule("there is no such act; a service's acts are grants.*, say"), near[0] if near else "")


def _dots(name: str) -> list[int]:
    return [match.start() for match in re.finditer(r"\.", name)]


def _shaped(shape: re.Pattern[str], rule: str) -> Callable[[str, Any], Value]:
    def read(value: str, _known: Any) -> Value:
        if not shape.fullmatch(value):
            raise WrongError(Rule(rule))
        return value

    return read


def _time(value: str, known: Any) -> Value:
    try:
        return datetime.fromisoformat(value) if _MOMENT.match(value) else date.fromisoformat(value)
    except ValueError:
        return when(value, known)


FIELDS: Mapping[str, Field] = {
    "person": Field(plain, single=True),
    "case": Field(plain, single=True),
    "kind": Field(_kind, single=True),
    "role": Field(choice(*labels.ROLES), single=True),
    "organisation": Field(plain, single=True),
    "entity": Field(
        _shaped(_ENTITY, "is neither a kind of thing, such as award, nor one thing, such as award:1"), single=True
    ),
    "programme": Field(plain, single=True),
    "service": Field(choice(*SERVICES), single=True),
    "outcome": Field(choice(*labels.OUTCOMES), single=True),
    "since": Field(_time, single=True),
    "until": Field(_time, single=True),
    "changed": Field(_shaped(_FIELD, "is not a field: write its name, such as amount"), single=True),
    "from": Field(plain, single=True),
    "to": Field(plain, single=True),
    "leaves": Field(_shaped(_LEAVES, "is not a number of leaves"), single=True),
}
# Fields whose name in the language is not that of the filter.
NAMES = {"from": "old", "to": "new", "leaves": "size"}


def parse(text: str) -> Search:
    """Return what is asked for; whatever the text, mistakes are told with their place and never raised."""
    search = asking.parse(text, FIELDS, None)
    mistakes = [*search.mistakes, *_twice(search), *_sides(search)]
    return Search(search.text, search.terms, tuple(sorted(mistakes, key=lambda item: item.start)))


def _twice(search: Search) -> list[Mistake]:
    rule = Rule("each field stands once: they narrow the search together")
    return [Mistake(term.start, term.end, rule) for name in FIELDS for term in search.of(name)[1:]]


def _sides(search: Search) -> list[Mistake]:
    """Return the mistake of a value before or after a change of which nobody said the field."""
    if search.of("changed") or any("changed:" in search.text[wrong.start : wrong.end] for wrong in search.mistakes):
        return []
    rule = Rule("say which field changed")
    sides = [term for name in ("from", "to") for term in search.of(name)]
    return [Mistake(t.start, t.end, rule, f"changed:amount {search.text[t.start : t.end]}") for t in sides[:1]]


@dataclass(frozen=True)
class Asked:
    """What a search asks for: values by the names of the filters; `since` and `until` as they were written."""

    values: dict[str, str]
    since: date | datetime | timedelta | None
    until: date | datetime | timedelta | None


def asked(search: Search) -> Asked:
    """Return the values of a search without mistakes."""
    found = {name: term.values[0] for name in FIELDS for term in search.of(name)}
    words = " ".join(search.text[term.start : term.end] for term in search.of(asking.WORDS))
    plain_ = {NAMES.get(n, n): str(v) for n, v in found.items() if n not in ("since", "until")}
    since, until = found.get("since"), found.get("until")
    times = [value if isinstance(value, date | timedelta) else None for value in (since, until)]
    return Asked(({"q": words} if words else {}) | plain_, *times)


def written(values: Mapping[str, str]) -> str:
    """Return the text that asks for these values, by the names of the filters."""
    fields = {own: name for name, own in NAMES.items()}
    parts = [values["q"]] if values.get("q") else []
    for name, value in values.items():
        if name == "q" or not value:
            continue
        text = f"{value}*" if name == "kind" and value.endswith(".") else value
        parts.append(f"{fields.get(name, name)}:{quoted(text)}")
    return " ".join(parts)
