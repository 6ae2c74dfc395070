"""The language in which people ask for cases: `stage:review,panel -officer:me amount:>50000EUR "dairy farms"`.

Every term narrows the list. A term that can't be understood is a `Mistake` with its place in the text: nothing is
guessed, and no text raises an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches

from shared.errors import Rule
from shared.money import Money

MAX_TEXT, MAX_TERMS, MAX_VALUES = 1000, 30, 20
WORDS = "words"  # the field of what is searched for freely
Value = str | Decimal | date | timedelta | Money
_TOKEN = re.compile(r'-?(?:[^\s"]|"[^"]*"?)+')
_FIELD = re.compile(r"(-?)([A-Za-z]+):(.*)", re.DOTALL)
_VALUE = re.compile(r'"([^"]*)"|([^,"]+)')
_COMPARED = re.compile(r"(<=|>=|<|>|=)?(.*)", re.DOTALL)
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)([A-Za-z]{3})?")
_SCORE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,2})?")
_SPAN = re.compile(r"([0-9]{1,4})([hdw])")
_YEARS = (1990, 2200)
_HOURS = {"h": 1, "d": 24, "w": 168}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Known:
    """What exists in the programme that is asked about; an empty set of names lets every name pass."""

    stages: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    scores: bool = True  # whether this person may know scores


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


class _WrongError(ValueError):
    """A value that its field does not take."""

    def __init__(self, rule: Rule, fix: str = "") -> None:
        self.rule, self.fix = rule, fix


@dataclass(frozen=True)
class _Field:
    """How a field's values are read, and whether they can be more or less than something."""

    read: Callable[[str, Known], Value]
    compared: bool = False
    single: bool = field(default=False)


def quoted(value: str) -> str:
    """Return a value as it is written in a query."""
    value = value.replace('"', "")
    return f'"{value}"' if not value or re.search(r"[\s,:]", value) or value[0] in "-<>=" else value


def parse(text: str, known: Known | None = None) -> Search:
    """Return what is asked for; whatever the text, mistakes are told with their place and never raised."""
    found: list[Term] = []
    mistakes: list[Mistake] = []
    if len(text) > MAX_TEXT:
        rule = Rule("is longer than %(most)s characters", most=MAX_TEXT)
        return Search(text, (), (Mistake(MAX_TEXT, len(text), rule),))
    for match in _TOKEN.finditer(text):
        try:
            found.append(_term(match, known or Known()))
        except _WrongError as wrong:
            mistakes.append(Mistake(match.start(), match.end(), wrong.rule, wrong.fix))
    if len(found) > MAX_TERMS:
        first = found[MAX_TERMS]
        rule = Rule("there are more than %(most)s terms: leave some out", most=MAX_TERMS)
        mistakes.append(Mistake(first.start, len(text), rule))
    return Search(text, tuple(found[:MAX_TERMS]), tuple(mistakes))


def _term(match: re.Match[str], known: Known) -> Term:
    token, place = match.group(), match.span()
    if _CONTROL.search(token):
        raise _WrongError(Rule("there is a character in it that can't be typed"))
    if token.count('"') % 2:
        raise _WrongError(Rule("the closing quotation mark is missing"), f'{token}"')
    written = _FIELD.fullmatch(token)
    if written is None:
        negated = token.startswith("-") and len(token) > 1
        words = token[negated:].strip('"').strip()
        if not words:
            raise _WrongError(Rule("there is no word between the quotation marks"))
        return Term(WORDS, (words,), *place, op="phrase" if '"' in token else "=", negated=negated)
    minus, name, rest = written.groups()
    kind = FIELDS.get(name.lower())
    if kind is None:
        raise _unknown_field(token, name, rest)
    op, raw = _compared(name.lower(), kind, rest)
    values = tuple(_values(minus + name.lower() + ":" + op.strip("="), kind, raw, known))
    if kind.single and (minus or len(values) > 1):
        raise _WrongError(Rule("one at a time: no list and no minus here"), f"{name.lower()}:{raw.split(',')[0]}")
    return Term(name.lower(), values, *place, op=op, negated=bool(minus))


def _unknown_field(token: str, name: str, rest: str) -> _WrongError:
    near = get_close_matches(name.lower(), FIELDS, 1)
    rule = Rule("there is no “%(name)s:”. There are: %(known)s", name=name, known=", ".join(FIELDS))
    return _WrongError(rule, f"{near[0]}:{rest}" if near and rest else f'"{token.lstrip("-")}"')


def _compared(name: str, kind: _Field, rest: str) -> tuple[str, str]:
    matched = _COMPARED.fullmatch(rest)
    op, raw = (matched.group(1) or "=", matched.group(2)) if matched else ("=", rest)
    if op != "=" and not kind.compared:
        raise _WrongError(Rule("“%(name)s:” takes no %(sign)s", name=name, sign=op), f"{name}:{raw}" if raw else "")
    if op != "=" and "," in raw:
        rule = Rule("after %(sign)s there is one value, without commas", sign=op)
        raise _WrongError(rule, f"{name}:{op}{raw.replace(',', '')}")
    return op, raw


def _values(before: str, kind: _Field, raw: str, known: Known) -> Iterator[Value]:
    parts = list(_VALUE.finditer(raw))
    if not parts or raw != ",".join(part.group() for part in parts):
        raise _WrongError(Rule("a value is missing"), before + ",".join(p.group() for p in parts) if parts else "")
    if len(parts) > MAX_VALUES:
        raise _WrongError(Rule("there are more than %(most)s values", most=MAX_VALUES))
    for part in parts:
        value = (part.group(1) if part.group(1) is not None else part.group(2)).strip()
        try:
            yield kind.read(_given(value), known)
        except _WrongError as wrong:
            whole = before + ",".join(wrong.fix if other is part else other.group() for other in parts)
            raise _WrongError(wrong.rule, whole if wrong.fix else "") from wrong


def _given(value: str) -> str:
    if not value:
        raise _WrongError(Rule("a value is missing"))
    return value


def _text(value: str, _known: Known) -> Value:
    return value


def _among(value: str, names: tuple[str, ...]) -> Value:
    small = value.lower()
    found = next((name for name in names if name.lower() == small), None)
    if names and found is None:
        near = get_close_matches(small, [name.lower() for name in names], 1)
        fix = next((quoted(name) for name in names if near and name.lower() == near[0]), "")
        rule = Rule("there is no “%(value)s” here. There are: %(known)s", value=value, known=", ".join(names))
        raise _WrongError(rule, fix)
    return found or value


def _choice(*names: str) -> Callable[[str, Known], Value]:
    return lambda value, _known: _among(value, names)


def _amount(value: str, known: Known) -> Value:
    matched = _AMOUNT.fullmatch(value)
    if matched is None:
        raise _WrongError(Rule("is not an amount: write a number and its currency, such as 50000EUR"))
    number, currency = matched.groups()
    if currency:
        _among(currency, known.currencies)
    elif len(known.currencies) == 1:
        [currency] = known.currencies
    else:
        rule = Rule("amounts of different currencies can't be compared: say which, such as %(fix)s", fix=f"{number}EUR")
        raise _WrongError(rule, f"{number}{known.currencies[0]}" if known.currencies else "")
    return Money.model_construct(amount=Decimal(number), currency=currency.upper())


def _score(value: str, known: Known) -> Value:
    if not known.scores:
        raise _WrongError(Rule("scores are not for your role"))
    if not _SCORE.fullmatch(value) or Decimal(value) > 100:
        raise _WrongError(Rule("is not a score: write a number from 0 to 100"))
    return Decimal(value)


def _when(value: str, _known: Known) -> Value:
    if matched := _SPAN.fullmatch(value.lower()):
        return timedelta(hours=int(matched.group(1)) * _HOURS[matched.group(2)])
    try:
        day = date.fromisoformat(value)
    except ValueError:
        rule = Rule("is neither a time span (12h, 7d, 2w) nor a day (2026-03-31)")
        raise _WrongError(rule) from None
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise _WrongError(Rule("the year must be %(first)s to %(last)s", first=_YEARS[0], last=_YEARS[1]))
    return day


ROLES = ("applicant", "officer", "reviewer", "programme_manager", "finance_officer")
FIELDS: dict[str, _Field] = {
    "stage": _Field(lambda value, known: _among(value, known.stages)),
    "holder": _Field(_choice("me", "none", *ROLES)),
    "officer": _Field(_text),
    "org": _Field(_text),
    "call": _Field(lambda value, known: _among(value, known.calls)),
    "programme": _Field(lambda value, known: _among(value, known.programmes), single=True),
    "state": _Field(_choice("open", "closed", "draft", "all")),
    "overdue": _Field(_choice("yes", "no"), single=True),
    "task": _Field(_choice("overdue", "today", "open", "mine", "none"), single=True),
    "has": _Field(_choice("amendment", "hit", "appeal")),
    "amount": _Field(_amount, compared=True),
    "score": _Field(_score, compared=True),
    "updated": _Field(_when, compared=True),
    "since": _Field(_when, compared=True),
    "submitted": _Field(_when, compared=True),
    "due": _Field(_when, compared=True),
}
