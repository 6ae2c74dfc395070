"""JSON: tasks and notes."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.grants.domain.note import Note
from services.grants.domain.task import Task
from services.grants.handlers import notes, tasks, viewing
from services.grants.storage import day as stored
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["day"])


class DayView(BaseModel):
    """One's own open tasks by when they are due."""

    today: date
    overdue: list[dict[str, Any]]
    now: list[dict[str, Any]]
    week: list[dict[str, Any]]
    later: list[dict[str, Any]]


def _shown(item: Task | Note) -> dict[str, Any]:
    return item.state() | {"version": item.version}


@router.get("/tasks", dependencies=[allowed(tasks.READ)])
def mine(request: Request, who: Who, connection: Reader) -> DayView:
    """Return one's own open tasks: overdue, today, this week, later."""
    programme = who.programmes[0] if who.programmes else ""
    day = tasks.day_of(connection, [who.user], programme, request.app.state.clock())
    parts = {name: [_shown(task) for task in getattr(day, name)] for name in ("overdue", "now", "week", "later")}
    return DayView(today=day.today, **parts)


@router.post("/tasks", status_code=201, dependencies=[allowed(tasks.WRITE)])
def give(command: tasks.GiveTask, who: Who, uow: Uow) -> dict[str, Any]:
    """Give a task to a colleague or oneself, on a case or free; `working_days` counts in the programme's calendar."""
    task = tasks.give(uow, who, command)
    uow.flush()
    return _shown(task)


@router.put("/tasks/{task_id}", dependencies=[allowed(tasks.WRITE)])
def change(task_id: str, command: tasks.ChangeTask, who: Who, uow: Uow) -> dict[str, Any]:
    """Give a task other words, another day or another person."""
    task = tasks.change(uow, who, task_id, command)
    uow.flush()
    return _shown(task)


@router.post("/tasks/{task_id}/done", dependencies=[allowed(tasks.WRITE)])
def finish(task_id: str, command: tasks.TaskState, who: Who, uow: Uow) -> dict[str, Any]:
    """Say that a task is done."""
    task = tasks.finish(uow, who, task_id, command)
    uow.flush()
    return _shown(task)


@router.post("/tasks/{task_id}/open", dependencies=[allowed(tasks.WRITE)])
def reopen(task_id: str, command: tasks.TaskState, who: Who, uow: Uow) -> dict[str, Any]:
    """Say that a task is not done after all."""
    task = tasks.reopen(uow, who, task_id, command)
    uow.flush()
    return _shown(task)


@router.get("/applications/{reference}/tasks", dependencies=[allowed(tasks.READ)])
def of_case(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return the tasks of a case, open ones first."""
    application = viewing.application_seen(uow, who, reference)
    tasks.may_see(who, application)
    return [_shown(task) for task in stored.tasks_of_case(uow.connection, application.id)]


@router.get("/applications/{reference}/notes", dependencies=[allowed(notes.READ)])
def noted(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return the notes of a case, the newest first; an applicant reads the shared ones."""
    application = viewing.application_seen(uow, who, reference)
    return [_shown(note) for note in notes.seen(uow.connection, who, application)]


@router.post("/applications/{reference}/notes", status_code=201, dependencies=[allowed(notes.WRITE)])
def write(reference: str, command: notes.WriteNote, who: Who, uow: Uow) -> dict[str, Any]:
    """Write a note for staff alone or for the applicant too; @name tells whom it names."""
    note = notes.write(uow, who, reference, command)
    uow.flush()
    return _shown(note)


@router.put("/notes/{note_id}", dependencies=[allowed(notes.WRITE)])
def edit(note_id: str, command: notes.EditNote, who: Who, uow: Uow) -> dict[str, Any]:
    """Change the words of one's own note; the former ones stay in it."""
    note = notes.edit(uow, who, note_id, command)
    uow.flush()
    return _shown(note)
