"""What those who judge cases say of themselves: expertise, languages, load, absence, interests."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from services.grants.domain.application import Application
from services.grants.domain.assessor import Absence, Assessor, Interest, Tie
from services.grants.domain.conflict import Recusal
from services.grants.handlers import conflicts
from services.grants.handlers.base import Command, act_as, application_for
from services.grants.policy import POLICY
from services.grants.storage import judging, reads
from services.grants.storage.judging import assessors
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.names import folded, number
from shared.web.identity import Identity

OWN, STEP_BACK = "grants.assessor.own", "grants.recusal.declare"
Tag = Annotated[str, Field(min_length=1, max_length=60)]


class KeepProfile(Command):
    """What somebody knows and how much they can take; `version` is 0 the first time."""

    expertise: Annotated[list[Tag], Field(max_length=30)] = []
    languages: Annotated[list[Tag], Field(max_length=20)] = []
    limit: int = 5
    away_since: date | None = None
    away_until: date | None = None
    version: int


class DeclareInterest(Command):
    """A tie to an organisation: one that Tamga knows (`organisation`), or any other by its name or number."""

    tie: Tie
    organisation: str = ""
    name: Annotated[str, Field(max_length=200)] = ""
    number: Annotated[str, Field(max_length=60)] = ""
    until: date | None = None
    version: int


class EndInterest(Command):
    """A tie has ended on that day."""

    until: date
    version: int


class StepBack(Command):
    """Somebody steps back from a case, and why; `version` is the application's."""

    nature: Annotated[str, Field(max_length=2000)]
    version: int


class LiftRecusal(Command):
    """Another person finds that there is no conflict, and why."""

    reason: Annotated[str, Field(max_length=2000)]
    version: int


def own(uow: UnitOfWork, who: Identity) -> Assessor:
    """Return what somebody said of themselves, or an empty profile of version 0."""
    POLICY.require(OWN, who)
    return judging.find_assessor(uow.connection, who.user) or Assessor(id=who.user, name=who.name)


def _mine(uow: UnitOfWork, who: Identity, version: int) -> Assessor:
    role = POLICY.role_for(OWN, who)
    act_as(uow, role)
    found = assessors(uow).find(who.user, expected=version, for_update=True)
    return found or assessors(uow).add(Assessor(id=who.user, name=who.name))


def keep_profile(uow: UnitOfWork, who: Identity, command: KeepProfile) -> Assessor:
    """Keep one's own profile."""
    if (command.away_since is None) != (command.away_until is None):
        raise InvalidError({"away_until": "needs the first and the last day, or neither"})
    away = None
    if command.away_since and command.away_until:
        away = Absence(since=command.away_since, until=command.away_until)
    assessor = _mine(uow, who, command.version)
    assessor.profile(expertise=command.expertise, languages=command.languages, limit=command.limit, away=away)
    return assessor


def declare_interest(uow: UnitOfWork, who: Identity, command: DeclareInterest) -> Assessor:
    """Declare a tie to an organisation."""
    known = reads.find_organisation(uow.connection, command.organisation[:80]) if command.organisation else None
    if command.organisation and known is None:
        raise InvalidError({"organisation": "is not an organisation that is known here"})
    name = known["name"] if known else command.name
    if not name and not command.number:
        raise InvalidError({"name": "is required: the organisation, or its registration or tax number"})
    given = number(command.number) or number((known["registration_number"] or "") if known else "")
    interest = Interest(
        organisation=command.organisation,
        name=name or command.number,
        key=folded(name),
        number=given,
        tie=command.tie,
        until=command.until,
    )
    assessor = _mine(uow, who, command.version)
    assessor.declare(interest)
    return assessor


def end_interest(uow: UnitOfWork, who: Identity, place: int, command: EndInterest) -> Assessor:
    """Say that a declared tie has ended."""
    assessor = _mine(uow, who, command.version)
    assessor.end(place, command.until, uow.now().date())
    return assessor


def step_back(uow: UnitOfWork, who: Identity, reference: str, command: StepBack) -> tuple[Application, Recusal]:
    """Declare a conflict of interest in a case as staff or approver: one is out of it from now on."""
    application, role = application_for(uow, who, STEP_BACK, reference, expected=command.version)
    act_as(uow, role)
    return application, conflicts.declare(uow, who, application, command.nature)


def lift(uow: UnitOfWork, who: Identity, recusal_id: str, command: LiftRecusal) -> Recusal:
    """Lift another person's recusal."""
    return conflicts.lifted(uow, who, recusal_id, command.reason, command.version)
