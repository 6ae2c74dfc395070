"""What staff do around their cases: tasks, notes, and standing in for each other."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class TaskFact(Event):
    """What every event of a task says about it; `reference` is "" for a task that belongs to no case."""

    task_id: str
    reference: str
    task: str
    due: date | None
    assignee_id: str
    assignee_name: str
    notify: list[str] = []


class TaskAdded(TaskFact):
    """Somebody has something to do by a day, on a case or free. Entity task:<id>."""

    TYPE = "grants.task.added"


class TaskChanged(TaskFact):
    """A task has other words, another day, or another person (`reassigned`)."""

    TYPE = "grants.task.changed"
    reassigned: bool


class TaskDone(TaskFact):
    """A task is done."""

    TYPE = "grants.task.done"
    AUDIENCE = "record"


class TaskReopened(TaskFact):
    """A task that was done is to be done again."""

    TYPE = "grants.task.reopened"
    AUDIENCE = "record"


class NoteFact(Event):
    """What every event of a note says about it; its words stay in the service.

    `shared` is whether the applicant reads it too; `from_applicant` whether they wrote it; `mentioned` are user ids.
    """

    note_id: str
    reference: str
    title: str
    organisation_name: str
    shared: bool
    from_applicant: bool
    mentioned: list[str]
    notify: list[str] = []


class NoteWritten(NoteFact):
    """Somebody wrote a note on a case. Entity note:<id>."""

    TYPE = "grants.note.written"


class NoteEdited(NoteFact):
    """The author changed a note; the former words stay beside it. `tells` is whether it names somebody new."""

    TYPE = "grants.note.edited"
    tells: bool


class DelegationFact(Event):
    """What every event of standing in says about it; the days are local and inclusive."""

    delegation_id: str
    delegated_role: str
    delegator_id: str
    delegator_name: str
    delegate_id: str
    delegate_name: str
    first_day: date
    last_day: date
    notify: list[str] = []


class DelegationMade(DelegationFact):
    """Somebody will be away, and another acts for them in one role of one programme. Entity delegation:<id>."""

    TYPE = "grants.delegation.made"


class DelegationEnded(DelegationFact):
    """A delegation was ended before its last day; one that runs out ends by itself and says nothing."""

    TYPE = "grants.delegation.ended"


class LikenessFact(Event):
    """What every decision about two applications that look alike says; `alike_by` are the codes of what is alike."""

    reference: str
    other_reference: str
    alike_by: list[str]
    why: str


class LikenessLinked(LikenessFact):
    """Somebody found that two applications belong together. Entity likeness:<one>:<other>."""

    TYPE = "grants.likeness.linked"
    AUDIENCE = "record"


class LikenessDismissed(LikenessFact):
    """Somebody found that two applications only look alike."""

    TYPE = "grants.likeness.dismissed"
    AUDIENCE = "record"
