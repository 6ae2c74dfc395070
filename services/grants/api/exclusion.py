"""JSON: exclusion lists, and who on a case was found on them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import ValidationError

from services.grants.handlers import exclusion, viewing
from services.grants.handlers.exclusion_file import Columns
from services.grants.storage import exclusion as stored
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import invalid

router = APIRouter(prefix="/api", tags=["exclusion lists"])
_CASE = "/applications/{reference}/screening"


@router.get("/exclusion-lists", dependencies=[allowed("grants.exclusion.list")])
def lists(connection: Reader) -> list[dict[str, Any]]:
    """Return the lists with all their versions; each import says what became of its rows."""
    return [item.model_dump(mode="json") for item in stored.all_lists(connection)]


@router.post("/exclusion-lists", status_code=201, dependencies=[allowed("grants.exclusion.import")])
def import_list(  # noqa: PLR0917 - a form's fields beside what every route has
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
    list_id: Annotated[str, Form(alias="list")],
    name: Annotated[str, Form()],
    source: Annotated[str, Form()],
    dated: Annotated[date, Form()],
    column_name: Annotated[str, Form()] = "name",
    column_number: Annotated[str, Form()] = "",
    column_aliases: Annotated[str, Form()] = "",
    column_note: Annotated[str, Form()] = "",
) -> dict[str, Any]:
    """Import a CSV file as the version in force; returns the list and {case: new hits} of live cases."""
    command = asked(
        {"list": list_id, "name": name, "source": source, "dated": dated},
        {"name": column_name, "number": column_number, "aliases": column_aliases, "note": column_note},
    )
    made = exclusion.import_list(uow, who, command, file.file.read(), file.filename or "")
    uow.flush()
    return made.model_dump(mode="json")


def asked(about: dict[str, Any], columns: dict[str, str]) -> exclusion.ImportList:
    """Return the command that a form's fields make; raises InvalidError."""
    try:
        return exclusion.ImportList(**about, columns=Columns(**columns))
    except ValidationError as error:
        raise invalid(error) from error


@router.get("/exclusion-lists/hits", dependencies=[allowed("grants.exclusion.list")])
def waiting(who: Who, connection: Reader) -> list[dict[str, Any]]:
    """Return the cases of my programmes with hits to be decided."""
    return [item.model_dump(mode="json") for item in stored.waiting(connection, who.programmes)]


@router.get(_CASE, dependencies=[allowed("grants.exclusion.read")])
def screening(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return what the lists say of everybody on a case."""
    application = viewing.screening_seen(uow, who, reference)
    return exclusion.view(stored.find_screening(uow.connection, application.id), application.id)


@router.post(_CASE, dependencies=[allowed("grants.exclusion.screen")])
def look(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Look at the lists now."""
    found = exclusion.look(uow, who, reference)
    uow.flush()
    return exclusion.view(found, reference)


@router.post(_CASE + "/subjects", status_code=201, dependencies=[allowed("grants.exclusion.screen")])
def name_subject(reference: str, command: exclusion.NameSubject, who: Who, uow: Uow) -> dict[str, Any]:
    """Add a partner, person or supplier to be looked for."""
    found = exclusion.name_subject(uow, who, reference, command)
    uow.flush()
    return exclusion.view(found, reference)


@router.post(_CASE + "/hits/{place}", dependencies=[allowed("grants.exclusion.decide")])
def decide(reference: str, place: int, command: exclusion.DecideHit, who: Who, uow: Uow) -> dict[str, Any]:
    """Say whether a hit is the one on the list, with a reason."""
    found = exclusion.decide(uow, who, reference, place, command)
    uow.flush()
    return exclusion.view(found, reference)
