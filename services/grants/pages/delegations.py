"""Who stands in for whom: the page, and the forms on it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.grants.handlers import delegations
from services.grants.handlers.base import STAFF
from services.grants.handlers.standing import LENDABLE, Acting
from services.grants.pages.common import back, show
from services.grants.storage import day as people
from shared.errors import ConflictError, InvalidError
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity

router = APIRouter()
PAGE = "/grants/delegations"


class DelegationForm(FormModel):
    """The form by which somebody stands in."""

    programme: str = ""
    role: str = ""
    delegator: str = ""
    delegate: str = ""
    first_day: str = ""
    last_day: str = ""
    why: str = ""


class EndForm(FormModel):
    """The button that ends a delegation."""

    version: int


def _page(request: Request, who: Identity, connection: Any, **more: Any) -> HTMLResponse:
    own = who.own_roles if isinstance(who, Acting) else who.roles
    now = request.app.state.clock()
    staff = {programme: people.staff_of(connection, programme, STAFF) for programme in who.programmes[:5]}
    items = delegations.seen(connection, who)
    manages = "programme_manager" in own
    context: dict[str, Any] = {
        "running": [item for item in items if not item.ended(now)],
        "over": [item for item in items if item.ended(now)],
        "now": now,
        "may_end": {item.id for item in items if delegations.may_end(who, item)},
        "programmes": list(who.programmes),
        "own_roles": [role for role in LENDABLE if manages or role in own],
        "people": list({row["id"]: row["name"] for rows in staff.values() for row in rows}.items()),
        "manages": manages,
        "may_make": bool(request.app.state.policy.scopes(delegations.MAKE, who)),
        "problems": {},
        "problem": None,
        "typed": {},
    }
    return show(request, "delegations.html", **(context | more))


@router.get("/delegations", dependencies=[allowed(delegations.READ)])
def listed(request: Request, who: Who, connection: Reader) -> HTMLResponse:
    """Show who stands in for whom, now, later and before."""
    return _page(request, who, connection)


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidError({name: "is not a date: write year-month-day"}) from error


@router.post("/delegations", dependencies=[allowed(delegations.MAKE)])
def make(request: Request, form: Annotated[DelegationForm, Form()], who: Who, uow: Uow) -> Response:
    """Let somebody stand in; what can't be comes back as it was typed."""
    given = form.model_dump(exclude={"csrf"})
    try:
        days = {name: _day(name, given[name]) for name in ("first_day", "last_day")}
        delegations.make(uow, who, delegations.MakeDelegation.model_validate(given | days))
    except (InvalidError, ConflictError) as problem:
        uow.abandon()
        fields = problem.fields if isinstance(problem, InvalidError) else {}
        about = {"problems": fields, "problem": None if fields else problem, "typed": given}
        return _page(request, who, uow.connection, **about, status_code=problem.status)
    return back(PAGE)


@router.post("/delegations/{delegation_id}/end", dependencies=[allowed(delegations.MAKE)])
def end(delegation_id: str, form: Annotated[EndForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """End a delegation before its last day."""
    delegations.end(uow, who, delegation_id, delegations.EndDelegation(version=form.version))
    return back(PAGE)
