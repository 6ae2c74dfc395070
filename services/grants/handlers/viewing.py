"""Reads of what is sensitive: who looked at documents and reviews stands in the record like every act."""

from __future__ import annotations

from services.grants.domain.application import Application, Document
from services.grants.domain.review import Review, scores_visible
from services.grants.handlers.base import MAX_REFERENCE, act_as, application_read, role_on
from services.grants.handlers.conflicts import conflict_of, must_be_free
from services.grants.policy import POLICY
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.events.grants import RecordViewed
from shared.web.identity import Identity

READ, DOCUMENT, REVIEW = "grants.application.read", "grants.document.read", "grants.review.read"

SCREENING = "grants.exclusion.read"


def application_seen(uow: UnitOfWork, who: Identity, reference: str) -> Application:
    """Return an application that `who` may look at."""
    application, role = application_read(uow, who, READ, reference)
    act_as(uow, role)
    return application


def screening_seen(uow: UnitOfWork, who: Identity, reference: str) -> Application:
    """Return an application whose hits on exclusion lists `who` may read; the read is recorded."""
    application, role = application_read(uow, who, SCREENING, reference)
    act_as(uow, role)
    record(uow, application, "exclusion lists")
    return application


def record(uow: UnitOfWork, application: Application | Review, what: str) -> None:
    """Record that somebody opened `what` of a case."""
    uow.record(
        RecordViewed(record=f"{application.KIND}:{application.id}", what=what),
        entity=f"record:{uow.ids()}",
        case=application.case(),
        programme=application.programme,
    )


def document(uow: UnitOfWork, who: Identity, reference: str, document_id: str) -> Document:
    """Return what is known of a document, and record that its content was opened."""
    application = reads.find_application(uow.connection, reference[:MAX_REFERENCE])
    if application is None:
        POLICY.require(DOCUMENT, who)
        raise NotFoundError("There is no such record")
    mine = [r for r in reads.reviews_of(uow.connection, application.id) if r.reviewer == who.user]
    role = role_on(who, DOCUMENT, application, assigned=any(review.may_read for review in mine))
    if role == "reviewer":
        must_be_free(uow.connection, who, application)
    act_as(uow, role)
    found = application.document(document_id)
    record(uow, application, f"document {found.name}")
    return found


def review_seen(uow: UnitOfWork, who: Identity, review_id: str) -> tuple[Review, Application, list[Review]]:
    """Return a review, its application, and the others' reviews as far as `who` may see them now."""
    review = reads.find_review(uow.connection, review_id[:MAX_REFERENCE])
    if review is None:
        POLICY.require(REVIEW, who)
        raise NotFoundError("There is no such record")
    own = review.reviewer == who.user
    role = POLICY.role_for(REVIEW, who, assigned=own, programme=review.programme)
    every = reads.reviews_of(uow.connection, review.application)
    if not own and not scores_visible(who.user, every, staff=role != "reviewer"):
        raise NotFoundError("There is no such record")
    application = reads.find_application(uow.connection, review.application)
    if application is None:
        raise NotFoundError("There is no such record")
    if not own or review.may_read:
        must_be_free(uow.connection, who, application)
    act_as(uow, role)
    record(uow, review, "review")
    others = [other for other in every if other.id != review.id and other.status == "submitted"]
    return review, application, others if scores_visible(who.user, every, staff=role != "reviewer") else []


def reviews_seen(uow: UnitOfWork, who: Identity, reference: str) -> tuple[Application, list[Review], bool]:
    """Return an application's reviews, and whether `who` may see their scores."""
    application, role = application_read(uow, who, REVIEW, reference)
    act_as(uow, role)
    every = reads.reviews_of(uow.connection, application.id)
    visible = may_see_scores(who, every) and conflict_of(uow.connection, who, application) is None
    record(uow, application, "reviews" if visible else "list of reviewers")
    return application, every, visible


def may_see_scores(who: Identity, every: list[Review]) -> bool:
    """Return whether a member of staff may see the scores now: not while their own review is due."""
    return scores_visible(who.user, every, staff=True)
