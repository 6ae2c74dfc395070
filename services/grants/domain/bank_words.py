"""Names and texts in the letters that banks take: the basic Latin set of SEPA and CGI, ISO 20022's common ground.

Cyrillic is written as passports write it (ICAO Doc 9303, part 3, section 6 B), with what that standard gives Macedonian
and Serbian where the account is in such a country. Accents go. A sign that no bank takes becomes the nearest one, or a
full stop. A letter of any other alphabet is never guessed: whoever pays a person must know how the bank writes them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_TAKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")
_SOUTH = frozenset({"MK", "RS", "ME", "BA"})
_CYRILLIC = {
    **dict(zip("абвгдеёзийклмнопрстуфыэ", "abvgdeeziiklmnoprstufye", strict=True)),
    "ж": "zh",
    "х": "kh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ъ": "ie",
    "ь": "",
    "ю": "iu",
    "я": "ia",
    "ђ": "d",
    "ѓ": "g",
    "є": "ie",
    "ѕ": "dz",
    "і": "i",
    "ї": "i",
    "ј": "j",
    "љ": "lj",
    "њ": "nj",
    "ћ": "c",
    "ќ": "k",
    "ў": "u",
    "џ": "dz",
    "ґ": "g",
    # Not in the standard: Kazakh, Kyrgyz, Mongolian and Tajik letters, by the nearest one that is.
    "ә": "a",
    "ғ": "g",
    "қ": "k",
    "ң": "n",
    "ө": "o",
    "ұ": "u",
    "ү": "u",
    "һ": "h",
    "ҷ": "ch",
    "ҳ": "kh",
    "ӣ": "i",
    "ӯ": "u",
}
_OF_SOUTH = {"х": "h", "ц": "c", "ѓ": "gj", "ќ": "kj", "џ": "dj"}
_LATIN = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i", "þ": "th", "ə": "a"}
_SIGNS = {
    **dict.fromkeys("‐‑‒–—−_~", "-"),
    **dict.fromkeys('‘’‚‛`´“”„«»‹›"', "'"),
    **dict.fromkeys("[{<", "("),
    **dict.fromkeys("]}>", ")"),
    "&": "+",
    ";": ",",
    "@": "(at)",
    "№": "No",
    "€": "EUR",
    "\\": "/",
    "|": "/",
    "…": "...",
}


@dataclass(frozen=True)
class Written:
    """A text as the bank gets it; `unknown` are the letters that can't be written."""

    text: str
    unknown: str = ""


def written(text: str, country: str = "") -> Written:
    """Return a text in the letters that banks take, on one line, without spaces at its ends."""
    cyrillic = _CYRILLIC | _OF_SOUTH if country.upper() in _SOUTH else _CYRILLIC
    words, unknown, given = [], "", unicodedata.normalize("NFC", text)
    for place, char in enumerate(given):
        found = _one(char, cyrillic)
        unknown += char if found is None and char not in unknown else ""
        words.append(found.upper() if found and _in_capitals(given, place) else found or "")
    return Written(" ".join("".join(words).split()), unknown)


def _in_capitals(text: str, place: int) -> bool:
    """Return whether a capital stands among capitals, so that the second letter of Zh is one too."""
    beside = text[place + 1 : place + 2] if text[place + 1 : place + 2].isalpha() else text[max(place - 1, 0) : place]
    return text[place].isupper() and beside.isupper()


def _one(char: str, cyrillic: dict[str, str]) -> str | None:
    """Return how one character is written, None when nobody knows."""
    if char in _TAKEN:
        return char
    known = cyrillic | _LATIN
    if char in known or char in _SIGNS:
        return known.get(char, _SIGNS.get(char))
    if char.lower() in known:
        return known[char.lower()].capitalize()
    bare = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    if bare and bare != char:
        parts = [_one(part, cyrillic) for part in bare]
        return None if None in parts else "".join(filter(None, parts))
    kind = unicodedata.category(char)
    if kind[0] in "CZ":
        return " "
    return None if kind[0] in "LN" else "" if kind[0] == "M" else "."
