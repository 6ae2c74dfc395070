"""Pages of guarantee facilities: the list, one with its utilisation on a day, and the form of its terms."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field, ValidationError
from starlette.datastructures import FormData

from services.loans import charts, storage
from services.loans.domain.facility import Facility, FacilityTerms
from services.loans.domain.finance import Finance
from services.loans.handlers import access, facilities
from services.loans.handlers.facilities import Utilisation
from services.loans.pages import forms, guarantee_words, product_words, words
from services.loans.pages.proposals import seen
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Prose
from shared.events.product_rules import KINDS
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import invalid
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
BEGIN, CHANGE = [allowed("loans.facility.begin")], allowed(facilities.CHANGE)
_MANY = ("banks", "purposes")
_OTHER = {"csrf", "version", "programme", "why"}


@router.get("/facilities", dependencies=[allowed("loans.facility.list")])
def read_all(request: Request, who: Who, connection: Reader, cursor: str | None = None) -> HTMLResponse:
    page = storage.facility_rows(connection, **facilities.seen_by(who), cursor=cursor)
    used, number = storage.used(connection, [row.id for row in page.items]), request.app.state.pages.number
    bars = {}
    for row in page.items:
        sums = used.get(row.id)
        parts = [
            (words.say("Committed"), sums.committed if sums else Decimal(0), "accent"),
            (words.say("Used up by losses"), sums.spent if sums else Decimal(0), "bad"),
        ]
        bars[row.id] = charts.usage_bar(parts, row.ceiling, words.say("How much is used"), number)
    may = "guarantor" in who.roles
    context: dict[str, Any] = {"page": page, "bars": bars, "used": used, "may_begin": may, "own": may}
    return render(request, "facilities.html", stages=guarantee_words.FACILITIES, **context)


@router.post("/facilities/pack", dependencies=BEGIN)
def adopt(who: Who, uow: Uow) -> Response:
    facilities.adopt(uow, who)
    return seen("/loans/facilities")


def _form(request: Request, uow: UnitOfWork, who: Identity, given: dict[str, Any], **more: Any) -> HTMLResponse:
    facility: Facility | None = more.get("facility")
    programme = facility.programme if facility else who.programmes[0] if who.programmes else ""
    finance, currency = access.rules(uow, programme)
    known, locale = storage.banks(uow.connection), request.state.locale
    return render(
        request,
        "facility_form.html",
        status_code=422 if more.get("errors") else 409 if more.get("conflict") else 200,
        given=given,
        programme=programme,
        currency=currency,
        banks=[(item.bank, known.get(item.bank, item.name)) for item in finance.partners],
        purposes=[(item.code, item.said(locale)) for item in finance.purposes],
        conditions=[
            (name, product_words.label(name), words.say(product_words.TAKES[kind.takes]), kind.unit)
            for name, kind in KINDS.items()
        ],
        units={unit: words.say(text) if text else "" for unit, text in product_words.UNITS.items()},
        **({"facility": None, "conflict": None} | more),
    )


def _typed(posted: FormData) -> dict[str, Any]:
    return {**forms.posted_values(posted), **{name: posted.getlist(name) for name in _MANY}}


def _terms(posted: FormData) -> FacilityTerms:
    """Return the terms of a form; raises InvalidError under the names of the form's fields."""
    values = {name: value for name, value in forms.posted_values(posted).items() if value.strip()}
    data: dict[str, Any] = {name: value for name, value in values.items() if "-" not in name and name not in _OTHER}
    data["name"] = {name.removeprefix("name-"): value for name, value in values.items() if name.startswith("name-")}
    data["rules"] = [
        {"rule": name, kind.takes: values[f"rule-{name}"]} for name, kind in KINDS.items() if f"rule-{name}" in values
    ]
    data |= {name: [value for value in posted.getlist(name) if isinstance(value, str)] for name in _MANY}
    try:
        return FacilityTerms.model_validate(data)
    except ValidationError as error:
        raise InvalidError(_of_form(invalid(error).fields, [item["rule"] for item in data["rules"]])) from error


def _of_form(fields: dict[str, str], rules: list[str]) -> dict[str, str]:
    """Return broken rules under the names of the form's inputs: rules.2.at_least is rule-size."""
    named: dict[str, str] = {}
    for name, why in fields.items():
        parts = name.split(".")
        if parts[0] == "rules" and len(parts) > 1:
            named[f"rule-{rules[int(parts[1])]}"] = why
        else:
            named["name-en" if parts[0] == "name" else parts[0]] = why
    return named


def _shown(terms: FacilityTerms) -> dict[str, Any]:
    """Return terms as the form shows them."""
    plain = terms.model_dump(mode="json", exclude={"rules", "name"})
    values: dict[str, Any] = {name: "" if value is None else value for name, value in plain.items()}
    values |= {f"name-{code}": text for code, text in terms.name.items()}
    for item in terms.rules:
        found = getattr(item, KINDS[item.rule].takes)
        values[f"rule-{item.rule}"] = ", ".join(found) if isinstance(found, list) else str(found)
    return values


@router.get("/facilities/new", dependencies=BEGIN)
def new(request: Request, who: Who, uow: Uow) -> HTMLResponse:
    standard = {"fee_days": "30", "claim_after_days": "90", "first_claim_percent": "100", "cap_percent": "100"}
    day = access.today(uow).isoformat()
    return _form(request, uow, who, {"valid_from": day, "tail_days": "180", "banks": [], "purposes": []} | standard)


@router.post("/facilities/new", dependencies=BEGIN)
def begin(request: Request, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)
    try:
        terms = _terms(posted)
        try:
            made = facilities.begin(
                uow, who, terms, programme=values.get("programme", ""), why=values.get("why", "")[:500]
            )
        except InvalidError as error:
            raise InvalidError(_of_form(error.fields, [item.rule for item in terms.rules])) from error
    except InvalidError as error:
        uow.abandon()
        return _form(request, uow, who, _typed(posted), errors=error.fields)
    return seen(f"/loans/facilities/{made.id}")


def _own(uow: UnitOfWork, who: Identity, reference: str) -> Facility:
    access.scoped(uow, who, "facility", reference, facilities.CHANGE)
    return storage.facilities(uow).get(reference, for_update=False)


@router.get("/facilities/{reference}/edit", dependencies=[CHANGE])
def edit(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    facility = _own(uow, who, reference)
    return _form(request, uow, who, _shown(facility.terms), facility=facility)


def _edit_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    facility = _own(uow, who, request.path_params["reference"])
    given = {"purposes": [], "banks": [], **request.state.typed}
    return _form(request, uow, who, given, facility=facility, conflict=problem)


@router.post("/facilities/{reference}/edit", dependencies=[stay(_edit_stays), CHANGE])
def propose(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    access.scoped(uow, who, "facility", reference, facilities.CHANGE)
    values = forms.posted_values(posted)
    try:
        version, terms = forms.version_of(values), _terms(posted)
        try:
            facilities.propose(uow, who, reference, terms, values.get("why", "")[:500], version=version)
        except InvalidError as error:
            raise InvalidError(_of_form(error.fields, [item.rule for item in terms.rules])) from error
    except InvalidError as error:
        uow.abandon()
        return _form(request, uow, who, _typed(posted), errors=error.fields, facility=_own(uow, who, reference))
    return seen(f"/loans/facilities/{reference}")


class WhyForm(forms.VersionedForm):
    why: Annotated[Prose, Field(min_length=1)]


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    facility = facilities.open_facility(uow, who, reference)
    own = "guarantor" in who.roles and who.organisation == facility.guarantor
    finance, _ = access.rules(uow, facility.programme)
    asked, errors = request.query_params.get("as_of", ""), dict(more.pop("errors", {}))
    try:
        use = facilities.utilisation(uow, facility, date.fromisoformat(asked) if asked else None)
    except ValueError:
        errors["as_of"], use = "is not a day", facilities.utilisation(uow, facility)
    except InvalidError as error:
        errors |= error.fields
        use = facilities.utilisation(uow, facility)
    bank = who.organisation if "finance_partner" in who.roles and not own else None
    scope = {"bank": bank} if bank else {"programmes": [facility.programme]}
    rows = storage.guarantee_rows(uow.connection, **scope, of=facility.id, limit=20)
    return render(
        request,
        "facility.html",
        status_code=422 if errors else 409 if more.get("conflict") else 200,
        facility=facility,
        own=own,
        name=facility.terms.said(request.state.locale),
        use=use,
        bar=_bar(request, use),
        parts_of=[item for item in use.parts if bank in {None, item.bank}],
        described=_described(facility.terms, finance, request.state.locale),
        changed=_changed(facility, finance, request.state.locale) if own else [],
        legal=facility.legal() if own else [],
        mine=bool(facility.change and facility.change.by == who.user),
        rows=[row for row in rows.items if row.stage != "void"],
        more_rows=bool(rows.next),
        stages=guarantee_words.FACILITIES,
        held=guarantee_words.STAGES,
        move_names=guarantee_words.moves(),
        today=access.today(uow),
        errors=errors,
        lines=words.acts(storage.timeline(uow.connection, facility.id), {}) if own else [],
        **({"conflict": None, "done": "", "given": {}} | more),
    )


def _bar(request: Request, use: Utilisation) -> Any:
    parts = [
        (words.say("Committed"), use.committed.amount, "accent"),
        (words.say("Used up by losses"), use.spent.amount, "bad"),
    ]
    return charts.usage_bar(parts, use.ceiling.amount, words.say("How much is used"), request.app.state.pages.number)


def _described(terms: FacilityTerms, finance: Finance, locale: str) -> dict[str, Any]:
    """Return codes of the terms as people call them, and the conditions on the firm in words."""
    conditions = []
    for item in terms.rules:
        kind = KINDS[item.rule]
        value: Any = product_words.codes(item.rule, item.values(), finance) if kind.unit == "codes" else item.limit()
        takes = "" if kind.unit == "codes" else words.say(product_words.TAKES[kind.takes])
        unit = product_words.UNITS[kind.unit]
        conditions.append((product_words.label(item.rule), value, takes, words.say(unit) if unit else ""))
    names = {item.bank: item.name for item in finance.partners}
    return {
        "conditions": conditions,
        "banks": [names.get(bank, bank) for bank in terms.banks],
        "purposes": [item.said(locale) for item in finance.purposes if item.code in terms.purposes],
    }


def _changed(facility: Facility, finance: Finance, locale: str) -> list[tuple[str, Any, Any]]:
    """Return (field, what holds, what is proposed) of the terms that differ; of a new facility nothing holds yet."""
    if facility.change is None or not facility.number:
        return []
    before, after = _shown(facility.terms), _shown(facility.change.terms)
    said = {item.code: item.said(locale) for item in finance.purposes}
    said |= {item.bank: item.name for item in finance.partners}

    def told(value: Any) -> str:
        return ", ".join(said.get(str(one), str(one)) for one in value) if isinstance(value, list) else str(value)

    names = sorted(name for name in before.keys() | after.keys() if before.get(name, "") != after.get(name, ""))
    return [
        (guarantee_words.term(name), told(before.get(name, "")) or "–", told(after.get(name, "")) or "–")
        for name in names
    ]


@router.get("/facilities/{reference}", dependencies=[allowed("loans.facility.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, request.path_params["reference"], conflict=problem, given=request.state.typed)


STAY = stay(_stays)


@router.post("/facilities/{reference}/approve", dependencies=[STAY, CHANGE])
def approve(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    facilities.approve(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/facilities/{reference}")


@router.post("/facilities/{reference}/refuse", dependencies=[STAY, CHANGE])
def refuse(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    return _because(request, uow, who, reference, posted)


@router.post("/facilities/{reference}/close", dependencies=[STAY, CHANGE])
def close(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    return _because(request, uow, who, reference, posted)


def _because(request: Request, uow: UnitOfWork, who: Identity, reference: str, posted: FormData) -> Response:
    done = request.url.path.rsplit("/", 1)[-1]
    try:
        form = forms.parsed(WhyForm, posted)
        act = facilities.refuse if done == "refuse" else facilities.close
        act(uow, who, reference, form.why, version=form.version)
    except InvalidError as error:
        uow.abandon()
        given = forms.posted_values(posted)
        return _page(request, uow, who, reference, errors=error.fields, given=given, done=done)
    return seen(f"/loans/facilities/{reference}")
