"""Colleagues on one draft: who else is writing, and how another one is asked to."""

from __future__ import annotations

from sqlalchemy import RowMapping

from services.grants.domain.application import Application
from services.grants.handlers.base import Command, act_as, application_for
from services.grants.storage import day, editing, reads
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.grants.application import EditorInvited
from shared.web.identity import Identity

INVITE = "grants.editor.invite"


class InviteEditor(Command):
    """A colleague of the same organisation is asked to write too; their user id."""

    colleague: str


def invite(uow: UnitOfWork, who: Identity, reference: str, command: InviteEditor) -> Application:
    """Ask a colleague to write a draft too: they get a letter with the way to it."""
    application, role = application_for(uow, who, INVITE, reference)
    if application.holder != "applicant" or application.terminal:
        raise ConflictError("It is not your turn: nobody writes the application now")
    person = reads.find_person(uow.connection, command.colleague[:80])
    own = person is not None and person["active"] and person["organisation"] == application.organisation
    if person is None or not own or "applicant" not in person["roles"]:
        raise InvalidError({"colleague": "is nobody who applies for your organisation"})
    if person["id"] == who.user:
        raise InvalidError({"colleague": "is you"})
    act_as(uow, role)
    about = application.facts() | {"editor_id": person["id"], "editor_name": person["name"], "notify": ["colleague"]}
    uow.record(
        EditorInvited(**about),
        entity=f"application:{application.id}",
        case=application.id,
        programme=application.programme,
        parties=application.parties() | {"colleague": [f"user:{person['id']}"]},
    )
    return application


def present(uow: UnitOfWork, who: Identity, application: Application) -> list[RowMapping]:
    """Remember that `who` has the form open; return who else has."""
    now = uow.now()
    editing.seen(uow.connection, application.id, who.user, who.name, now)
    return editing.others(uow.connection, application.id, who.user, now)


def colleagues(uow: UnitOfWork, who: Identity) -> list[tuple[str, str]]:
    """Return (user id, name) of the others who apply for the same organisation."""
    rows = day.people_of(uow.connection, who.organisation) if who.organisation else []
    return [(row["id"], row["name"]) for row in rows if row["id"] != who.user]
