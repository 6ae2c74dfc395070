"""Reviews that are too far apart: how far, and what somebody did about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from services.grants.domain.application import Person
from services.grants.domain.pack import Sheet
from services.grants.domain.review import Review
from shared.entity import Entity
from shared.errors import ConflictError, InvalidError
from shared.events.grants.review import ScoresModerated
from shared.workflow.requirements import Sentence

Outcome = Literal["third_review", "discussed"]
APART = "Scores are %(spread)s apart, more than %(most)s: moderate them first"
THREE = 3


def scores_of(reviews: Sequence[Review]) -> dict[str, Decimal]:
    """Return the scores of the reviews that are in, by review."""
    return {item.id: item.score for item in reviews if item.status == "submitted" and item.score is not None}


def spread(reviews: Sequence[Review]) -> Decimal | None:
    """Return how far the highest score is above the lowest; None with fewer than two."""
    scores = scores_of(reviews).values()
    return max(scores) - min(scores) if len(scores) > 1 else None


class Moderation(Entity):
    """What was done about a case's reviews that are too far apart. Its id is the application's reference."""

    KIND: ClassVar[str] = "moderation"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"scores"})

    programme: str
    title: str
    organisation_name: str
    outcome: Outcome | None = None
    note: str = ""
    spread: Decimal | None = None
    scores: dict[str, Decimal] = {}  # of the reviews that were talked about
    by: str = ""
    by_name: str = ""
    at: datetime | None = None

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def settle(
        self, outcome: Outcome, note: str, reviews: Sequence[Review], sheet: Sheet, *, by: Person, now: datetime
    ) -> None:
        """Record how it was settled; refuses when nothing is apart, and a third review that is not in."""
        apart, scores = spread(reviews), scores_of(reviews)
        if apart is None or sheet.max_spread is None or apart <= sheet.max_spread:
            raise ConflictError("The scores are not too far apart: there is nothing to moderate")
        if not note.strip():
            raise InvalidError({"note": "is required: say what was discussed and what came of it"})
        if outcome == "third_review" and len(scores) < THREE:
            raise ConflictError("%(done)s of 3 reviews are in: the third is still missing", done=len(scores))
        self.outcome, self.note, self.spread, self.scores = outcome, note, apart, scores
        self.by, self.by_name, self.at = by.id, by.name, now
        facts = {"reference": self.id, "title": self.title, "organisation_name": self.organisation_name}
        self.record(ScoresModerated(**facts, spread=str(apart), outcome=outcome, note=note))


def apart(reviews: Sequence[Review], sheet: Sheet, moderation: Moderation | None) -> Sentence | None:
    """Return the warning of a spread above the sheet's limit that nobody has moderated, by these scores."""
    found = spread(reviews)
    if found is None or sheet.max_spread is None or found <= sheet.max_spread:
        return None
    if moderation and moderation.outcome and moderation.scores == scores_of(reviews):
        return None
    return Sentence(APART, code="scores-apart", spread=found, most=sheet.max_spread)
