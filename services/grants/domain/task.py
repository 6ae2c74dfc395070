"""A task: what one person has to do by a day, on a case or free."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from services.grants.domain.application import Calendar, Person
from shared.entity import Entity
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.grants.day import TaskAdded, TaskChanged, TaskDone, TaskReopened
from shared.workflow.clock import is_working_day

MAX_TASK, MOST_DAYS = 300, 366


class Task(Entity):
    """Something to do. `application` is the case's reference, "" for a task of its own; `note` the note it is from."""

    KIND: ClassVar[str] = "task"

    programme: str
    application: str = ""
    note: str = ""
    task: str
    due: date | None = None
    assignee: str
    assignee_name: str
    made_by: str
    made_by_name: str
    made_at: datetime
    done_at: datetime | None = None
    done_by_name: str = ""

    def case(self) -> str | None:
        return self.application or None

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"colleague": [f"user:{self.assignee}"]}

    def _facts(self, *notify: str) -> dict[str, Any]:
        return {
            "task_id": self.id,
            "reference": self.application,
            "task": self.task,
            "due": self.due,
            "assignee_id": self.assignee,
            "assignee_name": self.assignee_name,
            "notify": list(notify),
        }

    @classmethod
    def add(cls, **fields: Any) -> Task:
        """Return a new task; raises InvalidError without words."""
        task = cls(**fields)
        _check_words(task.task)
        task.record(TaskAdded(**task._facts("colleague")))
        return task

    def change(self, task: str, due: date | None, assignee: str, assignee_name: str) -> None:
        """Give the task other words, another day or another person; records nothing when nothing changed."""
        _check_words(task)
        self._must_be_open()
        reassigned = assignee != self.assignee
        if (task, due) == (self.task, self.due) and not reassigned:
            return
        self.task, self.due, self.assignee, self.assignee_name = task, due, assignee, assignee_name
        self.record(TaskChanged(**self._facts(*(["colleague"] if reassigned else [])), reassigned=reassigned))

    def finish(self, by: Person, now: datetime) -> None:
        """Say that the task is done."""
        self._must_be_open()
        self.done_at, self.done_by_name = now, by.name
        self.record(TaskDone(**self._facts()))

    def reopen(self) -> None:
        """Say that the task is to be done again."""
        if self.done_at is None:
            raise ConflictError("The task is open already")
        self.done_at, self.done_by_name = None, ""
        self.record(TaskReopened(**self._facts()))

    def _must_be_open(self) -> None:
        if self.done_at is not None:
            raise ConflictError("The task is done already, by %(by)s", by=self.done_by_name)


def _check_words(task: str) -> None:
    if not 1 <= len(task) <= MAX_TASK:
        raise InvalidError({"task": Rule("must have 1 to %(most)s characters", most=MAX_TASK)})


def check_due(due: date | None, today: date, calendar: Calendar) -> None:
    """Raise InvalidError for a day that has passed, is a year away, or on which nobody works; it names the next one."""
    if due is None:
        return
    if due < today:
        raise InvalidError({"due": Rule("has passed: today is %(today)s", today=today)})
    if due > today + timedelta(days=MOST_DAYS):
        raise InvalidError({"due": Rule("is more than %(most)s days away", most=MOST_DAYS)})
    if not is_working_day(due, calendar.country):
        day = working_day_after(due, 1, calendar)
        raise InvalidError({"due": Rule("nobody works that day; the next working day is %(day)s", day=day)})


def working_day_after(start: date, days: int, calendar: Calendar) -> date:
    """Return the `days`th working day after `start` in the programme's calendar."""
    day = start
    while days:
        day += timedelta(days=1)
        days -= is_working_day(day, calendar.country)
    return day
