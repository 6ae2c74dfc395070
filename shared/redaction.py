"""Text without what identifies a person or lets somebody in: for logs, and for what an operator sends to others.

Our own lines carry ids and references, not people. What others' errors quote (a database a whole row, a validator its
input, a mail server an address) is cut out here, wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"

# In this order: a secret in an address would otherwise pass for somebody's e-mail.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"(?<=://)[^/\s@\"']+@"), f"{HIDDEN}@"),
    # SQLAlchemy and PostgreSQL quote values, pydantic what it was given.
    (re.compile(r"\[parameters: .*?\]$", re.MULTILINE | re.DOTALL), f"[parameters: {HIDDEN}]"),
    (re.compile(r"(Key \([^)]*\)=)\(.*\)"), rf"\1({HIDDEN})"),
    (re.compile(r"(Failing row contains )\(.*\)"), rf"\1({HIDDEN})"),
    (re.compile(r"(invalid input syntax for type [\w ]+: ).*"), rf"\1{HIDDEN}"),
    (re.compile(r"(?<=input_value=).*?(?=, input_type=)", re.DOTALL), HIDDEN),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"\btmg_[\w-]+"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)\b((?:__Host-)?tamga(?:_csrf)?=)[\w.-]{16,}"), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"(?i)(pass(?:word|wd|phrase)|secret|token|api[_-]?key|cookie)(\\?[\"']?\s*[=:]\s*\\?[\"']?)[^\s\"',;})]+"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)+"), "(e-mail)"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"), "(account)"),
    (re.compile(r"\+\d[\d ()/-]{6,}\d"), "(phone)"),
)
_SECRET_NAME = re.compile(r"(?i)pass(word|wd|phrase)|secret|token|cookie|credential|private|._keys?$|^keys$")


def redact(text: str) -> str:
    """Return text without e-mail addresses, account and phone numbers, secrets, and values that errors quote."""
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def redacted(value: Any) -> Any:
    """Return a JSON value with every text in it redacted, and whatever is named like a secret hidden."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: _named(str(name), inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(inner) for inner in value]
    return value


def _named(name: str, value: Any) -> Any:
    # A file that holds a secret may be named; a secret may not.
    if _SECRET_NAME.search(name) and not name.lower().endswith("_file") and value not in (None, "", {}, []):
        return HIDDEN
    return redacted(value)
