"""Legal holds, and erasing people: what stands, who waits for a second person, one person as a dry run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from pydantic import Field

from services.audit.domain.retention import SCOPES, Judged
from services.audit.handlers import erasure
from services.audit.handlers.erasure import House
from services.audit.policy import POLICY
from services.audit.storage import retention
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity, must_have_confirmed
from shared.web.pages import render

router = APIRouter(prefix="/retention", include_in_schema=False)
READ = allowed("audit.retention.read")
WIDTH = 160
CLASSES = {"award": "Award", "loan": "Loan", "application": "Case", "account": "Account"}
STATES = {
    "held": ("legal hold", "bad"),
    "running": ("has not ended", "warn"),
    "kept": ("to be kept", "warn"),
    "due": ("may be erased", "good"),
}
SCOPE_NAMES = {"person": "a person", "case": "a case", "programme": "a programme", "house": "the whole house"}
STAGES = {
    "requested": ("waits for a second person", "warn"),
    "withdrawn": ("withdrawn", ""),
    "erased": ("erased", "good"),
}
Line = Annotated[str, Field(max_length=200)]
Words = Annotated[str, Field(max_length=2000)]
Version = Annotated[int, Field(ge=1)]


class FindForm(FormModel):
    which: Line = ""


class HoldForm(FormModel):
    scope: Line = ""
    which: Line = ""
    why: Words = ""


class WhyForm(FormModel):
    why: Words = ""


class ReleaseForm(WhyForm):
    version: Version


class VersionForm(FormModel):
    version: Version


def _house(request: Request) -> House:
    return House.of(request.app.state.settings)


def _overview(request: Request, uow: UnitOfWork, who: Identity, **more: Any) -> HTMLResponse:
    given = {"errors": {}, "typed": {}, "conflict": None} | more
    house = _house(request)
    return render(
        request,
        "retention.html",
        status_code=422 if given["errors"] else 409 if given["conflict"] else 200,
        holds=retention.open_holds(uow.connection),
        erasures=retention.recent_erasures(uow.connection),
        scopes=[(scope, SCOPE_NAMES[scope]) for scope in SCOPES],
        scope_names=SCOPE_NAMES,
        stages=STAGES,
        two_people=house.two_people,
        me=uow.context.actor.id,
        may_hold=bool(POLICY.scopes("audit.hold.place", who)),
        **given,
    )


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> Response:
    return _overview(request, uow, who, conflict=problem)


@router.get("", dependencies=[READ])
def overview(request: Request, who: Who, uow: Uow) -> HTMLResponse:
    """Show the holds that stand and the erasures."""
    return _overview(request, uow, who)


@router.post("/find", dependencies=[READ])
def find(request: Request, form: Annotated[FindForm, Form()], who: Who, uow: Uow) -> Response:
    """Go to a person, who is given by e-mail address or id: in the body, so that no address keeps it."""
    try:
        subject = erasure.find(_house(request), form.which)
    except NotFoundError as error:
        rule = str(error) if form.which.strip() else "is required"
        return _overview(request, uow, who, errors={"person": rule}, typed={"person": form.which})
    return RedirectResponse(f"/audit/retention/people/{subject.id}", 303)


@router.post("/holds", dependencies=[stay(_stays), allowed("audit.hold.place")])
def place(request: Request, form: Annotated[HoldForm, Form()], who: Who, uow: Uow) -> Response:
    """Place a legal hold."""
    try:
        erasure.place_hold(uow, _house(request), form.scope, form.which, form.why)
    except InvalidError as error:
        wrong = error.fields
    except NotFoundError as error:
        wrong = {"which": str(error)}
    else:
        return RedirectResponse("/audit/retention", 303)
    uow.abandon()
    return _overview(request, uow, who, errors=wrong, typed=form.model_dump())


@router.post("/holds/{hold_id}/release", dependencies=[stay(_stays), allowed("audit.hold.release")])
def release(request: Request, hold_id: str, form: Annotated[ReleaseForm, Form()], who: Who, uow: Uow) -> Response:
    """Release a legal hold."""
    try:
        erasure.release_hold(uow, _house(request), hold_id, form.why, expected=form.version)
    except InvalidError as error:
        wrong = {f"why-{hold_id}": rule for rule in error.fields.values()}
        uow.abandon()
        return _overview(request, uow, who, errors=wrong, typed={f"why-{hold_id}": form.why})
    return RedirectResponse("/audit/retention", 303)


# --- one person ------------------------------------------------------------------


def _person(request: Request, uow: UnitOfWork, who: Identity, which: str, **more: Any) -> HTMLResponse:
    given = {"errors": {}, "typed": {}, "conflict": None} | more
    house = _house(request)
    subject = erasure.find(house, which)
    today = house.day(uow.now())
    seen = erasure.look(uow.connection, house, subject, today)
    name = house.subjects.names([subject.who]).get(subject.who)
    return render(
        request,
        "retention_person.html",
        status_code=422 if given["errors"] else 409 if given["conflict"] else 200,
        look=seen,
        subject=subject,
        name=name,
        rows=[(item, _bar(item, today)) for item in seen.judged],
        classes=CLASSES,
        states=STATES,
        stages=STAGES,
        two_people=house.two_people,
        me=uow.context.actor.id,
        verifier_key=house.receipts.verifier.encode(),
        may=bool(POLICY.scopes("audit.erasure.request", who)),
        **given,
    )


def _bar(item: Judged, today: date) -> float:
    """Return how much of its term a record has been kept for, as the width of a bar."""
    if item.until is None or not item.term.years:
        return 0.0 if item.until is None else float(WIDTH)
    left = max(0, (item.until - today).days) / (item.term.years * 365.25)
    return round(WIDTH * max(0.0, 1 - left), 1)


def _person_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> Response:
    return _person(request, uow, who, request.path_params["subject"], conflict=problem, typed=request.state.typed)


def _acted(
    request: Request, uow: UnitOfWork, who: Identity, act: Callable[[], object], typed: dict[str, Any]
) -> Response:
    """Do an act on a person and show them again: with the rule at the field when it was refused."""
    try:
        act()
    except InvalidError as error:
        uow.abandon()
        return _person(request, uow, who, request.path_params["subject"], errors=error.fields, typed=typed)
    return RedirectResponse(f"/audit/retention/people/{request.path_params['subject']}", 303)


@router.get("/people/{subject}", dependencies=[READ])
def person(request: Request, subject: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show what erasing a person comes to, record by record."""
    return _person(request, uow, who, subject)


@router.post("/people/{subject}/request", dependencies=[stay(_person_stays), allowed("audit.erasure.request")])
def ask(request: Request, subject: str, form: Annotated[WhyForm, Form()], who: Who, uow: Uow) -> Response:
    """Ask that a person be erased."""
    house = _house(request)
    found = erasure.find(house, subject)
    return _acted(request, uow, who, lambda: erasure.request(uow, house, found, form.why), form.model_dump())


@router.post("/people/{subject}/withdraw", dependencies=[stay(_person_stays), allowed("audit.erasure.request")])
def withdraw(request: Request, subject: str, form: Annotated[ReleaseForm, Form()], who: Who, uow: Uow) -> Response:
    """Give up an erasure that was asked for."""
    found = erasure.find(_house(request), subject)
    act = lambda: erasure.withdraw(uow, found, form.why, expected=form.version)  # noqa: E731 - one of three acts
    return _acted(request, uow, who, act, form.model_dump())


@router.post("/people/{subject}/confirm", dependencies=[stay(_person_stays), allowed("audit.erasure.confirm")])
def confirm(request: Request, subject: str, form: Annotated[VersionForm, Form()], who: Who, uow: Uow) -> Response:
    """Erase a person for good."""
    must_have_confirmed(who, uow.now())
    house = _house(request)
    found = erasure.find(house, subject)
    return _acted(request, uow, who, lambda: erasure.confirm(uow, house, found, expected=form.version), {})


@router.get("/people/{subject}/receipt", dependencies=[READ])
def receipt(request: Request, subject: str, uow: Uow) -> PlainTextResponse:
    """Give the signed receipt of an erasure."""
    found = retention.erasure(uow.connection, erasure.find(_house(request), subject).id)
    if found is None or not found.receipt:
        raise NotFoundError("There is no such record")
    headers = {"content-disposition": f'attachment; filename="erasure-{found.id}.txt"'}
    return PlainTextResponse(found.receipt, headers=headers)
