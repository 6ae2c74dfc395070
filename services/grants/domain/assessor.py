"""Whoever judges cases (reviewers, officers, approvers): what they know, how much they can take, their interests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.grants.assessor import InterestDeclared, InterestEnded, ProfileKept

Tie = Literal["employment", "ownership", "board", "supplier", "family", "other"]
# How long after its end a tie still counts: what reviewers are asked about when they declare.
LOOK_BACK = timedelta(days=3 * 365)
MAX_INTERESTS, MAX_LOAD = 60, 50


class Interest(Part):
    """A tie to an organisation. `key` and `number` are its name and number as names are compared; see shared.names."""

    organisation: str = ""
    name: str
    key: str
    number: str = ""
    tie: Tie
    until: date | None = None

    def counts(self, today: date) -> bool:
        """Return whether the tie still is a conflict."""
        return self.until is None or today <= self.until + LOOK_BACK


class Absence(Part):
    """Days on which nobody should ask; both inclusive."""

    since: date
    until: date


class Assessor(Entity):
    """What a person said of themselves as one who judges. Its id is the person's."""

    KIND: ClassVar[str] = "assessor"
    # Ties to firms are a person's own affair: the record says that they changed.
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"interests", "away"})

    name: str
    expertise: list[str] = []
    languages: list[str] = []
    limit: int = Field(default=5, ge=0, le=MAX_LOAD)
    away: Absence | None = None
    interests: list[Interest] = []

    def _facts(self) -> dict[str, Any]:
        return {"user_id": self.id, "name": self.name}

    def profile(self, *, expertise: Sequence[str], languages: Sequence[str], limit: int, away: Absence | None) -> None:
        """Keep expertise, languages, the most open reviews, and when nobody should ask."""
        if not 0 <= limit <= MAX_LOAD:
            raise InvalidError({"limit": Rule("must be 0 to %(most)s", most=MAX_LOAD)})
        if away and away.until < away.since:
            raise InvalidError({"away_until": "is before the first day"})
        self.expertise, self.languages = sorted(set(expertise)), sorted(set(languages))
        self.limit, self.away = limit, away
        self.record(ProfileKept(**self._facts(), expertise=self.expertise, languages=self.languages, limit=limit))

    def declare(self, interest: Interest) -> None:
        """Add a tie to an organisation. What was declared is never taken out by its owner, only ended."""
        if len(self.interests) >= MAX_INTERESTS:
            raise ConflictError("You have declared %(most)s interests: ask the programme office", most=MAX_INTERESTS)
        same = {(item.key, item.number, item.tie) for item in self.interests if item.until is None}
        if (interest.key, interest.number, interest.tie) in same:
            raise ConflictError("You have declared that already")
        self.interests = [*self.interests, interest]
        self.record(InterestDeclared(**self._facts(), tie=interest.tie, organisation_id=interest.organisation))

    def end(self, number: int, until: date, today: date) -> None:
        """Say that the tie `number` (from 1) has ended; it counts for three more years."""
        if not 1 <= number <= len(self.interests) or self.interests[number - 1].until:
            raise ConflictError("There is no such interest that lasts")
        if until > today:
            raise InvalidError({"until": "must be today or before"})
        ended = self.interests[number - 1].model_copy(update={"until": until})
        self.interests = [ended if index == number else item for index, item in enumerate(self.interests, 1)]
        self.record(InterestEnded(**self._facts(), tie=ended.tie, until=until))

    def is_away(self, day: date) -> bool:
        """Return whether nobody should ask on that day."""
        return self.away is not None and self.away.since <= day <= self.away.until
