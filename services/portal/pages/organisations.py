"""The register of organisations: list, one organisation, its form, what waits to be confirmed."""

from __future__ import annotations

from typing import Annotated, Any

from babel import Locale
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.portal import storage
from services.portal.domain.numbers import COUNTRIES
from services.portal.domain.organisation import MOST, OWN, WEIGHTY
from services.portal.handlers import organisations as act
from services.portal.policy import POLICY
from services.portal.storage import register as stored
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, Rule
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.pages import render
from shared.web.paging import decode_cursor, page_of

router = APIRouter()
PAGE = 50
HERE = "/organisations"
# gettext ids; templates translate them.
KIND_NAMES = {
    "programme_office": "Programme office",
    "bso": "Business support organisation",
    "lead_firm": "Lead firm",
    "msme": "Micro, small or medium enterprise",
    "finance_partner": "Bank or microfinance institution",
    "guarantor": "Guarantee fund",
    "other": "Other organisation",
}
FIELD_NAMES = {
    "name": "Name of the organisation",
    "kind": "Type",
    "country": "Country",
    "registration_number": "Registration number",
    "tax_number": "Tax number",
    "address": "Address",
    "website": "Website",
    "contact": "Person to ask",
    "email": "E-mail address",
    "phone": "Telephone",
}


def country_name(code: str | None, locale: str) -> str:
    """Return a country's name in a language."""
    return str(Locale(locale).territories.get(code, code)) if code else ""


def _countries(locale: str) -> list[tuple[str, str]]:
    return sorted(((code, country_name(code, locale)) for code in sorted(COUNTRIES)), key=lambda pair: pair[1])


@router.get(HERE, dependencies=[allowed(act.LIST)])
def listed(  # noqa: PLR0917 - the filters of a list
    request: Request,
    reader: Reader,
    who: Who,
    q: Annotated[str, Query(max_length=200)] = "",
    kind: Annotated[str, Query(max_length=40)] = "",
    country: Annotated[str, Query(max_length=2)] = "",
    *,
    waiting: bool = False,
    cursor: str = "",
) -> HTMLResponse:
    """Show organisations by name."""
    chosen: dict[str, Any] = {"words": q.strip(), "kind": kind, "country": country, "waiting": waiting}
    rows = stored.listed(reader, **chosen, after=decode_cursor(cursor, 2), limit=PAGE)
    locale = request.state.locale
    countries = [(code, country_name(code, locale)) for code in stored.countries(reader)]
    context: dict[str, Any] = {
        "page": page_of(rows, PAGE, lambda row: (row["name"], row["id"])),
        "chosen": chosen,
        "kinds": KIND_NAMES,
        "countries": countries,
        "country_names": dict(countries),
        "may_register": bool(POLICY.scopes(act.REGISTER, who)),
    }
    return render(request, "organisations.html", **context)


def _form(request: Request, given: dict[str, Any], *, to: str, **more: Any) -> HTMLResponse:
    context: dict[str, Any] = {
        "given": given,
        "to": to,
        "item": None,
        "founding": False,
        "errors": {},
        "conflict": None,
        "kinds": KIND_NAMES,
        "names": FIELD_NAMES,
        "countries": _countries(request.state.locale),
    }
    return render(request, "organisation_form.html", **(context | more))


class OrganisationForm(FormModel):
    """An organisation's facts as typed; rules are the handler's, so that the form comes back whole."""

    name: str = ""
    kind: str = ""
    country: str = ""
    registration_number: str = ""
    tax_number: str = ""
    address: str = ""
    website: str = ""
    contact: str = ""
    email: str = ""
    phone: str = ""
    version: int = 0


def _typed(form: OrganisationForm) -> dict[str, Any]:
    return form.model_dump(exclude={"csrf", "version"})


def _fits(given: dict[str, Any]) -> None:
    """Raise InvalidError for what is longer than its field."""
    limits = {name: MOST.get(name, 60) for name in given}
    long = {name: most for name, most in limits.items() if len(given[name].strip()) > most}
    if long:
        rule = "must have at most %(most)s letters"
        raise InvalidError({name: Rule(rule, most=most) for name, most in long.items()})


@router.get(f"{HERE}/new", dependencies=[allowed(act.REGISTER)])
def new(request: Request) -> HTMLResponse:
    """Show the empty form."""
    return _form(request, {"kind": "bso"}, to=HERE)


@router.post(HERE, dependencies=[allowed(act.REGISTER)], response_model=None)
def register(request: Request, form: Annotated[OrganisationForm, Form()], who: Who, uow: Uow) -> Response:
    """Register an organisation as staff."""
    given = _typed(form)
    try:
        _fits(given)
        item = act.register(uow, who, act.RegisterOrganisation(**given))
    except InvalidError as error:
        uow.abandon()
        return _form(request, given, to=HERE, errors=error.fields, status_code=422)
    return RedirectResponse(f"{HERE}/{item.id}", 303)


@router.get(f"{HERE}/mine", dependencies=[allowed(act.MINE)], response_model=None)
def mine(request: Request, who: Who, reader: Reader) -> Response:
    """Lead to one's own organisation, or show the form for entering it."""
    own = who.organisation or stored.founded_by(reader, who.user)
    if own or not POLICY.scopes(act.FOUND, who):
        return RedirectResponse(f"{HERE}/{own}" if own else "/", 303)
    return _form(request, {}, to=f"{HERE}/mine", founding=True)


@router.post(f"{HERE}/mine", dependencies=[allowed(act.FOUND)], response_model=None)
def found(request: Request, form: Annotated[OrganisationForm, Form()], who: Who, uow: Uow) -> Response:
    """Enter the organisation that one belongs to."""
    given = _typed(form)
    try:
        _fits(given)
        item = act.found(uow, who, act.OrganisationFacts(**given))
    except InvalidError as error:
        uow.abandon()
        return _form(request, given, to=f"{HERE}/mine", founding=True, errors=error.fields, status_code=422)
    return RedirectResponse(f"{HERE}/{item.id}", 303)


def _page(request: Request, uow: UnitOfWork, who: Identity, organisation_id: str, **more: Any) -> HTMLResponse:
    seen = act.seen(uow, who, organisation_id)
    locale = request.state.locale
    context: dict[str, Any] = {
        "seen": seen,
        "item": seen.item,
        "base": f"{HERE}/{seen.item.id}",
        "kinds": KIND_NAMES,
        "names": FIELD_NAMES,
        "weighty": WEIGHTY,
        "own": OWN,
        "shown": lambda name, value: _shown(name, value, locale),
        "of_grants": bool({"officer", "programme_manager", "finance_officer", "auditor"} & set(who.roles)),
        "of_people": "operator" in who.roles,
        "errors": {},
        "typed": {},
        "conflict": None,
    }
    return render(request, "organisation.html", **(context | more))


def _shown(name: str, value: str | None, locale: str) -> str:
    return country_name(value, locale) if name == "country" else value or ""


@router.get(f"{HERE}/{{organisation_id}}", dependencies=[allowed(act.READ)])
def one(request: Request, organisation_id: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show an organisation: what is known, what waits, and what each service has of it."""
    return _page(request, uow, who, organisation_id)


def _present(seen: act.Seen) -> dict[str, Any]:
    """Return what the form begins with: what is known, or what waits where one entered it oneself."""
    facts = {name: getattr(seen.item, name) or "" for name in (*WEIGHTY, *OWN)}
    return facts | (seen.item.proposal.facts if seen.item.proposal and seen.may_take_back else {})


@router.get(f"{HERE}/{{organisation_id}}/edit", dependencies=[allowed(act.CHANGE)])
def edit(request: Request, organisation_id: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the form with what is known."""
    seen = act.seen(uow, who, organisation_id)
    return _form(request, _present(seen), to=f"{HERE}/{seen.item.id}", item=seen.item, version=seen.item.version)


def _edit_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    seen = act.seen(uow, who, request.path_params["organisation_id"])
    about = {"item": seen.item, "version": seen.item.version, "conflict": problem, "status_code": 409}
    return _form(request, request.state.typed, to=f"{HERE}/{seen.item.id}", **about)


@router.post(f"{HERE}/{{organisation_id}}", dependencies=[stay(_edit_stays), allowed(act.CHANGE)], response_model=None)
def change(
    request: Request, organisation_id: str, form: Annotated[OrganisationForm, Form()], who: Who, uow: Uow
) -> Response:
    """Change an organisation; refused, the form comes back as it was typed, with the rule at each field."""
    given = _typed(form)
    try:
        _fits(given)
        act.change(uow, who, organisation_id, act.ChangeOrganisation(**given, version=form.version))
    except InvalidError as error:
        uow.abandon()
        item = act.seen(uow, who, organisation_id).item
        about = {"item": item, "version": form.version, "errors": error.fields, "status_code": 422}
        return _form(request, given, to=f"{HERE}/{organisation_id}", **about)
    return RedirectResponse(f"{HERE}/{organisation_id}", 303)


class DecisionForm(FormModel):
    """The form that confirms, refuses or takes back what waits."""

    confirm: bool = False
    why: str = ""
    version: int


def _page_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    about = {"conflict": problem, "typed": request.state.typed, "status_code": 409}
    return _page(request, uow, who, request.path_params["organisation_id"], **about)


@router.post(
    f"{HERE}/{{organisation_id}}/decision", dependencies=[stay(_page_stays), allowed(act.CHANGE)], response_model=None
)
def decide(
    request: Request, organisation_id: str, form: Annotated[DecisionForm, Form()], who: Who, uow: Uow
) -> Response:
    """Decide about what waits."""
    try:
        _fits({"why": form.why})
        act.decide(uow, who, organisation_id, act.Decision(confirm=form.confirm, why=form.why, version=form.version))
    except InvalidError as error:
        uow.abandon()
        about = {"errors": error.fields, "typed": {"why": form.why}, "status_code": 422}
        return _page(request, uow, who, organisation_id, **about)
    item = storage.organisations(uow).find(organisation_id)
    gone = item is not None and item.standing == "refused" and not POLICY.scopes(act.LIST, who)
    return RedirectResponse(f"{HERE}/mine" if gone else f"{HERE}/{organisation_id}", 303)
