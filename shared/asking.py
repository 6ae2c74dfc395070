"""A language in which people ask for things: `stage:review,panel -officer:me amount:>50000EUR "dairy farms"`.

Each list has fields of its own, which say how their values are read; the rest is the same everywhere. Every term
narrows the list. A term that can't be understood is a `Mistake` with its place in the text: nothing is guessed, and
no text raises an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from shared.errors import Rule
from shared.money import Money

MAX_TEXT, MAX_TERMS, MAX_VALUES = 1000, 30, 20
WORDS = "words"  # the field of what is searched for freely
Value = str | Decimal | date | timedelta | Money
_TOKEN = re.compile(r'-?(?:[^\s"]|"[^"]*"?)+')
_FIELD = re.compile(r"(-?)([A-Za-z]+):(.*)", re.DOTALL)
_VALUE = re.compile(r'"([^"]*)"|([^,"]+)')
_COMPARED = re.compile(r"(<=|>=|<|>|=)?(.*)", re.DOTALL)
_SPAN = re.compile(r"([0-9]{1,4})([hdw])")
_YEARS = (1990, 2200)
_HOURS = {"h": 1, "d": 24, "w": 168}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Term:
    """One condition: any of `values` in `field`, or `negated` none of them; `text[start:end]` is how it was written."""

    field: str
    values: tuple[Value, ...]
    start: int
    end: int
    op: str = "="
    negated: bool = False


@dataclass(frozen=True)
class Mistake:
    """What is wrong at `text[start:end]`, and what may have been meant (a whole term), if anything comes to mind."""

    start: int
    end: int
    rule: Rule
    fix: str = ""


@dataclass(frozen=True)
class Search:
    """A text and what was understood of it."""

    text: str
    terms: tuple[Term, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    def of(self, name: str) -> list[Term]:
        """Return the terms of a field."""
        return [term for term in self.terms if term.field == name]

    def without(self, *taken: Term) -> str:
        """Return the text without some of its terms."""
        text = self.text
        for term in sorted(taken, key=lambda item: -item.start):
            text = f"{text[: term.start].rstrip()} {text[term.end :].lstrip()}".strip()
        return text

    def with_term(self, name: str, value: str) -> str:
        """Return the text with this value as the field's only one; without the field when the value is empty."""
        rest = self.without(*self.of(name))
        return f"{rest} {name}:{quoted(value)}".strip() if value else rest


class WrongError(ValueError):
    """A value that its field does not take."""

    def __init__(self, rule: Rule, fix: str = "") -> None:
        self.rule, self.fix = rule, fix


@dataclass(frozen=True)
class Field:
    """How a field's values are read, and whether they can be more or less than something."""

    read: Callable[[str, Any], Value]
    compared: bool = False
    single: bool = False


def quoted(value: str) -> str:
    """Return a value as it is written in a query."""
    value = value.replace('"', "")
    return f'"{value}"' if not value or re.search(r"[\s,:]", value) or value[0] in "-<>=" else value


def parse(text: str, fields: Mapping[str, Field], known: Any) -> Search:
    """Return what is asked for; whatever the text, mistakes are told with their place and never raised.

    `known` is handed to each field's `read`: what exists where is asked, say.
    """
    found: list[Term] = []
    mistakes: list[Mistake] = []
    if len(text) > MAX_TEXT:
        rule = Rule("is longer than %(most)s characters", most=MAX_TEXT)
        return Search(text, (), (Mistake(MAX_TEXT, len(text), rule),))
    for match in _TOKEN.finditer(text):
        try:
            found.append(_term(match, fields, known))
        except WrongError as wrong:
            mistakes.append(Mistake(match.start(), match.end(), wrong.rule, wrong.fix))
    if len(found) > MAX_TERMS:
        first = found[MAX_TERMS]
        rule = Rule("there are more than %(most)s terms: leave some out", most=MAX_TERMS)
        mistakes.append(Mistake(first.start, len(text), rule))
    return Search(text, tuple(found[:MAX_TERMS]), tuple(mistakes))


def _term(match: re.Match[str], fields: Mapping[str, Field], known: Any) -> Term:
    token, place = match.group(), match.span()
    if _CONTROL.search(token):
        raise WrongError(Rule("there is a character in it that can't be typed"))
    if token.count('"') % 2:
        raise WrongError(Rule("the closing quotation mark is missing"), f'{token}"')
    written = _FIELD.fullmatch(token)
    if written is None:
        negated = token.startswith("-") and len(token) > 1
        words = token[negated:].strip('"').strip()
        if not words:
            raise WrongError(Rule("there is no word between the quotation marks"))
        return Term(WORDS, (words,), *place, op="phrase" if '"' in token else "=", negated=negated)
    minus, name, rest = written.groups()
    kind = fields.get(name.lower())
    if kind is None:
        raise _unknown_field(token, name, rest, fields)
    op, raw = _compared(name.lower(), kind, rest)
    values = tuple(_values(minus + name.lower() + ":" + op.strip("="), kind, raw, known))
    if kind.single and (minus or len(values) > 1):
        raise WrongError(Rule("one at a time: no list and no minus here"), f"{name.lower()}:{raw.split(',')[0]}")
    return Term(name.lower(), values, *place, op=op, negated=bool(minus))


def _unknown_field(token: str, name: str, rest: str, fields: Mapping[str, Field]) -> WrongError:
    near = get_close_matches(name.lower(), fields, 1)
    rule = Rule("there is no “%(name)s:”. There are: %(known)s", name=name, known=", ".join(fields))
    return WrongError(rule, f"{near[0]}:{rest}" if near and rest else f'"{token.lstrip("-")}"')


def _compared(name: str, kind: Field, rest: str) -> tuple[str, str]:
    matched = _COMPARED.fullmatch(rest)
    op, raw = (matched.group(1) or "=", matched.group(2)) if matched else ("=", rest)
    if op != "=" and not kind.compared:
        raise WrongError(Rule("“%(name)s:” takes no %(sign)s", name=name, sign=op), f"{name}:{raw}" if raw else "")
    if op != "=" and "," in raw:
        rule = Rule("after %(sign)s there is one value, without commas", sign=op)
        raise WrongError(rule, f"{name}:{op}{raw.replace(',', '')}")
    return op, raw


def _values(before: str, kind: Field, raw: str, known: Any) -> Iterator[Value]:
    parts = list(_VALUE.finditer(raw))
    if not parts or raw != ",".join(part.group() for part in parts):
        raise WrongError(Rule("a value is missing"), before + ",".join(p.group() for p in parts) if parts else "")
    if len(parts) > MAX_VALUES:
        raise WrongError(Rule("there are more than %(most)s values", most=MAX_VALUES))
    for part in parts:
        value = (part.group(1) if part.group(1) is not None else part.group(2)).strip()
        try:
            yield kind.read(_given(value), known)
        except WrongError as wrong:
            whole = before + ",".join(wrong.fix if other is part else other.group() for other in parts)
            raise WrongError(wrong.rule, whole if wrong.fix else "") from wrong


def _given(value: str) -> str:
    if not value:
        raise WrongError(Rule("a value is missing"))
    return value


def plain(value: str, _known: Any) -> Value:
    """Read any text."""
    return value


def among(value: str, names: tuple[str, ...]) -> Value:
    """Return that of `names` which was meant, in whatever case it is written; without names every value passes."""
    small = value.lower()
    found = next((name for name in names if name.lower() == small), None)
    if names and found is None:
        near = get_close_matches(small, [name.lower() for name in names], 1)
        fix = next((quoted(name) for name in names if near and name.lower() == near[0]), "")
        rule = Rule("there is no “%(value)s” here. There are: %(known)s", value=value, known=", ".join(names))
        raise WrongError(rule, fix)
    return found or value


def choice(*names: str) -> Callable[[str, Any], Value]:
    """Return what reads one of these names."""
    return lambda value, _known: among(value, names)


def when(value: str, _known: Any) -> Value:
    """Read a span of time back from now, or a day."""
    if matched := _SPAN.fullmatch(value.lower()):
        return timedelta(hours=int(matched.group(1)) * _HOURS[matched.group(2)])
    try:
        day = date.fromisoformat(value)
    except ValueError:
        rule = Rule("is neither a time span (12h, 7d, 2w) nor a day (2026-03-31)")
        raise WrongError(rule) from None
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise WrongError(Rule("the year must be %(first)s to %(last)s", first=_YEARS[0], last=_YEARS[1]))
    return day
