"""My interests and expertise; stepping back from a case, and lifting another's recusal."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.grants.handlers import assessing
from services.grants.handlers.base import Command
from services.grants.pages.common import back, case_path, show
from services.grants.storage import judging
from services.grants.storage.cofinancing import find_case
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel, invalid
from shared.web.identity import Identity

router = APIRouter()
OWN, HERE = "grants.assessor.own", "/grants/interests"
TIES = {
    "employment": "Employment",
    "ownership": "Ownership",
    "board": "Board",
    "supplier": "Supplier or customer",
    "family": "Family",
    "other": "Something else",
}


@router.get("/interests", dependencies=[allowed(OWN)])
def own(request: Request, who: Who, uow: Uow) -> HTMLResponse:
    """Show what I said of myself, with the forms to change it."""
    return _page(request, uow, who)


def _page(request: Request, uow: UnitOfWork, who: Identity, **more: Any) -> HTMLResponse:
    context: dict[str, Any] = {
        "assessor": assessing.own(uow, who),
        "organisations": judging.organisations_named(uow.connection),
        "ties": TIES,
        "errors": {},
        "given": {},
        "conflict": None,
        "today": request.app.state.clock().date(),
    }
    return show(request, "interests.html", **(context | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, conflict=problem, given=request.state.typed, status_code=409)


STAY = stay(_stays)


class ProfileForm(FormModel):
    """The form of expertise and load; tags are written with commas between them."""

    expertise: str = ""
    languages: str = ""
    limit: str = "5"
    away_since: str = ""
    away_until: str = ""
    version: int


def _tags(text: str) -> list[str]:
    return [tag for tag in (part.strip() for part in text.split(",")) if tag]


def _read(kind: type[Command], values: dict[str, Any]) -> Any:
    try:
        return kind.model_validate({name: value for name, value in values.items() if value != ""})
    except ValidationError as error:
        raise invalid(error) from error


@router.post("/interests/profile", dependencies=[STAY, allowed(OWN)])
def profile(request: Request, form: Annotated[ProfileForm, Form()], who: Who, uow: Uow) -> Response:
    """Keep my profile."""
    given = form.model_dump(exclude={"csrf"})
    values = given | {"expertise": _tags(form.expertise), "languages": _tags(form.languages)}
    try:
        assessing.keep_profile(uow, who, _read(assessing.KeepProfile, values))
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, errors=error.fields, given=given, status_code=422)
    return back(HERE)


class InterestForm(FormModel):
    """The form that declares a tie."""

    tie: str = ""
    organisation: str = ""
    name: str = ""
    number: str = ""
    until: str = ""
    version: int


@router.post("/interests", dependencies=[STAY, allowed(OWN)])
def declare(request: Request, form: Annotated[InterestForm, Form()], who: Who, uow: Uow) -> Response:
    """Declare a tie to an organisation."""
    given = form.model_dump(exclude={"csrf"})
    try:
        assessing.declare_interest(uow, who, _read(assessing.DeclareInterest, given))
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, errors=error.fields, given=given, status_code=422)
    return back(HERE)


class EndForm(FormModel):
    """The form that ends a tie."""

    until: str = ""
    version: int


@router.post("/interests/{place}/end", dependencies=[STAY, allowed(OWN)])
def end(request: Request, place: int, form: Annotated[EndForm, Form()], who: Who, uow: Uow) -> Response:
    """Say that a tie has ended."""
    given = form.model_dump(exclude={"csrf"})
    try:
        assessing.end_interest(uow, who, place, _read(assessing.EndInterest, given))
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, errors=error.fields, status_code=422)
    return back(HERE)


class RecusalForm(FormModel):
    """The form by which staff step back from a case."""

    nature: str
    version: int


@router.post("/applications/{reference}/recusals", dependencies=[allowed("grants.recusal.declare")])
def step_back(reference: str, form: Annotated[RecusalForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Step back from a case."""
    assessing.step_back(uow, who, reference, assessing.StepBack(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference, "reviews"))


class LiftForm(FormModel):
    """The form that lifts a recusal."""

    reason: str
    version: int


@router.post("/recusals/{recusal_id}/lifting", dependencies=[allowed("grants.recusal.lift")])
def lift(recusal_id: str, form: Annotated[LiftForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Lift another person's recusal."""
    recusal = assessing.lift(uow, who, recusal_id, assessing.LiftRecusal(**form.model_dump(exclude={"csrf"})))
    if find_case(uow.connection, recusal.application):
        return back(f"/grants/cofinancing/{recusal.application}#conflicts")
    return back(case_path(recusal.application, "reviews"))
