"""Appeals against rejections: lodged by the applicant, decided by somebody who did not decide before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from pydantic import Field

from services.grants.domain.appeal import Appeal, Outcome, is_late, last_day, must_be_in_time
from services.grants.domain.application import Application
from services.grants.handlers.base import (
    Command,
    Frame,
    act_as,
    application_for,
    application_read,
)
from services.grants.handlers.moving import MoveApplication, step
from services.grants.storage.appeals import appeals, find_appeal
from shared.database import UnitOfWork
from shared.errors import ConflictError, NotFoundError
from shared.events.closeout_rules import Appeals
from shared.web.identity import Identity

READ, LODGE, DECIDE = "grants.appeal.read", "grants.appeal.lodge", "grants.appeal.decide"


class LodgeAppeal(Command):
    """The applicant says why the rejection was wrong."""

    grounds: str = Field(min_length=1, max_length=10_000)


class DecideAppeal(Command):
    """It is granted or refused, for a coded reason with words; `version` is the appeal's."""

    outcome: Outcome
    code: str
    words: str = Field(min_length=1, max_length=5000)
    version: int


@dataclass(frozen=True)
class Standing:
    """The appeal of a case, or until when one may be made."""

    application: Application
    frame: Frame
    appeal: Appeal | None
    until: date | None  # None when there is nothing to appeal against
    late: bool = False  # whether that day is over where the programme is


def rules_of(frame: Frame) -> Appeals:
    """Return the programme's rules; raises ConflictError without any."""
    if frame.pack.closeout.appeals is None:
        raise ConflictError("This programme takes no appeals")
    return frame.pack.closeout.appeals


def rejected(application: Application, frame: Frame) -> bool:
    """Return whether the case stands rejected: handed in, and where a granted appeal would take it up again."""
    rules = frame.pack.closeout.appeals
    ahead = {move.id for move in frame.workflow.leaving(application.stage)}
    return bool(rules and application.submitted_at and application.terminal and rules.move in ahead)


def standing(uow: UnitOfWork, who: Identity, reference: str) -> Standing:
    """Return how it stands with an appeal, to somebody who may see the case."""
    application, role = application_read(uow, who, READ, reference)
    act_as(uow, role)
    frame = Frame(uow.connection, application)
    rules = frame.pack.closeout.appeals
    until = last_day(application, rules, frame.calendar) if rules and rejected(application, frame) else None
    late = until is not None and is_late(until, uow.now(), frame.calendar)
    return Standing(application, frame, find_appeal(uow.connection, application.id), until, late)


def lodge(uow: UnitOfWork, who: Identity, reference: str, command: LodgeAppeal) -> Appeal:
    """Appeal against the rejection, once and in time."""
    application, role = application_for(uow, who, LODGE, reference)
    frame, kept = Frame(uow.connection, application), appeals(uow)
    rules = rules_of(frame)
    if earlier := kept.find(application.id):
        day = earlier.lodged_at.astimezone(ZoneInfo(frame.calendar.zone)).date()
        raise ConflictError("An appeal was made on %(day)s already", day=day)
    if not rejected(application, frame):
        raise ConflictError("Only a rejection can be appealed; the stage is %(stage)s", stage=application.stage)
    until = last_day(application, rules, frame.calendar)
    must_be_in_time(until, uow.now(), frame.calendar)
    return kept.add(Appeal.lodge(application, command.grounds, until, frame.calendar, act_as(uow, role), uow.now()))


def decide(uow: UnitOfWork, who: Identity, reference: str, command: DecideAppeal) -> Appeal:
    """Grant the appeal, and the case is taken up where the workflow says; or refuse it."""
    application, role = application_for(uow, who, DECIDE, reference)
    appeal = appeals(uow).find(application.id, expected=command.version, for_update=True)
    if appeal is None:
        raise NotFoundError("There is no appeal")
    frame = Frame(uow.connection, application)
    rules = rules_of(frame)
    if not appeal.outcome and not rejected(application, frame):
        raise ConflictError("Only a rejection can be appealed; the stage is %(stage)s", stage=application.stage)
    by = act_as(uow, role, command.words)
    appeal.decide(command.outcome, command.code, command.words, rules, frame.calendar, by=by, now=uow.now())
    if command.outcome == "granted":
        uow.flush()  # an appeal that is open holds the very move
        move = MoveApplication(transition=rules.move, version=application.version, reason=command.words)
        step(uow, who, application, move, role=role)
    return appeal
