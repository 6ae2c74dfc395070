"""A review: who was asked, whether they have a conflict, how they scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from services.grants.domain.pack import Sheet
from services.grants.domain.parties import parties_of
from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.grants.review import (
    ConflictDeclared,
    ReviewAssigned,
    ReviewerExcused,
    ReviewerRecused,
    ReviewerReminded,
    ReviewRevised,
    ReviewSaved,
    ReviewSubmitted,
)

Status = Literal["assigned", "open", "submitted", "recused", "excused"]
Recommendation = Literal["fund", "fund_with_changes", "do_not_fund"]
MAX_COMMENT = 4000


class Score(Part):
    """Points for one criterion and why."""

    points: int
    comment: str = ""


class Earlier(Part):
    """A review as it was handed in before its author changed it, and why they did."""

    scores: dict[str, Score]
    summary: str
    recommendation: Recommendation | None
    score: Decimal
    submitted_at: datetime
    why: str


class Review(Entity):
    """One reviewer's review of one application.

    `status`: assigned (no declaration yet) → open (no conflict) → submitted; recused or excused instead.
    """

    KIND: ClassVar[str] = "review"
    # Scores are blind: they travel in no event until the review is final, and comments never do.
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"scores", "summary", "earlier", "unscored"})

    application: str
    programme: str
    title: str
    organisation: str
    organisation_name: str
    officer: str | None = None
    reviewer: str
    reviewer_name: str
    assigned_at: datetime
    due: date | None = None
    status: Status = "assigned"
    ground: Literal["", "declared", "derived"] = ""
    nature: str = ""
    scores: dict[str, Score] = {}
    unscored: dict[str, str] = {}  # comments on criteria that have no points yet
    summary: str = ""
    recommendation: Recommendation | None = None
    score: Decimal | None = None
    submitted_at: datetime | None = None
    because: str = ""  # why this reviewer was chosen, when a rule chose
    reminded_for: date | None = None  # the due day of which they were reminded
    earlier: list[Earlier] = []

    def case(self) -> str:
        return self.application

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"reviewer": [f"user:{self.reviewer}"]} | parties_of(None, self.officer, "manager")

    @property
    def may_read(self) -> bool:
        """Return whether the reviewer may see the application: declared, and without a conflict."""
        return self.status in {"open", "submitted"}

    def _facts(self, *notify: str) -> dict[str, Any]:
        return {
            "review_id": self.id,
            "reference": self.application,
            "title": self.title,
            "organisation_name": self.organisation_name,
            "reviewer_id": self.reviewer,
            "reviewer_name": self.reviewer_name,
            "notify": list(notify),
        }

    @classmethod
    def ask(cls, **fields: Any) -> Review:
        """Return a new review, asked of somebody."""
        review = cls(**fields)
        review.record(ReviewAssigned(**review._facts("reviewer"), due=review.due, because=review.because))
        return review

    def declare(
        self, *, conflict: bool, nature: str, reviewer_organisation: str | None = None, derived: str = ""
    ) -> None:
        """Declare a conflict or none; one's own organisation, or `derived`, is one whatever is declared."""
        if self.status != "assigned":
            raise ConflictError("You have declared already")
        if conflict and not nature.strip():
            raise InvalidError({"nature": "is required: say what the conflict is"})
        own = reviewer_organisation == self.organisation
        if not (own or derived or conflict):
            self.status = "open"  # before the event, which says what it changed
        self.record(ConflictDeclared(**self._facts(), conflict=conflict, nature=nature))
        if own:
            self.recuse("derived", "The applicant is the reviewer's own organisation")
        elif derived:
            self.recuse("derived", derived)
        elif conflict:
            self.recuse("declared", nature)

    def recuse(self, ground: Literal["declared", "derived"], nature: str) -> None:
        """Take the reviewer out because of a conflict of interest."""
        self.status, self.ground, self.nature = "recused", ground, nature
        self.record(ReviewerRecused(**self._facts("officer"), ground=ground, nature=nature))

    def step_back(self, why: str, *, conflict: bool) -> None:
        """Leave the review oneself: recused for a conflict that was found later, excused for anything else."""
        if self.status not in {"assigned", "open"}:
            raise ConflictError("This review is %(status)s; it can't be changed", status=self.status)
        if conflict:
            self.recuse("declared", why)
        else:
            self.excuse(why)

    def excuse(self, why: str) -> None:
        """Take the reviewer out for another reason: no answer, no time."""
        if self.status not in {"assigned", "open"}:
            raise ConflictError("This review is %(status)s; its reviewer can't be excused", status=self.status)
        self.status, self.nature = "excused", why
        self.record(ReviewerExcused(**self._facts("reviewer"), why=why))

    def remind(self) -> None:
        """Remind the reviewer of the due day, once."""
        self.reminded_for = self.due
        self.record(ReviewerReminded(**self._facts("reviewer"), due=self.due))

    def revise(
        self,
        scores: Mapping[str, Score],
        summary: str,
        recommendation: Recommendation | None,
        sheet: Sheet,
        *,
        why: str,
        now: datetime,
    ) -> None:
        """Change a review that is in, as its author, after a discussion; what it was stays readable."""
        if self.status != "submitted" or self.score is None or self.submitted_at is None:
            raise ConflictError("This review is %(status)s; it can't be changed", status=self.status)
        wrong = _off_the_sheet(scores, summary, sheet) | _unfinished(scores, recommendation, sheet)
        if not why.strip():
            wrong["why"] = "is required: say what changed your mind"
        if wrong:
            raise InvalidError(wrong)
        kept = Earlier(
            scores=self.scores,
            summary=self.summary,
            recommendation=self.recommendation,
            score=self.score,
            submitted_at=self.submitted_at,
            why=why,
        )
        before, self.earlier = self.score, [*self.earlier, kept]
        self.scores, self.summary, self.recommendation = dict(scores), summary, recommendation
        self.score = sheet.weighted({name: score.points for name, score in self.scores.items()})
        self.submitted_at = now
        self.record(ReviewRevised(**self._facts("officer"), score=str(self.score), before=str(before), why=why))

    def _must_be_open(self) -> None:
        if self.status == "assigned":
            raise ForbiddenError("Declare first whether you have a conflict of interest")
        if self.status == "recused":
            raise ForbiddenError("You are recused from this case because of a conflict of interest")
        if self.status != "open":
            raise ConflictError("This review is %(status)s; it can't be changed", status=self.status)

    def save(
        self,
        scores: Mapping[str, Score],
        summary: str,
        recommendation: Recommendation | None,
        sheet: Sheet,
        *,
        submit_at: datetime | None = None,
        unscored: Mapping[str, str] | None = None,
    ) -> None:
        """Keep scores that can still change, or with `submit_at` make the review final.

        Refuses unknown criteria and points outside the scale; a final review needs every criterion scored,
        each with a comment, and a recommendation.
        """
        self._must_be_open()
        comments = {name: Score(points=0, comment=text) for name, text in (unscored or {}).items()}
        wrong = _off_the_sheet({**comments, **scores}, summary, sheet)
        if submit_at is not None:
            wrong |= _unfinished(scores, recommendation, sheet)
        if wrong:
            raise InvalidError(wrong)
        self.scores, self.summary, self.recommendation = dict(scores), summary, recommendation
        self.unscored = {name: text for name, text in (unscored or {}).items() if name not in scores}
        if submit_at is None:
            self.record(ReviewSaved(**self._facts(), criteria=sorted(scores)))
            return
        self.score = sheet.weighted({name: score.points for name, score in self.scores.items()})
        self.status, self.submitted_at = "submitted", submit_at
        self.record(
            ReviewSubmitted(**self._facts("officer"), score=str(self.score), recommendation=self.recommendation or "")
        )


def _off_the_sheet(scores: Mapping[str, Score], summary: str, sheet: Sheet) -> dict[str, str]:
    known = {criterion.id for criterion in sheet.criteria}
    wrong = {f"scores.{name}": "is not a criterion of this sheet" for name in scores if name not in known}
    for name, score in scores.items():
        if not 0 <= score.points <= sheet.max:
            wrong[f"scores.{name}"] = Rule("must be 0 to %(most)s", most=sheet.max)
        if len(score.comment) > MAX_COMMENT:
            wrong[f"scores.{name}.comment"] = Rule("is longer than %(most)s characters", most=MAX_COMMENT)
    if len(summary) > MAX_COMMENT:
        wrong["summary"] = Rule("is longer than %(most)s characters", most=MAX_COMMENT)
    return wrong


def _unfinished(scores: Mapping[str, Score], recommendation: Recommendation | None, sheet: Sheet) -> dict[str, str]:
    wrong = {f"scores.{item.id}": "is required" for item in sheet.criteria if item.id not in scores}
    if sheet.comment_required:
        silent = [item.id for item in sheet.criteria if item.id in scores and not scores[item.id].comment.strip()]
        wrong |= {f"scores.{name}.comment": "is required" for name in silent}
    if recommendation is None:
        wrong["recommendation"] = "is required"
    return wrong


def scores_visible(viewer: str, reviews: Sequence[Review], *, staff: bool) -> bool:
    """Return whether `viewer` (a user id) may see others' scores: staff, and reviewers who have submitted their own.

    Staff who were asked for a review themselves are blind like every reviewer until theirs is in.
    """
    own = next((review for review in reviews if review.reviewer == viewer), None)
    return staff if own is None else own.status == "submitted"
