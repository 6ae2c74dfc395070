"""JSON: reviews."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from services.grants.api.views import ReviewView, review_view
from services.grants.handlers import choosing, listing, reviewing, viewing
from services.grants.handlers.base import Frame
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["reviews"])


class ReviewPage(BaseModel):
    """Some reviews and the cursor of those after them."""

    items: list[ReviewView]
    next: str | None


class ReviewSeen(BaseModel):
    """A review, what it is about, and the others' reviews once one's own is in."""

    review: ReviewView
    application: dict[str, Any] | None
    others: list[ReviewView]


@router.get("/reviews", dependencies=[allowed("grants.review.mine")])
def mine(who: Who, connection: Reader, cursor: str | None = None) -> ReviewPage:
    """Return the reviews that were asked of me."""
    page = listing.my_reviews(connection, who, cursor)
    return ReviewPage(items=[review_view(review, scores=True) for review in page.items], next=page.next)


@router.get("/reviews/{review_id}", dependencies=[allowed("grants.review.read")])
def review(review_id: str, who: Who, uow: Uow) -> ReviewSeen:
    """Return a review; its application only after a declaration of no conflict. The read is recorded."""
    review, application, others = viewing.review_seen(uow, who, review_id)
    about = {"id", "title", "organisation_name", "answers", "budget", "documents"}
    shown = application.model_dump(mode="json", include=about)
    reads_it = review.may_read or review.reviewer != who.user
    return ReviewSeen(
        review=review_view(review, scores=True),
        application=shown if reads_it else None,
        others=[review_view(other, scores=True) for other in others],
    )


@router.post("/reviews/{review_id}/declaration", dependencies=[allowed("grants.review.declare")])
def declare(review_id: str, command: reviewing.Declare, who: Who, uow: Uow) -> ReviewView:
    """Declare a conflict of interest, or none."""
    review = reviewing.declare(uow, who, review_id, command)
    uow.flush()
    return review_view(review, scores=True)


@router.post("/reviews/{review_id}/stepping-back", dependencies=[allowed("grants.review.declare")])
def step_back(review_id: str, command: reviewing.Decline, who: Who, uow: Uow) -> ReviewView:
    """Decline a review, or leave it because of a conflict found later."""
    review = reviewing.step_back(uow, who, review_id, command)
    uow.flush()
    return review_view(review, scores=False)


@router.put("/reviews/{review_id}", dependencies=[allowed("grants.review.score")])
def score(review_id: str, command: reviewing.SaveReview, who: Who, uow: Uow) -> ReviewView:
    """Keep scores; with `submit` the review is final."""
    review = reviewing.score(uow, who, review_id, command)
    uow.flush()
    return review_view(review, scores=True)


@router.post("/reviews/{review_id}/excuse", dependencies=[allowed("grants.review.assign")])
def excuse(review_id: str, command: reviewing.Excuse, who: Who, uow: Uow) -> ReviewView:
    """Let a reviewer go, with a reason."""
    review = reviewing.excuse(uow, who, review_id, command)
    uow.flush()
    return review_view(review, scores=False)


@router.post("/reviews/{review_id}/reassignment", status_code=201, dependencies=[allowed("grants.review.assign")])
def reassign(review_id: str, command: reviewing.Reassign, who: Who, uow: Uow) -> ReviewView:
    """Ask another person for a review instead of who has it; returns the new review."""
    review = reviewing.reassign(uow, who, review_id, command)
    uow.flush()
    return review_view(review, scores=False)


@router.get("/applications/{reference}/reviewers", dependencies=[allowed("grants.review.assign")])
def candidates(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return who could be asked, in the order of the rule, each with why or why not."""
    application = viewing.application_seen(uow, who, reference)
    found = choosing.candidates(uow, application, Frame(uow.connection, application))
    shown = [asdict(item) | {"because": item.because.as_dict()} for item in found]
    return [item | {"hindrance": item["hindrance"] and item["hindrance"].as_dict()} for item in shown]


@router.post(
    "/applications/{reference}/reviews/by-rule", status_code=201, dependencies=[allowed("grants.review.assign")]
)
def choose(reference: str, command: choosing.ChooseReviewers, who: Who, uow: Uow) -> list[ReviewView]:
    """Let the rule choose and ask: expertise, load, presence, no conflict; `because` says why each."""
    made = choosing.choose(uow, who, reference, command)
    uow.flush()
    return [review_view(review, scores=False) for review in made]


@router.post("/applications/{reference}/moderation", dependencies=[allowed("grants.review.moderate")])
def moderate(reference: str, command: choosing.Moderate, who: Who, uow: Uow) -> dict[str, Any]:
    """Record how reviews that are too far apart were settled."""
    found = choosing.moderate(uow, who, reference, command)
    uow.flush()
    return found.model_dump(mode="json")


@router.get("/applications/{reference}/reviews", dependencies=[allowed("grants.review.read")])
def of_application(reference: str, who: Who, uow: Uow) -> list[ReviewView]:
    """Return the reviews of an application. The read is recorded."""
    _, every, visible = viewing.reviews_seen(uow, who, reference)
    return [review_view(review, scores=visible and review.status == "submitted") for review in every]


@router.post("/applications/{reference}/reviews", status_code=201, dependencies=[allowed("grants.review.assign")])
def ask(reference: str, command: reviewing.AskForReviews, who: Who, uow: Uow) -> list[ReviewView]:
    """Ask people for reviews."""
    made = reviewing.ask(uow, who, reference, command)
    uow.flush()
    return [review_view(review, scores=False) for review in made]
