"""Words in the reader's language: gettext catalogues read from .po files at start, and which language to use."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Any, Literal

from babel import Locale as Rules
from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

from shared.errors import Figure, Rule
from shared.money import Money, decimals_of

LOCALES = ("en", "ru")
DEFAULT = "en"
NAMES = {"en": "English", "ru": "Русский"}
ROOT = Path(__file__).resolve().parent.parent

# Set once a request (or once a letter) at the edge; templates and error pages read it.
current_locale: ContextVar[str] = ContextVar("current_locale", default=DEFAULT)
# The time zone in which this request's page says its times; "" is that of the house.
current_zone: ContextVar[str] = ContextVar("current_zone", default="")


@cache
def babel(locale: str) -> Rules:
    """Return Babel's rules of a language, which it would look up by name again for each date and number."""
    return Rules.parse(locale)


def reader() -> Rules:
    """Return Babel's rules of the language of who reads this page."""
    return babel(current_locale.get())


class Catalogue(NullTranslations):
    """The messages of several .po files in one language; earlier files win, English falls through."""

    def __init__(self, messages: dict[Any, str], plural: Any) -> None:
        super().__init__()
        self._messages, self._plural = messages, plural

    def gettext(self, message: str) -> str:
        return self._messages.get(message) or message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        found = self._messages.get((msgid1, self._plural(n)))
        return found or (msgid1 if n == 1 else msgid2)


def _entries(path: Path, locale: str) -> tuple[dict[Any, str], Any]:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=locale)
    messages: dict[Any, str] = {}
    for message in catalogue:
        if not message.id or message.fuzzy or not message.string:
            continue
        if isinstance(message.id, str):
            messages[message.id] = str(message.string)
        else:
            messages |= {(message.id[0], number): text for number, text in enumerate(message.string) if text}
    return messages, _plural_rule(catalogue.plural_expr)


@cache
def _plural_rule(expression: str) -> Any:
    from gettext import c2py  # noqa: PLC0415 - CPython's own compiler of plural rules

    return c2py(expression)


@cache
def catalogue(service: str, locale: str) -> NullTranslations:
    """Return the messages of `service` over those of the shared pages; untranslated ids stay as they are."""
    if locale == DEFAULT or locale not in LOCALES:
        return Translations()
    messages: dict[Any, str] = {}
    plural: Any = _plural_rule("n != 1")
    for path in catalogue_files(service, locale):
        found, plural = _entries(path, locale)
        messages = found | messages
    return Catalogue(messages, plural)


def catalogue_files(service: str, locale: str) -> list[Path]:
    """Return the .po files of a service in order of precedence: its own, then those of the shared pages."""
    places = (ROOT / "services" / service / "locale", ROOT / "shared" / "web" / "locale")
    return [path for place in places for path in sorted((place / locale).glob("*.po"))]


def translate(service: str, message: str, params: dict[str, Any] | None = None, *, locale: str | None = None) -> str:
    """Return `message` in the reader's language with its %(name)s places filled."""
    chosen = locale or current_locale.get()
    text = catalogue(service, chosen).gettext(message)
    return text % {name: _worded(service, value, chosen) for name, value in params.items()} if params else text


def money_in_words(amount: Decimal, currency: str, locale: str) -> str:
    """Return an amount as pages, letters and refusals alike write it: grouped as the language groups, then the code."""
    places = decimals_of(currency)
    pattern = "#,##0." + "0" * places if places else "#,##0"
    return f"{format_decimal(amount, format=pattern, locale=babel(locale))} {currency}".replace(" ", "\u00a0")


def _worded(service: str, value: Any, locale: str) -> Any:
    if isinstance(value, Rule):
        return translate(service, value.message, value.params, locale=locale)
    if isinstance(value, Money):
        return money_in_words(value.amount, value.currency, locale)
    if isinstance(value, date) and not isinstance(value, datetime):
        return format_date(value, "d MMM y", locale=babel(locale))
    exact = value.value if isinstance(value, Figure) else value
    return _number_in_words(exact, locale) if isinstance(exact, Decimal) and exact.is_finite() else value


def _number_in_words(number: Decimal, locale: str) -> str:
    """Return a number with as many decimals as it has, grouped and pointed as the language does it."""
    places = max(0, -int(number.as_tuple().exponent))
    return str(format_decimal(number, format="#,##0" + ("." + "0" * places if places else ""), locale=babel(locale)))


def said(service: str, text: str) -> str:
    """Return a message, or a rule with its values, in the reader's language."""
    return translate(service, text.message, text.params) if isinstance(text, Rule) else translate(service, text)


def choose_locale(candidates: Iterable[str | None], accept_language: str = "") -> str:
    """Return the first candidate we speak, else the best of an Accept-Language header, else English."""
    for candidate in candidates:
        if candidate in LOCALES:
            return candidate
    ranked = []
    for position, part in enumerate(accept_language[:200].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), position, tag.split("-")[0].lower()))
        except ValueError:
            continue
    return next((tag for _, _, tag in sorted(ranked) if tag in LOCALES), DEFAULT)


Locale = Literal["en", "ru"]
