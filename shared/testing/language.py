"""The language in which the people of the tests read: English, or that of TAMGA_TEST_LANGUAGE.

What Tamga does must not depend on it, so the suite passes in each. A test that looks for a few words asks for them
with `word`; one that is about the words themselves is marked `english`, and its people read English whatever else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from shared import i18n
from shared.web.identity import Identity

VARIABLE = "TAMGA_TEST_LANGUAGE"
LANGUAGE = os.environ.get(VARIABLE) or i18n.DEFAULT
ZONE = "Asia/Bishkek"  # far from UTC: what takes the machine's day for the programme's shows it
_now = [LANGUAGE]


class UnknownLanguageError(Exception):
    """The tests were asked for a language that Tamga does not speak."""


def moved_abroad() -> str:
    """Let this process and all it starts live where the language is spoken; returns a line that says so, or ""."""
    if LANGUAGE not in i18n.LOCALES:
        raise UnknownLanguageError(f"{VARIABLE} is {LANGUAGE!r}: it must be one of {', '.join(i18n.LOCALES)}.")
    if LANGUAGE == i18n.DEFAULT:
        return ""
    os.environ |= {"TZ": ZONE, "LANG": f"{LANGUAGE}_{LANGUAGE.upper()}.UTF-8", "LANGUAGE": LANGUAGE}
    time.tzset()
    return f"Language: {LANGUAGE}, in {ZONE}."


def language() -> str:
    """Return the language that people read at this moment."""
    return _now[-1]


@contextmanager
def reading_in(locale: str) -> Iterator[None]:
    """Let everybody who has no language of their own read this one."""
    _now.append(locale)
    token = i18n.current_locale.set(locale)
    try:
        yield
    finally:
        _now.pop()
        i18n.current_locale.reset(token)


def reader(who: Identity) -> Identity:
    """Return a person who reads the language of the test, unless the test gave them one."""
    return who if "locale" in who.model_fields_set else who.model_copy(update={"locale": language()})


def also_opens(read: Callable[[], Any]) -> None:
    """Look that a page which a test has just opened in English opens in the language of the run as well."""
    if language() == LANGUAGE:
        return
    with reading_in(LANGUAGE):
        answer = read()
    if answer.status_code != 200:
        raise AssertionError(f"{answer.request.url} opens in English, and in {LANGUAGE} it is {answer.status_code}")


def in_words(figures: str | Decimal, currency: str = "EUR") -> str:
    """Return an amount as people read it at this moment."""
    return i18n.money_in_words(Decimal(figures), currency, language())


def word(service: str, english: str, **params: Any) -> str:
    """Return a message of a service as people read it at this moment; amounts are given as Money."""
    return i18n.translate(service, english, params, locale=language())
