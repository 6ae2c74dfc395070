"""What happens to one reviewer's review of one application."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class ReviewFact(Event):
    """What every event of a review says about it."""

    review_id: str
    reference: str
    title: str
    organisation_name: str
    reviewer_id: str
    reviewer_name: str
    notify: list[str] = []


class ReviewAssigned(ReviewFact):
    """A reviewer was asked for a review. Entity review:<id>."""

    TYPE = "grants.review.assigned"
    due: date | None
    because: str = ""


class ConflictDeclared(ReviewFact):
    """The reviewer said, before seeing anything, whether they have a conflict of interest."""

    TYPE = "grants.review.declared"
    AUDIENCE = "record"
    conflict: bool
    nature: str


class ReviewerRecused(ReviewFact):
    """The reviewer is out because of a conflict: `ground` is declared or derived (same organisation)."""

    TYPE = "grants.review.recused"
    ground: str
    nature: str


class ReviewerExcused(ReviewFact):
    """The reviewer is out for another reason, such as no answer."""

    TYPE = "grants.review.excused"
    AUDIENCE = "record"
    why: str


class ReviewSaved(ReviewFact):
    """Scores were saved and can still change; `criteria` names those that have a score."""

    TYPE = "grants.review.saved"
    AUDIENCE = "record"
    criteria: list[str]


class ReviewSubmitted(ReviewFact):
    """The review is final; `score` is the weighted sum out of 100, a decimal string."""

    TYPE = "grants.review.submitted"
    score: str
    recommendation: str


class ReviewerReminded(ReviewFact):
    """The review is due soon, or was due; its reviewer is told once."""

    TYPE = "grants.review.reminded"
    due: date | None


class ReviewRevised(ReviewFact):
    """Its author changed a review that was in, after a discussion; `before` is the score until then."""

    TYPE = "grants.review.revised"
    AUDIENCE = "record"
    score: str
    before: str
    why: str


class ScoresModerated(Event):
    """Reviews that were too far apart were talked over, or a third one was asked for. Entity moderation:<reference>."""

    TYPE = "grants.moderation.recorded"
    AUDIENCE = "record"
    reference: str
    title: str
    organisation_name: str
    spread: str
    outcome: str
    note: str
