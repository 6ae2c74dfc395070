"""The portal's JSON for machines."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from services.portal import storage
from services.portal.domain import User
from services.portal.frontdoor import cookie_name
from services.portal.handlers import accounts, confirming
from services.portal.handlers.accounts import NewUser
from services.portal.handlers.sessions import Refused
from services.portal.policy import POLICY
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import CONFIRMED_FOR
from shared.web.paging import decode_cursor, page_of

router = APIRouter(prefix="/api")
PAGE = 50


class UserOut(BaseModel):
    """A person as operators see them."""

    id: str
    name: str
    email: str
    roles: list[str]
    organisation: str | None
    programmes: list[str]
    locale: str
    active: bool
    version: int

    @classmethod
    def of(cls, user: User) -> UserOut:
        """Return what of a person is shown."""
        return cls.model_validate(user.model_dump())


@router.get("/me", dependencies=[allowed("portal.account.read")])
def me(who: Who) -> dict[str, Any]:
    """Return who the request comes from; `csrf` goes into the header x-csrf-token of a script's requests."""
    return who.model_dump(mode="json", exclude={"session"})


class Confirmation(BaseModel):
    """The password, given again."""

    model_config = ConfigDict(extra="forbid")

    password: str = Field(max_length=1024)


@router.post("/confirm", dependencies=[allowed("portal.session.confirm")], response_model=None)
def confirm(request: Request, confirmation: Confirmation, who: Who, uow: Uow) -> Response:
    """Give the password again before an act that asks for it; a session goes on under a new cookie, a key as it is."""
    address = request.client.host if request.client else ""
    outcome = confirming.confirm(uow, who, confirmation.password, address=address)
    if isinstance(outcome, Refused):
        wait = {"retry-after": str(max(1, round(outcome.wait.total_seconds())))} if outcome.wait else None
        problem = {"title": "That is not your password", "status": 429 if wait else 401}
        return JSONResponse(problem, problem["status"], wait, "application/problem+json")  # type: ignore[arg-type]
    response = JSONResponse({"confirmed_for_seconds": CONFIRMED_FOR})
    if outcome:
        settings = request.app.state.settings
        secure = settings.base_url.startswith("https://")
        response.set_cookie(cookie_name(settings), outcome, path="/", httponly=True, secure=secure, samesite="lax")
    return response


@router.get("/people", dependencies=[allowed("portal.people.read")])
def people(reader: Reader, q: str = "", cursor: str = "") -> dict[str, Any]:
    rows = storage.people(reader, words=q.strip()[:200], after=decode_cursor(cursor, 2), limit=PAGE)
    page = page_of(rows, PAGE, lambda row: (row["name"], row["user"]))
    return {"items": [dict(row) for row in page.items], "next": page.next}


@router.post("/people", dependencies=[allowed("portal.people.change")], status_code=201)
def add_person(new: NewUser, uow: Uow) -> dict[str, Any]:
    user, password = accounts.add_user(uow, new)
    return UserOut.of(user).model_dump() | {"password": password}


class Deactivation(BaseModel):
    """Why, and which version of the person was looked at."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=500)
    version: int


@router.post("/people/{user_id}/deactivation", dependencies=[allowed("portal.people.change")])
def deactivate(user_id: str, act: Deactivation, uow: Uow) -> UserOut:
    return UserOut.of(accounts.deactivate_user(uow, user_id, act.reason, expected=act.version))


class RoleGrant(BaseModel):
    """A role, and which version of the person was looked at."""

    model_config = ConfigDict(extra="forbid")

    role: str = Field(max_length=40)
    version: int


@router.post("/people/{user_id}/roles", dependencies=[allowed("portal.people.change")], status_code=201)
def grant_role(user_id: str, grant: RoleGrant, uow: Uow) -> UserOut:
    return UserOut.of(accounts.grant_role(uow, user_id, grant.role, expected=grant.version))


@router.get("/programmes", dependencies=[allowed("portal.programme.read")])
def programmes(who: Who, reader: Reader) -> list[dict[str, Any]]:
    wide = "all" in POLICY.scopes("portal.programme.read", who).values()
    return [dict(row) for row in storage.programme_list(reader) if wide or row["id"] in who.programmes]


@router.get("/programmes/{programme_id}", dependencies=[allowed("portal.programme.read")])
def programme(programme_id: str, who: Who, reader: Reader) -> dict[str, Any]:
    POLICY.role_for("portal.programme.read", who, programme=programme_id)
    row = storage.programme_pack(reader, programme_id)
    if row is None:
        raise NotFoundError("There is no such record")
    return {"id": row["id"], "updated_at": row["updated_at"]} | dict(row["state"])
