"""The partners of an application: whose each budget line is, and for the applicant a form for each; and JSON."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.grants.domain.partnership import LEAD, Partner
from services.grants.handlers import partnering
from services.grants.handlers.partnering import NamedPartner, NamePartners
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.pages.form import Posted
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.money import Money
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel, invalid
from shared.web.identity import Identity

router = APIRouter()
PAGE, API = "/applications/{reference}/partners", "/api/applications/{reference}/partners"
READ, WRITE = [allowed(partnering.READ)], [allowed(partnering.CHANGE)]
_TEXTS = ("name", "country", "registration_number", "part", "people")


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    found = partnering.seen(uow, who, reference)
    page = CasePage(request, uow, who, found.application)
    rules = found.frame.call.partners
    context = page.context("partners") | {
        "found": found,
        "rules": rules,
        "line_names": {item.id: item.name for item in found.frame.call.budget_lines},
        "participants": [(LEAD, found.application.organisation_name), *((p.number, p.name) for p in found.partners)],
        "forms": [_filled(item) for item in found.partners],
        "room": found.writable and rules is not None and len(found.partners) < rules.max,
        "errors": {},
        "typed": {},
        "conflict": None,
    }
    return show(request, "partners.html", **(context | more))


def _filled(partner: Partner) -> dict[str, Any]:
    """Return what a partner's form begins with."""
    texts = {name: getattr(partner, name) for name in _TEXTS if name != "people"}
    shares = {f"share.{item.line}": str(item.grant.amount) for item in partner.shares}
    return {"number": partner.number, "people": "\n".join(partner.people)} | texts | shares


@router.get(PAGE, dependencies=READ)
def partners(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show who takes part and with which shares."""
    return _page(request, uow, who, reference)


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    more = {"conflict": problem, "typed": request.state.typed, "status_code": 409}
    return _page(request, uow, who, request.path_params["reference"], **more)


STAY = stay(_stays)


@router.post(PAGE, dependencies=[STAY, *WRITE], response_model=None)
def save(request: Request, reference: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Add a partner, or write the one of that number anew; refused, the form comes back as it was typed."""
    typed = {name: str(text) for name, text in fields.multi_items()}
    try:
        found = partnering.seen(uow, who, reference)
        number = _number(typed.get("number", ""), len(found.partners))
        one = _named(fields, found.application.currency)
        given = [_as_named(item) for item in found.partners]
        given[number - 1 :] = [one, *given[number:]]
        partnering.name(uow, who, reference, _command(given, typed.get("version", "")))
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, reference, errors=_of_form(error, typed), typed=typed, status_code=422)
    return back(case_path(reference, "partners"))


def _number(text: str, last: int) -> int:
    """Return which partner a form is about: one that is there, else the next."""
    return int(text) if text.isdecimal() and 0 < int(text[:4]) <= last else last + 1


def _as_named(partner: Partner) -> NamedPartner:
    shares = {item.line: item.grant for item in partner.shares}
    texts = partner.model_dump(include={"name", "country", "registration_number", "part"})
    return NamedPartner(people=list(partner.people), shares=shares, **texts)


def _named(fields: FormData, currency: str) -> NamedPartner:
    texts = {name: str(fields.get(name, "")).strip() for name in _TEXTS}
    people = [line.strip() for line in texts.pop("people").splitlines() if line.strip()]
    shares, wrong = {}, {}
    for field, text in fields.multi_items():
        if field.startswith("share.") and isinstance(text, str) and text.strip():
            try:
                shares[field.removeprefix("share.")] = Money(amount=_decimal(text), currency=currency)
            except (ValidationError, ValueError):
                wrong[field] = "is not an amount"
    if wrong:
        raise InvalidError(wrong)
    try:
        return NamedPartner(**texts, people=people, shares=shares)
    except ValidationError as error:
        raise invalid(error) from error


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text.strip().replace(" ", "").replace("\u00a0", "").replace(",", "."))
    except InvalidOperation as error:
        raise ValueError(text) from error


def _command(given: list[NamedPartner], version: str) -> NamePartners:
    if not version.isdecimal():
        raise InvalidError({"version": "is not a whole number"})
    return NamePartners(partners=given, version=int(version))


def _of_form(error: InvalidError, typed: dict[str, str]) -> dict[str, str]:
    """Return errors by the form's own names: partners.2.name is the name on the form of partner 2."""
    found = {}
    lines = {name.removeprefix("share."): name for name in typed if name.startswith("share.")}
    for field, rule in error.fields.items():
        name = field.rpartition(".")[2]
        found[lines.get(name, name if name in _TEXTS else field)] = rule
    return found


class RemovalForm(FormModel):
    """A form that needs nothing but the version that was seen."""

    version: int


@router.post(PAGE + "/{number}/removal", dependencies=[STAY, *WRITE])
def remove(reference: str, number: int, form: Annotated[RemovalForm, Form()], who: Who, uow: Uow) -> Response:
    """Take a partner out; its shares are the lead's again."""
    found = partnering.seen(uow, who, reference)
    given = [_as_named(item) for item in found.partners if item.number != number]
    partnering.name(uow, who, reference, NamePartners(partners=given, version=form.version))
    return back(case_path(reference, "partners"))


@router.get(API, dependencies=READ)
def listed(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return who takes part, what each does, and whose each budget line is; the lead has the rest."""
    found = partnering.seen(uow, who, reference)
    return partnering.view(found, inside=who.organisation != found.application.organisation)


@router.put(API, dependencies=WRITE)
def name(reference: str, command: NamePartners, who: Who, uow: Uow) -> dict[str, Any]:
    """Say who takes part: the whole list, checked against the budget by the server."""
    partnering.name(uow, who, reference, command)
    uow.flush()
    return partnering.view(partnering.seen(uow, who, reference), inside=False)
