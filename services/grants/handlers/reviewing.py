"""Reviews: asking for them, declaring conflicts, scoring."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from services.grants.domain.application import Application
from services.grants.domain.mainline import reviewed_at
from services.grants.domain.moderation import apart
from services.grants.domain.pack import Sheet
from services.grants.domain.review import Recommendation, Review, Score
from services.grants.handlers.base import Command, Frame, act_as, application_for
from services.grants.handlers.conflicts import derived_for, must_be_free
from services.grants.policy import POLICY
from services.grants.storage import judging, reads
from services.grants.storage.tables import applications, reviews
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.identity import Identity

ASSIGN, READ, DECLARE, SCORE = (f"grants.review.{verb}" for verb in ("assign", "read", "declare", "score"))


class AskForReviews(Command):
    """Reviews are asked of these people (user ids)."""

    reviewers: list[str]
    due: date | None = None
    version: int


class Declare(Command):
    """A reviewer says whether they have a conflict of interest, and which."""

    conflict: bool
    nature: str = ""
    version: int


class Decline(Command):
    """A reviewer steps back, and why; `conflict` when it is a conflict of interest that was found later."""

    reason: str
    conflict: bool = False
    version: int


class SaveReview(Command):
    """Scores as they stand; `submit` makes them final."""

    scores: dict[str, Score]
    unscored: dict[str, str] = {}  # comments on criteria that have no points yet
    summary: str = ""
    recommendation: Recommendation | None = None
    submit: bool = False
    why: str = ""  # what changed one's mind, for a review that was handed in already
    version: int


class Reassign(Command):
    """A review is asked of another person instead, and why; `version` is the review's."""

    reviewer: str
    reason: str
    due: date | None = None
    version: int


class Excuse(Command):
    """A reviewer is let go, and why."""

    reason: str
    version: int


def ask(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    command: AskForReviews,
    *,
    because: Mapping[str, str] | None = None,
) -> list[Review]:
    """Ask people for reviews; one of the applicant's own organisation is recused at once."""
    application, role = application_for(uow, who, ASSIGN, reference, expected=command.version)
    if application.stage not in reviewed_at(Frame(uow.connection, application).workflow):
        raise ConflictError("Reviews are asked for shortly before and while the workflow has the case reviewed")
    if command.due and command.due < uow.now().date():
        raise InvalidError({"due": "is in the past"})
    if not command.reviewers:
        raise InvalidError({"reviewers": "is required: choose at least one"})
    asked = {review.reviewer for review in reads.reviews_of(uow.connection, application.id)}
    act_as(uow, role)
    wanted = [name for name in dict.fromkeys(command.reviewers) if name not in asked]
    made = [_ask_one(uow, application, name, command.due, (because or {}).get(name, "")) for name in wanted]
    if made:
        application.invite([review.reviewer for review in made if review.status == "assigned"])
    return made


def _ask_one(uow: UnitOfWork, application: Application, reviewer: str, due: date | None, because: str) -> Review:
    person = reads.find_person(uow.connection, reviewer[:80])
    fits = person is not None and person["active"] and "reviewer" in person["roles"]
    if not fits or person is None or application.programme not in person["programmes"]:
        raise InvalidError({"reviewers": "has somebody who is not a reviewer of this programme"})
    review = Review.ask(
        id=str(uow.ids()),
        application=application.id,
        programme=application.programme,
        title=application.title,
        organisation=application.organisation,
        organisation_name=application.organisation_name,
        officer=application.officer,
        reviewer=person["id"],
        reviewer_name=person["name"],
        assigned_at=uow.now(),
        due=due or application.due,
        because=because,
    )
    if person["organisation"] == application.organisation:
        review.recuse("derived", "The applicant is the reviewer's own organisation")
    elif conflict := derived_for(uow.connection, [reviewer], application).get(reviewer):
        review.recuse("derived", str(conflict))
    return reviews(uow).add(review)


def _review_for(uow: UnitOfWork, who: Identity, action: str, review_id: str, expected: int) -> tuple[Review, str]:
    seen = reads.find_review(uow.connection, review_id[:80])
    if seen is None:
        POLICY.require(action, who)
        raise NotFoundError("There is no such record")
    role = POLICY.role_for(action, who, assigned=seen.reviewer == who.user, programme=seen.programme)
    return reviews(uow).get(seen.id, expected=expected), role


def declare(uow: UnitOfWork, who: Identity, review_id: str, command: Declare) -> Review:
    """Declare a conflict of interest, or none."""
    review, role = _review_for(uow, who, DECLARE, review_id, command.version)
    application = applications(uow).get(review.application, for_update=False)
    act_as(uow, role)
    known = derived_for(uow.connection, [who.user], application).get(who.user)
    own = who.organisation if who.organisation == application.organisation else None
    review.declare(
        conflict=command.conflict, nature=command.nature, reviewer_organisation=own, derived=str(known) if known else ""
    )
    return review


def step_back(uow: UnitOfWork, who: Identity, review_id: str, command: Decline) -> Review:
    """Leave a review that was asked of oneself: for a conflict found later, or for want of time."""
    review, role = _review_for(uow, who, DECLARE, review_id, command.version)
    if not command.reason:
        raise InvalidError({"reason": "is required"})
    act_as(uow, role, command.reason)
    review.step_back(command.reason, conflict=command.conflict)
    return review


def score(uow: UnitOfWork, who: Identity, review_id: str, command: SaveReview) -> Review:
    """Keep scores, or hand the review in."""
    review, role = _review_for(uow, who, SCORE, review_id, command.version)
    application = applications(uow).get(review.application, for_update=False)
    frame = Frame(uow.connection, application)
    if application.stage not in reviewed_at(frame.workflow):
        raise ConflictError("The case has moved on; it takes no more reviews")
    if review.status != "recused":
        must_be_free(uow.connection, who, application)
    act_as(uow, role)
    sheet = frame.pack.sheet_of(frame.call)
    if review.status == "submitted" and command.submit:
        _must_be_apart(uow, review, sheet)
        given = (command.scores, command.summary, command.recommendation)
        review.revise(*given, sheet, why=command.why, now=uow.now())
        return review
    submit_at = uow.now() if command.submit else None
    given = (command.scores, command.summary, command.recommendation)
    review.save(*given, sheet, submit_at=submit_at, unscored=command.unscored)
    return review


def _must_be_apart(uow: UnitOfWork, review: Review, sheet: Sheet) -> None:
    """Refuse to change a review that is in, unless the reviews are apart and nobody has settled that."""
    every = reads.reviews_of(uow.connection, review.application)
    if apart(every, sheet, judging.find_moderation(uow.connection, review.application)) is None:
        raise ConflictError("This review is %(status)s; it can't be changed", status=review.status)


def reassign(uow: UnitOfWork, who: Identity, review_id: str, command: Reassign) -> Review:
    """Ask another person for a review instead of who has it: one is let go and the other asked, or neither."""
    seen = reads.find_review(uow.connection, review_id[:80])
    if seen is None:
        POLICY.require(ASSIGN, who)
        raise NotFoundError("There is no such record")
    application, role = application_for(uow, who, ASSIGN, seen.application)
    if command.reviewer in {review.reviewer for review in reads.reviews_of(uow.connection, application.id)}:
        raise InvalidError({"reviewer": "was asked for a review of this case already"})
    let_go = Excuse(reason=command.reason, version=command.version)
    excuse(uow, who, review_id, let_go)
    act_as(uow, role, command.reason)
    asked = AskForReviews(reviewers=[command.reviewer], due=command.due or seen.due, version=application.version)
    [made] = ask(uow, who, application.id, asked)
    return made


def excuse(uow: UnitOfWork, who: Identity, review_id: str, command: Excuse) -> Review:
    """Let a reviewer go who does not answer or has no time."""
    review, role = _review_for(uow, who, ASSIGN, review_id, command.version)
    if not command.reason:
        raise InvalidError({"reason": "is required"})
    act_as(uow, role, command.reason)
    review.excuse(command.reason)
    return review
