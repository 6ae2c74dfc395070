"""A line in the reader's language; how values are written is the reader's place to say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from babel.dates import format_timedelta
from markupsafe import Markup, escape

from shared import clock, i18n
from shared.errors import Rule

STATES = {"good": "well", "look": "look here", "bad": "not well"}
SERVICE = "portal"  # whose words are looked at first; those of the lines are shared by all


def told(said: Rule, worded: Callable[[Any], Any], *, locale: str | None = None) -> Markup:
    """Return a sentence as markup, in the given language or the reader's, its values written by `worded`."""
    sentence = i18n.translate(SERVICE, said.message, locale=locale)
    return escape(sentence) % {name: worded(value) for name, value in said.params.items()}


def lasted(value: timedelta, locale: str) -> str:
    """Return how long something has lasted, in words."""
    return str(format_timedelta(value, threshold=1.5, locale=locale))


def plainly(value: Any, locale: str = "en") -> str:
    """Write a value for a terminal: times in UTC, and named so."""
    if isinstance(value, datetime):
        return clock.in_utc(value)
    return lasted(value, locale) if isinstance(value, timedelta) else str(value)
