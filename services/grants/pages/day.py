"""One's own day, and the notes and tasks of a case."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.grants.handlers import notes, tasks, viewing
from services.grants.handlers.base import STAFF
from services.grants.handlers.standing import stands_for, ties_of
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.storage import day as stored
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.kept import keeps_words

router = APIRouter()
DAY = "/grants/day"


class TaskForm(FormModel):
    """The form that gives a task: words, a day or a number of working days, a person."""

    task: str = ""
    due: str = ""
    working_days: str = ""
    assignee: str = ""
    note: str = ""

    def command(self, **place: str) -> tasks.GiveTask:
        """Return what is asked for; raises InvalidError for what is no day or no number."""
        days = self.working_days
        if days and not (days.isascii() and days.isdigit() and len(days) < 5):
            raise InvalidError({"working_days": "is not a whole number"})
        due = _day(self.due)
        return tasks.GiveTask(
            task=self.task,
            due=due,
            working_days=int(days) if days else None,
            assignee=self.assignee,
            note=self.note,
            **place,
        )


class ChangeForm(FormModel):
    """The form that changes a task."""

    task: str = ""
    due: str = ""
    assignee: str
    version: int
    to: str = ""


class StateForm(FormModel):
    """The button that says that a task is done, or is not; `to` is where it stands."""

    version: int
    to: str = ""


class NoteForm(FormModel):
    """The form of a note: nobody shares one by leaving something out."""

    text: str = ""
    audience: str = "staff"


class EditForm(FormModel):
    """The form that changes a note."""

    text: str = ""
    version: int


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InvalidError({"due": "is not a date: write year-month-day"}) from error


@router.get("/day", dependencies=[allowed(tasks.READ)])
def my_day(request: Request, who: Who, connection: Reader) -> HTMLResponse:
    """Show one's own open tasks: overdue, today, this week, later; and those given to others."""
    return _my_day(request, who, connection)


def _my_day(request: Request, who: Identity, connection: Any, **more: Any) -> HTMLResponse:
    programme = who.programmes[0] if who.programmes else ""
    context: dict[str, Any] = {
        "day": tasks.day_of(connection, [who.user, *stands_for(who)], programme, request.app.state.clock()),
        "given_away": stored.given_tasks(connection, who.user),
        "staff": stored.staff_of(connection, programme, STAFF),
        "ties": ties_of(who),
        "problems": {},
        "typed": {},
    }
    return show(request, "day.html", **(context | more))


@router.post("/day/tasks", dependencies=[allowed(tasks.WRITE)])
def give_free(request: Request, form: Annotated[TaskForm, Form()], who: Who, uow: Uow) -> Response:
    """Give a task that belongs to no case."""
    try:
        tasks.give(uow, who, form.command())
    except InvalidError as problem:
        uow.abandon()
        more = {"problems": problem.fields, "typed": form.model_dump(), "status_code": 422}
        return _my_day(request, who, uow.connection, **more)
    return back(DAY)


@router.get("/applications/{reference}/notes", dependencies=[allowed(notes.READ)])
def of_case(request: Request, reference: str, who: Who, uow: Uow, on: str = "") -> HTMLResponse:
    """Show the notes and the tasks of a case; `on` is a note that a task is to be made from."""
    return _of_case(request, uow, who, reference, on=on)


def _of_case(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    application = viewing.application_seen(uow, who, reference)
    page = CasePage(request, uow, who, application)
    staff = bool(set(STAFF) & set(page.roles)) and page.inside
    context = page.context("notes") | {
        "notes": notes.seen(uow.connection, who, application),
        "tasks": stored.tasks_of_case(uow.connection, application.id) if page.inside else [],
        "people": list(notes.readers(uow.connection, application, "staff").items()) if staff else [],
        "may_write": (staff or not page.inside) and application.submitted_at is not None,
        "staff": staff,
        "today": tasks.calendar_of(uow.connection, application.programme, request.app.state.clock())[1],
        "on": "",
        "problems": {},
        "typed": {},
        "editing": "",
    }
    return show(request, "notes.html", **(context | more))


@router.post("/applications/{reference}/notes", dependencies=[allowed(notes.WRITE)])
@keeps_words
def write(request: Request, reference: str, form: Annotated[NoteForm, Form()], who: Who, uow: Uow) -> Response:
    """Write a note; one that can't be kept comes back as it was typed."""
    if form.audience not in {"staff", "applicant"}:
        raise InvalidError({"audience": "must be staff or applicant"})
    try:
        notes.write(uow, who, reference, notes.WriteNote.model_validate(form.model_dump(exclude={"csrf"})))
    except InvalidError as problem:
        uow.abandon()
        more = {"problems": problem.fields, "typed": form.model_dump(), "status_code": 422}
        return _of_case(request, uow, who, reference, **more)
    return back(case_path(reference, "notes"))


@router.post("/notes/{note_id}", dependencies=[allowed(notes.WRITE)])
def edit(request: Request, note_id: str, form: Annotated[EditForm, Form()], who: Who, uow: Uow) -> Response:
    """Change one's own note; the former words stay beside it."""
    try:
        note = notes.edit(uow, who, note_id, notes.EditNote(text=form.text, version=form.version))
    except InvalidError as problem:
        uow.abandon()
        found = stored.find_note(uow.connection, note_id[:80])
        if found is None:
            raise
        more = {"problems": {f"text-{note_id}": problem.fields["text"]}, "editing": note_id, "status_code": 422}
        return _of_case(request, uow, who, found.application, typed={"edited": form.text}, **more)
    return back(case_path(note.application, "notes"))


@router.post("/applications/{reference}/tasks", dependencies=[allowed(tasks.WRITE)])
def give(request: Request, reference: str, form: Annotated[TaskForm, Form()], who: Who, uow: Uow) -> Response:
    """Give a task on a case; one that can't be kept comes back as it was typed."""
    try:
        tasks.give(uow, who, form.command(application=reference))
    except InvalidError as problem:
        uow.abandon()
        more = {"problems": problem.fields, "typed": form.model_dump(), "on": form.note, "status_code": 422}
        return _of_case(request, uow, who, reference, **more)
    return back(case_path(reference, "notes") + "#tasks")


def _after(to: str, application: str) -> RedirectResponse:
    return back(case_path(application, "notes") + "#tasks" if to == "case" and application else DAY)


@router.post("/tasks/{task_id}", dependencies=[allowed(tasks.WRITE)])
def change(task_id: str, form: Annotated[ChangeForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Give a task other words, another day or another person."""
    command = tasks.ChangeTask(task=form.task, due=_day(form.due), assignee=form.assignee, version=form.version)
    return _after(form.to, tasks.change(uow, who, task_id, command).application)


@router.post("/tasks/{task_id}/done", dependencies=[allowed(tasks.WRITE)])
def finish(task_id: str, form: Annotated[StateForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Say that a task is done."""
    return _after(form.to, tasks.finish(uow, who, task_id, tasks.TaskState(version=form.version)).application)


@router.post("/tasks/{task_id}/open", dependencies=[allowed(tasks.WRITE)])
def reopen(task_id: str, form: Annotated[StateForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Say that a task is not done after all."""
    return _after(form.to, tasks.reopen(uow, who, task_id, tasks.TaskState(version=form.version)).application)
