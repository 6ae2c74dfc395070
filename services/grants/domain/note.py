"""A note on a case: for staff alone or shared with the applicant, with people named in it; former words stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from services.grants.domain.application import Application, Person
from services.grants.domain.parties import parties_of
from shared.entity import Entity, Part
from shared.errors import ForbiddenError, InvalidError, Rule
from shared.events.grants.day import NoteEdited, NoteWritten

MAX_NOTE, MAX_EDITS = 4000, 50
Audience = Literal["staff", "applicant"]
_AT = re.compile(r"(?:(?<=\s)|(?<=[(,;:])|^)@(?=\w)")
_WORD = re.compile(r"[\w'’-]+")


class Former(Part):
    """What a note said before it was changed."""

    text: str
    until: datetime


class Note(Entity):
    """What somebody wrote on a case. `audience` "staff" is not for the applicant, and never becomes theirs."""

    KIND: ClassVar[str] = "note"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"text", "former"})

    application: str
    programme: str
    title: str
    organisation: str
    organisation_name: str
    officer: str | None = None
    audience: Audience
    text: str
    author: str
    author_name: str
    from_applicant: bool = False
    at: datetime
    mentioned: list[str] = []
    former: list[Former] = []

    def case(self) -> str:
        return self.application

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        shared = self.organisation if self.audience == "applicant" else None
        return parties_of(shared, self.officer) | {"colleague": [f"user:{user}" for user in self.mentioned]}

    def _facts(self, mentioned: list[str], *notify: str) -> dict[str, Any]:
        return {
            "note_id": self.id,
            "reference": self.application,
            "title": self.title,
            "organisation_name": self.organisation_name,
            "shared": self.audience == "applicant",
            "from_applicant": self.from_applicant,
            "mentioned": mentioned,
            "notify": [*notify, *(["colleague"] if mentioned else [])],
        }

    @classmethod
    def write(
        cls,
        application: Application,
        by: Person,
        *,
        text: str,
        audience: Audience,
        people: Mapping[str, str],
        **more: Any,
    ) -> Note:
        """Return a new note; `people` ({user id: name}) are those who may see it and so may be named in it."""
        _check(text)
        note = cls(
            application=application.id,
            programme=application.programme,
            title=application.title,
            organisation=application.organisation,
            organisation_name=application.organisation_name,
            officer=application.officer,
            audience=audience,
            text=text,
            author=by.id,
            author_name=by.name,
            from_applicant=by.role == "applicant",
            mentioned=mentions(text, people),
            **more,
        )
        told = ["officer"] if note.from_applicant else ["applicant"] if audience == "applicant" else []
        note.record(NoteWritten(**note._facts(note.mentioned, *told)))
        return note

    def edit(self, text: str, by: Person, now: datetime, people: Mapping[str, str]) -> None:
        """Change the words: the author alone, and the former ones stay to be read by whoever reads the note."""
        if by.id != self.author:
            raise ForbiddenError("Only who wrote a note may change it")
        _check(text)
        if text == self.text:
            return
        if len(self.former) >= MAX_EDITS:
            raise ForbiddenError("This note was changed %(most)s times; write another one", most=MAX_EDITS)
        new = [user for user in mentions(text, people) if user not in self.mentioned]
        self.former = [*self.former, Former(text=self.text, until=now)]
        self.text, self.mentioned = text, [*self.mentioned, *new]
        self.record(NoteEdited(**self._facts(self.mentioned), tells=bool(new)))


def _check(text: str) -> None:
    if not 1 <= len(text) <= MAX_NOTE:
        raise InvalidError({"text": Rule("must have 1 to %(most)s characters", most=MAX_NOTE)})


def mentions(text: str, people: Mapping[str, str]) -> list[str]:
    """Return the ids of those named by @ in a text: by their whole name, or by its first word where one has it alone.

    Raises InvalidError for a name that is nobody's who may read it, or several people's.
    """
    found: dict[str, None] = {}
    for match in _AT.finditer(text):
        rest = text[match.end() :]
        whole = [user for user, name in people.items() if _begins(rest, name)]
        longest = max((len(people[user]) for user in whole), default=0)
        chosen = [user for user in whole if len(people[user]) == longest] or _by_first(rest, people)
        found |= dict.fromkeys(chosen)
    return list(found)


def _begins(text: str, name: str) -> bool:
    rest = text[len(name) :]
    return text[: len(name)].casefold() == name.casefold() and not (rest and (rest[0].isalnum() or rest[0] == "_"))


def _by_first(text: str, people: Mapping[str, str]) -> list[str]:
    match = _WORD.match(text)
    word = match.group() if match else text[:1]
    same = [user for user, name in people.items() if name.split()[0].casefold() == word.casefold()]
    if len(same) > 1:
        rule = Rule("“@%(name)s” is several people: write the whole name", name=word)
        raise InvalidError({"text": rule})
    if not same:
        known = ", ".join(sorted(people.values())[:20])
        rule = Rule("“@%(name)s” is nobody who may read this note. There are: %(known)s", name=word, known=known or "–")
        raise InvalidError({"text": rule})
    return same
