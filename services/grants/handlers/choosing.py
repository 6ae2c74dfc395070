"""Who could review a case: by expertise, load, absence and conflicts; and the rule that chooses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.grants.domain.application import Application
from services.grants.domain.assessor import Assessor
from services.grants.domain.moderation import Moderation, Outcome
from services.grants.domain.review import Review
from services.grants.handlers.base import Command, Frame, act_as, application_for
from services.grants.handlers.conflicts import derived_for
from services.grants.handlers.reviewing import ASSIGN, AskForReviews, ask
from services.grants.storage import judging, reads
from services.grants.storage.judging import moderations
from services.grants.storage.tables import reviews
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError
from shared.web.identity import Identity
from shared.workflow.requirements import Sentence

MODERATE = "grants.review.moderate"
SOON = timedelta(days=2)  # before the due day


class ChooseReviewers(Command):
    """The rule chooses as many reviewers as the call still needs, or `count`."""

    count: int | None = None
    due: date | None = None
    version: int


class Moderate(Command):
    """Reviews that are too far apart were talked over, or a third one is in."""

    outcome: Outcome
    note: str = ""
    version: int = 0


@dataclass(frozen=True)
class Candidate:
    """Somebody who could be asked; `hindrance` says why not, `because` why."""

    id: str
    name: str
    matches: tuple[str, ...]
    languages: tuple[str, ...]
    open: int
    limit: int
    hindrance: Sentence | None

    @property
    def because(self) -> Sentence:
        """Return why the rule would choose them: what fits, and how much they have before them."""
        facts: dict[str, Any] = {"open": self.open, "limit": self.limit}
        if self.matches:
            known = ", ".join(self.matches)
            return Sentence("Knows %(matches)s; %(open)s of %(limit)s open reviews", code="", matches=known, **facts)
        return Sentence("%(open)s of %(limit)s open reviews", code="", **facts)


def candidates(uow: UnitOfWork, application: Application, frame: Frame) -> list[Candidate]:
    """Return who reviews in the programme, those first whom the rule would choose first; nine statements for all.

    The order is the rule: no hindrance, most of the call's expertise, least open reviews, then name and id, so that
    the same question always has the same answer.
    """
    asked = {review.reviewer for review in reads.reviews_of(uow.connection, application.id)}
    there = reads.people_with(uow.connection, "reviewer", application.programme)
    people = {row["id"]: row["name"] for row in there if row["id"] not in asked}
    users = sorted(people)
    known = judging.assessors_by_id(uow.connection, users)
    load = judging.open_reviews(uow.connection, users)
    conflicts = derived_for(uow.connection, users, application)
    today = uow.now().astimezone(ZoneInfo(frame.calendar.zone)).date()
    found = []
    for user in users:
        said = known.get(user) or Assessor(id=user, name=people[user])
        hindrance = conflicts.get(user) or _hindrance(said, load.get(user, 0), today)
        matches = tuple(
            tag for tag in frame.call.expertise if tag.casefold() in {own.casefold() for own in said.expertise}
        )
        found.append(
            Candidate(user, people[user], matches, tuple(said.languages), load.get(user, 0), said.limit, hindrance)
        )
    return sorted(found, key=lambda c: (c.hindrance is not None, -len(c.matches), c.open, c.name, c.id))


def _hindrance(said: Assessor, load: int, today: date) -> Sentence | None:
    if said.is_away(today) and said.away:
        until = said.away.until
        return Sentence("Away until %(until)s", code="away", figures={"until": until.isoformat()}, until=until)
    if load >= said.limit:
        return Sentence("Has %(open)s open reviews, and takes %(limit)s", code="full", open=load, limit=said.limit)
    return None


def choose(uow: UnitOfWork, who: Identity, reference: str, command: ChooseReviewers) -> list[Review]:
    """Ask whom the rule chooses, each with the reason why."""
    application, _ = application_for(uow, who, ASSIGN, reference, expected=command.version)
    frame = Frame(uow.connection, application)
    active = [item for item in reads.reviews_of(uow.connection, application.id) if item.status not in _OUT]
    needed = command.count if command.count is not None else frame.call.reviewers_needed - len(active)
    if needed < 1:
        raise ConflictError("%(count)s reviews are asked for already, as many as the call needs", count=len(active))
    free = [item for item in candidates(uow, application, frame) if item.hindrance is None][:needed]
    if len(free) < needed:
        said = "%(needed)s reviewers are needed and %(free)s are free of conflicts, there and not full"
        raise ConflictError(said, needed=needed, free=len(free))
    because = {item.id: str(item.because) for item in free}
    asked = AskForReviews(reviewers=[item.id for item in free], due=command.due, version=command.version)
    return ask(uow, who, reference, asked, because=because)


_OUT = frozenset({"recused", "excused"})


def moderate(uow: UnitOfWork, who: Identity, reference: str, command: Moderate) -> Moderation:
    """Record how reviews that are too far apart were settled."""
    application, role = application_for(uow, who, MODERATE, reference)
    frame = Frame(uow.connection, application)
    by = act_as(uow, role, command.note or None)
    found = moderations(uow).find(application.id, expected=command.version, for_update=True)
    if found is None:
        about = application.model_dump(include={"id", "programme", "title", "organisation_name"})
        found = moderations(uow).add(Moderation(**about))
    every = reads.reviews_of(uow.connection, application.id)
    if any(item.reviewer == who.user for item in every):
        raise ForbiddenError("You were asked for a review of this case; another person must moderate it")
    found.settle(command.outcome, command.note, every, frame.pack.sheet_of(frame.call), by=by, now=uow.now())
    return found


def remind(uow: UnitOfWork) -> int:
    """Remind reviewers whose reviews are due within two days, or were, once for each due day."""
    soon = (uow.now() + SOON).date().isoformat()
    found = judging.reviews_due(uow.connection, soon)
    for review_id in found:
        reviews(uow).get(review_id).remind()
    return len(found)
