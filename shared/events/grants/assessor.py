"""What people who judge cases say about themselves."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class AssessorFact(Event):
    """Whom it is about. Entity assessor:<user id>."""

    user_id: str
    name: str


class ProfileKept(AssessorFact):
    """What they know, which languages they read, how many open reviews they take at most."""

    TYPE = "grants.assessor.profile_kept"
    AUDIENCE = "record"
    PERSONAL = True
    expertise: list[str]
    languages: list[str]
    limit: int


class InterestDeclared(AssessorFact):
    """They declared a tie to an organisation; which one is said only when Tamga knows it."""

    TYPE = "grants.assessor.interest_declared"
    AUDIENCE = "record"
    PERSONAL = True
    tie: str
    organisation_id: str


class InterestEnded(AssessorFact):
    """A declared tie has ended; it counts for three more years."""

    TYPE = "grants.assessor.interest_ended"
    AUDIENCE = "record"
    PERSONAL = True
    tie: str
    until: date
