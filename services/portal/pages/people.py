"""People for the operator: who may sign in, adding, ending, roles."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field
from sqlalchemy import Connection

from services.portal import storage
from services.portal.domain import ROLES, User
from services.portal.handlers import accounts, links
from services.portal.handlers.accounts import NewUser
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.i18n import Locale
from shared.web.dependencies import Reader, Uow, allowed
from shared.web.forms import FormModel
from shared.web.pages import render
from shared.web.paging import decode_cursor, page_of

router = APIRouter()
# The names of roles as people read them; gettext ids.
ROLE_NAMES = {
    "applicant": "Applicant",
    "officer": "Grant officer",
    "reviewer": "Reviewer",
    "programme_manager": "Programme manager",
    "finance_officer": "Finance officer",
    "finance_partner": "Finance partner",
    "guarantor": "Guarantor",
    "auditor": "Auditor",
    "operator": "Operator",
}
PAGE = 50


@router.get("/people", dependencies=[allowed("portal.people.read")])
def people(request: Request, reader: Reader, q: str = "", cursor: str = "") -> HTMLResponse:
    rows = storage.people(reader, words=q.strip()[:200], after=decode_cursor(cursor, 2), limit=PAGE)
    page = page_of(rows, PAGE, lambda row: (row["name"], row["user"]))
    return render(request, "people.html", page=page, q=q, role_names=ROLE_NAMES)


def _form(
    request: Request, reader: Connection, given: dict[str, object], errors: dict[str, str], status: int = 200
) -> HTMLResponse:
    return render(
        request,
        "person_new.html",
        status_code=status,
        given=given,
        errors=errors,
        roles=[(role, ROLE_NAMES[role]) for role in ROLES],
        organisations=[(row["id"], row["name"]) for row in storage.organisation_list(reader)],
        programmes=[(row["id"], row["names"]) for row in storage.programme_list(reader)],
    )


@router.get("/people/new", dependencies=[allowed("portal.people.change")])
def new_person(request: Request, reader: Reader) -> HTMLResponse:
    return _form(request, reader, {"programmes": [row["id"] for row in storage.programme_list(reader)]}, {})


class PersonForm(FormModel):
    """Who is to be added."""

    name: str = ""
    email: str = ""
    roles: list[str] = []
    organisation: str = ""
    locale: Locale = "en"
    programmes: list[str] = []


@router.post("/people", dependencies=[allowed("portal.people.change")])
def add_person(request: Request, form: Annotated[PersonForm, Form()], uow: Uow) -> HTMLResponse:
    given = form.model_dump(exclude={"csrf"})
    try:
        user, password = accounts.add_user(uow, NewUser(**(given | {"organisation": form.organisation or None})))
    except InvalidError as error:
        # The rule lists codes for the API and the terminal; here the boxes stand below it, each with its name.
        boxes = {"roles": "tick one or more of these"} if "roles" in error.fields else {}
        return _form(request, uow.connection, given, error.fields | boxes, 422)
    except ConflictError:
        return _form(request, uow.connection, given, {"email": "belongs to somebody already"}, 422)
    return render(request, "person_added.html", user=user, password=password, status_code=201)


def _person(connection: UnitOfWork, user_id: str) -> User:
    user = storage.users(connection).find(user_id)
    if user is None:
        raise NotFoundError("There is no such person")
    return user


@router.get("/people/{user_id}", dependencies=[allowed("portal.people.read")])
def person(request: Request, user_id: str, uow: Uow) -> HTMLResponse:
    user = _person(uow, user_id)
    return render(
        request,
        "person.html",
        user=user,
        role_names=ROLE_NAMES,
        sessions=storage.open_sessions(uow.connection, user.id, uow.now()),
        organisation=storage.organisations(uow).find(user.organisation) if user.organisation else None,
    )


class RoleForm(FormModel):
    """A role to give or take, and the version of the person that was looked at."""

    role: Annotated[str, Field(max_length=40)]
    version: int


@router.post("/people/{user_id}/roles", dependencies=[allowed("portal.people.change")])
def grant_role(user_id: str, form: Annotated[RoleForm, Form()], uow: Uow) -> RedirectResponse:
    accounts.grant_role(uow, user_id, form.role, expected=form.version)
    return RedirectResponse(f"/people/{user_id}", 303)


@router.post("/people/{user_id}/roles/revoke", dependencies=[allowed("portal.people.change")])
def revoke_role(user_id: str, form: Annotated[RoleForm, Form()], uow: Uow) -> RedirectResponse:
    accounts.revoke_role(uow, user_id, form.role, expected=form.version)
    return RedirectResponse(f"/people/{user_id}", 303)


class DeactivateForm(FormModel):
    """Why somebody may not sign in any more."""

    reason: Annotated[str, Field(min_length=3, max_length=500)]
    version: int


@router.post("/people/{user_id}/deactivate", dependencies=[allowed("portal.people.change")])
def deactivate(user_id: str, form: Annotated[DeactivateForm, Form()], uow: Uow) -> RedirectResponse:
    accounts.deactivate_user(uow, user_id, form.reason, expected=form.version)
    return RedirectResponse(f"/people/{user_id}", 303)


@router.post("/people/{user_id}/password", dependencies=[allowed("portal.people.change")])
def reset_password(request: Request, user_id: str, _: Annotated[FormModel, Form()], uow: Uow) -> HTMLResponse:
    password = accounts.reset_password(uow, user_id)
    return render(request, "person_added.html", user=_person(uow, user_id), password=password)


@router.post("/people/{user_id}/link", dependencies=[allowed("portal.people.change")])
def make_link(request: Request, user_id: str, _: Annotated[FormModel, Form()], uow: Uow) -> HTMLResponse:
    link = links.issue(uow, _person(uow, user_id))
    address = f"{request.app.state.settings.base_url.rstrip('/')}/welcome/{link.token}"
    return render(request, "person_link.html", link=link, address=address, status_code=201)
