"""Two applications that look alike, and what somebody decided about them: linked as the same, or not the same."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import ClassVar, Literal

from services.grants.domain.application import Person
from shared.entity import Entity
from shared.errors import ConflictError, InvalidError
from shared.events.grants.day import LikenessDismissed, LikenessLinked

Verdict = Literal["linked", "dismissed"]
_LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяѓѕјљњќџ"
_LATIN = "a b v g d e e zh z i y k l m n o p r s t u f h ts ch sh sch - y - e yu ya g dz j lj nj k dz"
_CYRILLIC = {letter: latin.strip("-") for letter, latin in zip(_LETTERS, _LATIN.split(), strict=True)}
_LEVELLED = _CYRILLIC | {"ı": "i"}  # Turkish: the small letter of I, which is no i with an accent
# Words that say what kind of organisation it is, not which.
_FORMS = frozenset(
    ("ltd", "llc", "inc", "doo", "dooel", "ad", "ooo", "oao", "zao", "gmbh", "nvo", "ngo", "co", "company", "limited")
) | {"the", "of", "and"}
_WORD = re.compile(r"[a-z0-9]+")


def folded(name: str) -> str:
    """Return a name as it is compared: small Latin letters, without accents, signs and legal forms."""
    latin = "".join(_LEVELLED.get(letter, letter) for letter in name.casefold())
    plain = "".join(c for c in unicodedata.normalize("NFKD", latin) if not unicodedata.combining(c))
    return " ".join(word for word in _WORD.findall(plain.replace(".", "")) if word not in _FORMS)


class Likeness(Entity):
    """The decision about a pair of applications; `one` is the smaller reference. A later decision replaces it."""

    KIND: ClassVar[str] = "likeness"

    one: str
    other: str
    programme: str
    reasons: list[str] = []
    verdict: Verdict | None = None
    why: str = ""
    by_name: str = ""
    at: datetime | None = None

    def case(self) -> str:
        return self.one

    def programme_id(self) -> str:
        return self.programme

    def settle(self, verdict: Verdict, why: str, reasons: list[str], by: Person, now: datetime) -> None:
        """Decide, with the reason in words; raises InvalidError without it."""
        if not 1 <= len(why) <= 1000:
            raise InvalidError({"why": "is required: say how you know"})
        if self.verdict == verdict:
            raise ConflictError("This is decided so already, by %(by)s", by=self.by_name)
        self.verdict, self.why, self.reasons, self.by_name, self.at = verdict, why, reasons, by.name, now
        event = LikenessLinked if verdict == "linked" else LikenessDismissed
        self.record(event(reference=self.one, other_reference=self.other, alike_by=reasons, why=why))
