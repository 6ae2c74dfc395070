"""The result of due diligence: the capacity assessment, its reuse, and the conditions that an agreement gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from services.grants.domain.application import Application, Person
from services.grants.domain.capacity import Capacity, Special, specials, with_specials
from services.grants.handlers import viewing
from services.grants.handlers.base import Command, Frame, act_as, application_for, role_on
from services.grants.handlers.conflicts import must_be_free
from services.grants.handlers.moving import RISK, checked_at, key
from services.grants.storage.capacity import capacities, earlier_of, find_capacity
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.diligence_rules import CapacitySheet
from shared.web.identity import Identity

READ, ASSESS = "grants.capacity.read", "grants.capacity.assess"


class Given(BaseModel):
    """An answer that was chosen, and what was looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, str_max_length=20_000)

    option: str = ""
    note: str = ""


class Assess(Command):
    """The answers as they stand; `finish` counts them. `version` is the assessment's, 0 of one that is not begun."""

    answers: dict[str, Given]
    finish: bool = False
    version: int = 0


class TakeOver(Command):
    """An earlier assessment, that of application `source`, counts for this one too."""

    source: str
    version: int = 0


@dataclass(frozen=True)
class Seen:
    """A case's due diligence to read: what is asked, what was answered, what could be taken over, what follows."""

    application: Application
    frame: Frame
    sheet: CapacitySheet | None
    capacity: Capacity | None
    earlier: list[Capacity]
    conditions: list[Special]
    today: date
    open: bool


def sheet_of(frame: Frame) -> tuple[CapacitySheet | None, str | None]:
    """Return the questions of a call's capacity assessment and the stage at which they are answered."""
    for stage, name in checked_at(frame).items():
        if frame.pack.checklists[name].capacity:
            return frame.pack.checklists[name].capacity, stage
    return None, None


def conditions_of(application: Application, frame: Frame, capacity: Capacity | None) -> list[Special]:
    """Return the special conditions that this case's due diligence asks for: by its risk, then by its answers."""
    found: list[Special] = []
    for checklist in frame.pack.checklists_of(frame.call):
        check = application.checks.get(key(checklist.checklist, RISK))
        if checklist.risk:
            found += specials(None, check.answer if check else None, checklist.risk.conditions)
    return found + specials(capacity, None, {})


def seen(uow: UnitOfWork, who: Identity, reference: str) -> Seen:
    """Return a case's due diligence; that it was read is recorded."""
    application = viewing.application_seen(uow, who, reference)
    role_on(who, READ, application)
    must_be_free(uow.connection, who, application)
    frame = Frame(uow.connection, application)
    sheet, stage = sheet_of(frame)
    if not any(item.assesses for item in frame.pack.checklists_of(frame.call)):
        raise NotFoundError("There is no such record")
    capacity = find_capacity(uow.connection, application.id)
    made = bool(capacity and capacity.result)
    about = (application.id, application.organisation, application.programme)
    return Seen(
        application,
        frame,
        sheet,
        capacity,
        [] if sheet is None or made else earlier_of(uow.connection, *about, sheet.id),
        conditions_of(application, frame, capacity),
        _today(uow, frame),
        application.stage == stage,
    )


def _today(uow: UnitOfWork, frame: Frame) -> date:
    return uow.now().astimezone(ZoneInfo(frame.calendar.zone)).date()


def _begun(
    uow: UnitOfWork, who: Identity, reference: str, version: int
) -> tuple[Application, Frame, CapacitySheet, Capacity, Person]:
    application, role = application_for(uow, who, ASSESS, reference)
    frame = Frame(uow.connection, application)
    sheet, stage = sheet_of(frame)
    if sheet is None:
        raise NotFoundError("This call has no capacity assessment")
    if application.stage != stage:
        said = "Capacity is assessed while the case is in due diligence; now it is %(now)s"
        raise ConflictError(said, now=frame.workflow.label(application.stage, "en"))
    by = act_as(uow, role)
    found = capacities(uow).find(application.id, expected=version or None, for_update=True)
    if found is not None and not version:
        raise ConflictError("Somebody began this assessment meanwhile; look at it first")
    if found is None:
        about = application.model_dump(include={"id", "programme", "organisation", "title", "organisation_name"})
        found = capacities(uow).add(Capacity(**about, sheet=sheet.id))
    return application, frame, sheet, found, by


def assess(uow: UnitOfWork, who: Identity, reference: str, command: Assess) -> Capacity:
    """Keep the answers, or finish the assessment."""
    _, frame, sheet, capacity, by = _begun(uow, who, reference, command.version)
    given = {name: (item.option, item.note) for name, item in command.answers.items()}
    capacity.answer(given, sheet, finish=command.finish, by=by, now=uow.now(), today=_today(uow, frame))
    return capacity


def take_over(uow: UnitOfWork, who: Identity, reference: str, command: TakeOver) -> Capacity:
    """Take over an assessment that was made of this organisation for another application."""
    _, frame, sheet, capacity, by = _begun(uow, who, reference, command.version)
    earlier = find_capacity(uow.connection, command.source[:80])
    if earlier is None or (earlier.organisation, earlier.programme) != (capacity.organisation, capacity.programme):
        raise InvalidError({"source": "is no assessment of this organisation in this programme"})
    capacity.take_over(earlier, sheet.id, by=by, now=uow.now(), today=_today(uow, frame))
    return capacity


def agreed_conditions(
    uow: UnitOfWork, application: Application, conditions: str, dropped: dict[str, str], by: Person
) -> str:
    """Return the conditions of an agreement with those of due diligence; leaving one out is recorded."""
    frame = Frame(uow.connection, application)
    capacity = find_capacity(uow.connection, application.id)
    wanted = conditions_of(application, frame, capacity)
    text = with_specials(conditions, wanted, dropped)
    if dropped:
        about = application.model_dump(include={"id", "programme", "organisation", "title", "organisation_name"})
        held = capacities(uow).find(application.id, for_update=True)
        held = held or capacities(uow).add(Capacity(**about, sheet=""))
        words = {item.id: item.text for item in wanted}
        held.drop({name: (words[name], why) for name, why in dropped.items()}, by=by, now=uow.now())
    return text


def view(found: Seen) -> dict[str, Any]:
    """Return due diligence as machines read it."""
    made = found.capacity
    return {
        "reference": found.application.id,
        "version": made.version if made else 0,
        "open": found.open,
        "questions": found.sheet.model_dump(mode="json") if found.sheet else None,
        "answers": [item.model_dump(mode="json") for item in made.answers] if made else [],
        "result": made.result.model_dump(mode="json") if made and made.result else None,
        "taken_over_from": made.source.model_dump(mode="json") if made and made.source else None,
        "earlier": [
            {
                "source": item.id,
                "result": item.result.model_dump(mode="json"),
                "valid": item.result.valid_until >= found.today,
                "answers": [answer.model_dump(mode="json") for answer in item.answers],
            }
            for item in found.earlier
            if item.result
        ],
        "conditions": [item.model_dump(mode="json") for item in found.conditions],
        "dropped": [item.model_dump(mode="json") for item in made.dropped] if made else [],
    }
