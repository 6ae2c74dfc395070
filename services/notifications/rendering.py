"""Turning a letter's text and an event into words in the reader's language.

Letters come from a programme's pack, so they run in Jinja's sandbox and may only name fields and the few
filters below; every value is put into words by Babel. The HTML part is made from the finished text, so
that nothing a person wrote can ever be markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notifications.domain.ruleset import Letter, RuleSet, Text
from shared.i18n import money_in_words
from shared.money import Money

# What a letter may name besides the fields of its event.
COMMON_FIELDS = frozenset(
    {"reader_name", "actor_name", "actor_organisation", "programme_name", "case_reference", "link", "happened_at"}
    | {"given_reason"}
)
FILTERS = frozenset({"lines", "percent", "default", "join", "lower", "upper", "first", "last", "length"})
MAX_SUBJECT = 200
_GARBLING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SPACE = re.compile(r"\n{3,}")
_REFUSED: tuple[type[nodes.Node], ...] = (
    *(nodes.Getattr, nodes.Getitem, nodes.Call, nodes.CallBlock, nodes.Import, nodes.FromImport, nodes.Include),
    *(nodes.Extends, nodes.Macro, nodes.Mul, nodes.Pow, nodes.Add, nodes.Mod, nodes.Concat),
)


class LetterError(ValueError):
    """A letter's text that can't be used; the message says what is wrong with it."""


def _environment(locale: str, zone: str) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=lambda value: in_words(value, locale, zone),
    )
    environment.filters = {name: environment.filters[name] for name in FILTERS - {"lines", "percent"}}
    environment.filters["lines"] = lambda values: "\n".join(f"- {in_words(value, locale, zone)}" for value in values)
    environment.filters["percent"] = lambda value: format_percent(Decimal(str(value)), "#,##0.##%", locale=locale)
    return environment


environment_for = cache(_environment)


def in_words(value: Any, locale: str, zone: str) -> Any:
    """Return a value as a reader of `locale` writes it: money, numbers, days, moments, names by language."""
    words: Any = value
    match value:
        case None:
            words = ""
        case Money():
            words = money_in_words(value.amount, value.currency, locale)
        case Decimal():
            words = format_decimal(value, locale=locale)
        case datetime():
            words = format_datetime(value, "d MMMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=locale)
        case date():
            words = format_date(value, "long", locale=locale)
        case list() | tuple():
            words = ", ".join(str(in_words(item, locale, zone)) for item in value)
        case {"amount": amount, "currency": currency}:
            words = money_in_words(Decimal(str(amount)), str(currency), locale)
        case dict():
            words = value.get(locale) or value.get("en") or next(iter(value.values()), "")
    return words


def known_locale(name: str) -> bool:
    """Return whether Babel knows this locale."""
    try:
        Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        return False
    return True


@lru_cache(maxsize=4096)
def fields_named(source: str) -> frozenset[str]:
    """Return the fields that a text names; raises LetterError when it does more than naming fields.

    Kept, because a greeting and a signature belong to every letter.
    """
    environment = environment_for("en", "UTC")
    try:
        tree = environment.parse(source)
    except TemplateError as error:
        raise LetterError(f"can't be read: {error}") from error
    if next(tree.find_all(_REFUSED), None):
        raise LetterError("may only name fields: no attributes, calls, arithmetic, includes or macros")
    if unknown := sorted({found.name for found in tree.find_all(nodes.Filter)} - FILTERS):
        raise LetterError(f"unknown filter: {', '.join(unknown)}")
    return frozenset(meta.find_undeclared_variables(tree))


def fill(source: str, fields: Mapping[str, Any], locale: str, zone: str) -> str:
    """Return a text with its fields filled in for readers of `locale`."""
    return _compiled(source, locale, zone).render(fields)


@lru_cache(maxsize=4096)
def _compiled(source: str, locale: str, zone: str) -> Template:
    return environment_for(locale, zone).from_string(source)


def choose(rules: RuleSet, letter: Letter, locale: str) -> tuple[str, Text]:
    """Return the best language for a reader and the letter in it."""
    for language in rules.chain(locale):
        if language in letter.texts:
            return language, letter.texts[language]
    language = next(iter(letter.texts))
    return language, letter.texts[language]


def version_of(letter: Letter) -> str:
    """Return a letter's version: the number its author gave, and a digest that pins the exact words."""
    return f"{letter.version}-{letter.digest[:12]}"


def plain(text: str) -> str:
    """Return text without what can garble it: control characters (but line ends and tabs) and turned directions.

    Spaces that do not break, which Babel puts into amounts, and joiners, which some scripts need, stay.
    """
    return _GARBLING.sub("", text)


def render(text: Text, fields: Mapping[str, Any], locale: str, rules: RuleSet) -> tuple[str, str]:
    """Return the subject (one line) and the text of a letter, signed."""
    subject = " ".join(plain(fill(text.subject, fields, locale, rules.timezone)).split())
    parts = (rules.greeting.get(locale, ""), text.text, rules.signature.get(locale, ""))
    filled = [plain(fill(part, fields, locale, rules.timezone)).strip() for part in parts]
    signed = _SPACE.sub("\n\n", "\n\n".join(part for part in filled if part))
    return (subject if len(subject) <= MAX_SUBJECT else subject[: MAX_SUBJECT - 1] + "…"), signed


def html_of(subject: str, text: str, link: str, locale: str, acts: str = "", *, footer: str = "") -> str:
    """Return the HTML part: the text in paragraphs, everything escaped, and only our own links clickable.

    `acts` is how the addresses of acts begin, if the letter has any; `footer` stands small below it.
    """
    shown = escape(text.strip())
    if link:
        shown = shown.replace(escape(link), f'<a href="{escape(link)}">{escape(link)}</a>')
    if acts:
        address = re.compile(rf"{re.escape(escape(acts))}[\w-]{{20,100}}")
        shown = address.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', shown)
    paragraphs = "".join(f"<p>{part.replace(chr(10), '<br>')}</p>" for part in shown.split("\n\n") if part.strip())
    look = "font-size:.8em;color:#56635d;border-top:1px solid #d5ddd9;padding-top:.8em;overflow-wrap:anywhere"
    said = re.sub(
        r"https?://\S+/audit/checkpoint", lambda found: f'<a href="{found[0]}">{found[0]}</a>', escape(footer)
    )
    small = f'<p style="{look}">{said}</p>' if footer else ""
    return (
        f'<!doctype html><html lang="{escape(locale)}">'
        f'<head><meta charset="utf-8"><title>{escape(subject)}</title></head>'
        '<body style="font-family:sans-serif;line-height:1.5;max-width:40em;margin:1.5em auto;color:#1c2321">'
        f"{paragraphs}{small}</body></html>"
    )
