"""Tasks: given, changed, done; each on a case whose staff may see it, or free within a programme."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application, Calendar
from services.grants.domain.task import Task, check_due, working_day_after
from services.grants.handlers.base import MAX_REFERENCE, STAFF, Command, act_as, application_read, role_on
from services.grants.handlers.listing import latest
from services.grants.policy import POLICY
from services.grants.storage import day as stored
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import InvalidError, NotFoundError, Rule
from shared.web.identity import Identity

READ, WRITE = "grants.task.read", "grants.task.write"
MOST_WORKING_DAYS = 250


class GiveTask(Command):
    """Something is to be done: on the case `application` or, without one, in `programme`.

    The day is `due`, or `working_days` from today in the programme's calendar; `assignee` is a user id, "" for oneself.
    """

    task: str
    application: str = ""
    programme: str = ""
    note: str = ""
    due: date | None = None
    working_days: int | None = None
    assignee: str = ""


class ChangeTask(Command):
    """A task is to have these words, this day and this person."""

    task: str
    due: date | None = None
    assignee: str
    version: int


class TaskState(Command):
    """The page of which version somebody said that the task is done, or is not."""

    version: int


def give(uow: UnitOfWork, who: Identity, command: GiveTask) -> Task:
    """Give a task to a colleague who may see its case, or to oneself."""
    programme, role = _place(uow, who, command)
    act = act_as(uow, role)
    calendar, today = calendar_of(uow.connection, programme, uow.now())
    due = _due(command, today, calendar)
    person = _colleague(uow.connection, command.assignee or who.user, programme)
    note = stored.find_note(uow.connection, command.note[:MAX_REFERENCE]) if command.note else None
    if command.note and (note is None or note.application != command.application):
        raise InvalidError({"note": "is not a note of this case"})
    return stored.tasks(uow).add(
        Task.add(
            id=str(uow.ids()),
            programme=programme,
            application=command.application,
            note=command.note,
            task=command.task,
            due=due,
            assignee=person["id"],
            assignee_name=person["name"],
            made_by=act.id,
            made_by_name=act.name,
            made_at=uow.now(),
        )
    )


def _place(uow: UnitOfWork, who: Identity, command: GiveTask) -> tuple[str, str]:
    """Return the programme of a new task and the role of `who` in it."""
    if not command.application:
        programme = command.programme or (who.programmes[0] if who.programmes else "")
        return programme, POLICY.role_for(WRITE, who, programme=programme)
    application, role = application_read(uow, who, WRITE, command.application)
    return application.programme, role


def calendar_of(connection: Connection, programme: str, now: datetime) -> tuple[Calendar, date]:
    """Return the calendar of a programme and the day it is there."""
    pack = latest(connection, programme)
    calendar = pack.calendar if pack else Calendar(country="MK", zone="UTC")
    return calendar, now.astimezone(ZoneInfo(calendar.zone)).date()


def _due(command: GiveTask, today: date, calendar: Calendar) -> date | None:
    if command.working_days is None:
        check_due(command.due, today, calendar)
        return command.due
    if command.due is not None:
        raise InvalidError({"due": "say a day or a number of working days, not both"})
    if not 1 <= command.working_days <= MOST_WORKING_DAYS:
        raise InvalidError({"working_days": Rule("must be 1 to %(most)s", most=MOST_WORKING_DAYS)})
    return working_day_after(today, command.working_days, calendar)


def _colleague(connection: Connection, user: str, programme: str) -> RowMapping:
    person = reads.find_person(connection, user[:MAX_REFERENCE])
    fits = person is not None and person["active"] and programme in person["programmes"]
    if person is None or not fits or not set(STAFF) & set(person["roles"]):
        raise InvalidError({"assignee": "is nobody of this programme's staff"})
    return person


def _task_for(uow: UnitOfWork, who: Identity, task_id: str, version: int) -> Task:
    seen = stored.find_task(uow.connection, task_id[:MAX_REFERENCE])
    if seen is None:
        POLICY.require(WRITE, who)
        raise NotFoundError("There is no such record")
    act_as(uow, POLICY.role_for(WRITE, who, programme=seen.programme))
    return stored.tasks(uow).get(seen.id, expected=version)


def change(uow: UnitOfWork, who: Identity, task_id: str, command: ChangeTask) -> Task:
    """Give a task other words, another day or another person."""
    task = _task_for(uow, who, task_id, command.version)
    if command.due != task.due:
        calendar, today = calendar_of(uow.connection, task.programme, uow.now())
        check_due(command.due, today, calendar)
    person = _colleague(uow.connection, command.assignee, task.programme)
    task.change(command.task, command.due, person["id"], person["name"])
    return task


def finish(uow: UnitOfWork, who: Identity, task_id: str, command: TaskState) -> Task:
    """Say that a task is done."""
    task = _task_for(uow, who, task_id, command.version)
    task.finish(act_as(uow, uow.context.actor.role or STAFF[0]), uow.now())
    return task


def reopen(uow: UnitOfWork, who: Identity, task_id: str, command: TaskState) -> Task:
    """Say that a task is not done after all."""
    task = _task_for(uow, who, task_id, command.version)
    task.reopen()
    return task


@dataclass(frozen=True)
class Day:
    """A person's open tasks by when they are due: before today, today, until Sunday, later or without a day."""

    today: date
    overdue: list[Task]
    now: list[Task]
    week: list[Task]
    later: list[Task]


def day_of(connection: Connection, users: list[str], programme: str, now: datetime) -> Day:
    """Return the open tasks of these people as the day of one who works in `programme`."""
    _, today = calendar_of(connection, programme, now)
    sunday = today + timedelta(days=6 - today.weekday())
    tasks = stored.open_tasks(connection, users)
    dated = [(task.due, task) for task in tasks if task.due]
    return Day(
        today,
        [task for due, task in dated if due < today],
        [task for due, task in dated if due == today],
        [task for due, task in dated if today < due <= sunday],
        [task for due, task in dated if due > sunday] + [task for task in tasks if not task.due],
    )


def may_see(who: Identity, application: Application) -> None:
    """Raise as the policy does unless `who` may see the tasks of a case."""
    role_on(who, READ, application)
