"""Tables and queries of tasks and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Date, DateTime, Index, RowMapping, String, or_, select, text

from services.grants.domain.note import Note
from services.grants.domain.task import Task
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

MOST_TASKS, MOST_NOTES = 300, 500
_OPEN = text("NOT done")

task = entity_table(
    "task",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("application", String(80), nullable=False),
    Column("assignee", String(80), nullable=False),
    Column("made_by", String(80), nullable=False),
    Column("due_order", Date, nullable=False),
    Column("done", Boolean, nullable=False),
    Index("task_mine", "assignee", "due_order", "id", postgresql_where=_OPEN),
    Index("task_case", "application", "due_order", "id"),
)

note = entity_table(
    "note",
    metadata,
    Column("application", String(80), nullable=False),
    Column("audience", String(20), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("note_case", "application", "at", "id"),
)


def _task_columns(item: Task) -> dict[str, Any]:
    return {
        "programme": item.programme,
        "application": item.application,
        "assignee": item.assignee,
        "made_by": item.made_by.removeprefix("user:"),
        "due_order": item.due or t.FAR,
        "done": item.done_at is not None,
    }


def _note_columns(item: Note) -> dict[str, Any]:
    return {"application": item.application, "audience": item.audience, "at": item.at}


def tasks(uow: UnitOfWork) -> Repository[Task]:
    """Return the tasks of this transaction."""
    return Repository(uow, task, Task, _task_columns)


def notes(uow: UnitOfWork) -> Repository[Note]:
    """Return the notes of this transaction."""
    return Repository(uow, note, Note, _note_columns)


def _task(row: RowMapping) -> Task:
    return Task.stored(row["state"], row["version"])


def find_task(connection: Connection, task_id: str) -> Task | None:
    """Return a task to look at."""
    row = connection.execute(select(task).where(task.c.id == task_id)).mappings().one_or_none()
    return None if row is None else _task(row)


def find_note(connection: Connection, note_id: str) -> Note | None:
    """Return a note to look at."""
    row = connection.execute(select(note).where(note.c.id == note_id)).mappings().one_or_none()
    return None if row is None else Note.stored(row["state"], row["version"])


def tasks_of_case(connection: Connection, reference: str) -> list[Task]:
    """Return the tasks of a case: open ones first, by the day they are due."""
    c = task.c
    query = select(task).where(c.application == reference).order_by(c.done, c.due_order, c.id).limit(MOST_TASKS)
    return [_task(row) for row in connection.execute(query).mappings()]


def open_tasks(connection: Connection, users: Sequence[str]) -> list[Task]:
    """Return the open tasks of some people, the one due first at the head."""
    c = task.c
    query = select(task).where(c.assignee.in_(users), ~c.done).order_by(c.due_order, c.id).limit(MOST_TASKS)
    return [_task(row) for row in connection.execute(query).mappings()]


def given_tasks(connection: Connection, user: str) -> list[Task]:
    """Return the open tasks that a person gave to others."""
    c = task.c
    query = select(task).where(c.made_by == user, c.assignee != user, ~c.done).order_by(c.due_order, c.id)
    return [_task(row) for row in connection.execute(query.limit(MOST_TASKS)).mappings()]


def notes_of(connection: Connection, reference: str, *, shared_only: bool) -> list[Note]:
    """Return the notes of a case, the newest first; of an applicant's view those alone that are shared."""
    query = select(note).where(note.c.application == reference)
    if shared_only:
        query = query.where(note.c.audience == "applicant")
    rows = connection.execute(query.order_by(note.c.at.desc(), note.c.id.desc()).limit(MOST_NOTES)).mappings()
    return [Note.stored(row["state"], row["version"]) for row in rows]


def staff_of(connection: Connection, programme: str, roles: Sequence[str]) -> list[RowMapping]:
    """Return the active people of a programme who hold one of these roles, by name."""
    c = t.person.c
    either = or_(*(c.roles.contains([role]) for role in roles))
    query = select(t.person).where(c.active, c.programmes.contains([programme]), either)
    return list(connection.execute(query.order_by(c.name, c.id).limit(500)).mappings())


def people_of(connection: Connection, organisation: str) -> list[RowMapping]:
    """Return the active applicants of an organisation, by name."""
    c = t.person.c
    query = select(t.person).where(c.active, c.organisation == organisation, c.roles.contains(["applicant"]))
    return list(connection.execute(query.order_by(c.name, c.id).limit(200)).mappings())
