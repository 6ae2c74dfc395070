"""Notes on cases: written, changed by their author, and who of those that may see a case can be named in them."""

from __future__ import annotations

from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.note import Audience, Note
from services.grants.handlers.base import MAX_REFERENCE, STAFF, Command, act_as, application_read, owns, role_on
from services.grants.policy import POLICY
from services.grants.storage import day as stored
from shared.database import UnitOfWork
from shared.errors import ConflictError, NotFoundError
from shared.web.identity import Identity

READ, WRITE = "grants.note.read", "grants.note.write"


class WriteNote(Command):
    """Something is noted on a case: for `staff` alone, or for the `applicant` too; @name tells a colleague."""

    text: str
    audience: Audience


class EditNote(Command):
    """The words of a note are to be these."""

    text: str
    version: int


def readers(connection: Connection, application: Application, audience: Audience) -> dict[str, str]:
    """Return {user id: name} of those who may see a note of that audience: never staff of the applicant's own."""
    rows = stored.staff_of(connection, application.programme, STAFF)
    staff = {row["id"]: row["name"] for row in rows if row["organisation"] != application.organisation}
    if audience == "staff":
        return staff
    return staff | {row["id"]: row["name"] for row in stored.people_of(connection, application.organisation)}


def write(uow: UnitOfWork, who: Identity, reference: str, command: WriteNote) -> Note:
    """Write a note; what an applicant writes is always for both sides, and only after handing in."""
    application, role = application_read(uow, who, WRITE, reference)
    outside = role == "applicant"
    if application.submitted_at is None:
        raise ConflictError("The application is not handed in yet")
    audience: Audience = "applicant" if outside else command.audience
    people = readers(uow.connection, application, audience)
    note = Note.write(
        application,
        act_as(uow, role),
        text=command.text,
        audience=audience,
        people=people,
        id=str(uow.ids()),
        at=uow.now(),
    )
    return stored.notes(uow).add(note)


def edit(uow: UnitOfWork, who: Identity, note_id: str, command: EditNote) -> Note:
    """Change the words of one's own note."""
    seen = stored.find_note(uow.connection, note_id[:MAX_REFERENCE])
    if seen is None:
        POLICY.require(WRITE, who)
        raise NotFoundError("There is no such record")
    application, role = application_read(uow, who, WRITE, seen.application)
    if role == "applicant" and seen.audience != "applicant":
        raise NotFoundError("There is no such record")
    by = act_as(uow, role)
    note = stored.notes(uow).get(seen.id, expected=command.version)
    note.edit(command.text, by, uow.now(), readers(uow.connection, application, note.audience))
    return note


def seen(connection: Connection, who: Identity, application: Application) -> list[Note]:
    """Return the notes of a case that `who` may read, the newest first."""
    role_on(who, READ, application)
    return stored.notes_of(connection, application.id, shared_only=owns(who, application.organisation))
