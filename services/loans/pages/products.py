"""Pages of banks' products: the catalogue, a product, the form of its terms; and how a proposal fits them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field, TypeAdapter, ValidationError
from starlette.datastructures import FormData

from services.loans import storage
from services.loans.domain.finance import Finance
from services.loans.domain.product import Product
from services.loans.handlers import access, products
from services.loans.pages import forms, product_words, words
from services.loans.pages.proposals import seen
from services.loans.policy import POLICY
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.fields import Line, Prose
from shared.events.product_rules import KINDS, ProductTerms
from shared.money import Amount
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import invalid
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
LIST, READ = [allowed("loans.product.list")], [allowed("loans.product.read")]
PUBLISH = [allowed("loans.product.publish")]
Text = Annotated[str, Query(max_length=200)]
_AMOUNT: TypeAdapter[Any] = TypeAdapter(Amount)
_MANY = ("purposes",)
_OTHER = {"csrf", "version", "programme", "bank"}
MOST_MONTHS = 360


@router.get("/products", dependencies=LIST)
def catalogue(  # noqa: PLR0917 - the filters of the page
    request: Request,
    who: Who,
    connection: Reader,
    q: Text = "",
    instrument: Literal["", "term_loan", "working_capital", "leasing"] = "",
    amount: Text = "",
    months: Text = "",
    cursor: str | None = None,
) -> HTMLResponse:
    asked, errors = _asked(amount, months)
    shown = products.catalogue(who)
    page = storage.product_rows(connection, **shown, instrument=instrument, q=q, cursor=cursor, **asked)
    given = {"q": q, "instrument": instrument, "amount": amount, "months": months}
    return render(
        request,
        "products.html",
        page=page,
        errors=errors,
        given=given,
        may_adopt=bool(POLICY.scopes("loans.product.adopt", who)),
        may_publish=bool(POLICY.scopes("loans.product.publish", who)),
        own="bank" in shown,
        **_choices(),
    )


def _asked(amount: str, months: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the filters that make sense, and what is wrong with the others."""
    asked: dict[str, Any] = {}
    errors: dict[str, str] = {}
    if amount.strip():
        try:
            asked["amount"] = _AMOUNT.validate_python(amount.strip())
        except ValidationError:
            errors["amount"] = "must be an amount"
    if months.strip():
        if months.strip().isascii() and months.strip().isdigit() and 1 <= int(months[:6]) <= MOST_MONTHS:
            asked["months"] = int(months[:6])
        else:
            errors["months"] = "must be between 1 and 360"
    return asked, errors


def _choices() -> dict[str, Any]:
    named = {"instruments": product_words.INSTRUMENTS, "rate_types": product_words.RATE_TYPES}
    named |= {"interests": product_words.INTERESTS, "methods": product_words.METHODS, "everies": product_words.EVERY}
    said = {name: [(code, words.say(text)) for code, text in found.items()] for name, found in named.items()}
    return said | {"stages": product_words.STAGES}


def _form(request: Request, uow: UnitOfWork, who: Identity, given: dict[str, Any], **more: Any) -> HTMLResponse:
    product: Product | None = more.get("product")
    programme = product.programme if product else who.programmes[0] if who.programmes else ""
    finance, currency = access.rules(uow, programme)
    known, locale = storage.banks(uow.connection), request.state.locale
    return render(
        request,
        "product_form.html",
        status_code=422 if more.get("errors") else 409 if more.get("conflict") else 200,
        given=given,
        programme=programme,
        currency=currency,
        banks=[(item.bank, known[item.bank]) for item in finance.partners if item.bank in known],
        for_bank="programme_manager" in who.roles,
        purposes=[(item.code, item.said(locale)) for item in finance.purposes],
        conditions=[
            (
                name,
                product_words.label(name),
                words.say(product_words.TAKES[kind.takes]),
                kind.unit,
                _hint(name, finance),
            )
            for name, kind in KINDS.items()
        ],
        units={unit: words.say(text) if text else "" for unit, text in product_words.UNITS.items()},
        **({"product": None, "conflict": None} | _choices() | more),
    )


def _hint(rule: str, finance: Finance) -> str:
    if rule == "documents":
        return ", ".join(item.kind for item in finance.documents)
    return "micro, small, medium" if rule == "size" else ""


def _typed(posted: FormData) -> dict[str, Any]:
    """Return what was typed, as the form shows it again."""
    return {**forms.posted_values(posted), **{name: posted.getlist(name) for name in _MANY}}


def _terms(posted: FormData) -> ProductTerms:
    """Return the terms of a form; raises InvalidError under the names of the form's fields."""
    values = {name: value for name, value in forms.posted_values(posted).items() if value.strip()}
    data: dict[str, Any] = {name: value for name, value in values.items() if "-" not in name and name not in _OTHER}
    data["name"] = {name.removeprefix("name-"): value for name, value in values.items() if name.startswith("name-")}
    data["rules"] = [
        {"rule": name, kind.takes: values[f"rule-{name}"]} for name, kind in KINDS.items() if f"rule-{name}" in values
    ]
    data["purposes"] = [value for value in posted.getlist("purposes") if isinstance(value, str)]
    if data.get("every_months", "").isdigit():
        data["every_months"] = int(data["every_months"])
    try:
        return ProductTerms.model_validate(data)
    except ValidationError as error:
        raise InvalidError(_of_form(invalid(error).fields, [item["rule"] for item in data["rules"]])) from error


def _of_form(fields: dict[str, str], rules: list[str]) -> dict[str, str]:
    """Return broken rules under the names of the form's inputs: rules.2.at_least is rule-dscr."""
    named: dict[str, str] = {}
    for name, why in fields.items():
        parts = name.split(".")
        if parts[0] == "rules" and len(parts) > 1:
            named[f"rule-{rules[int(parts[1])]}"] = why
        else:
            named["name-en" if parts[0] == "name" else parts[0]] = why
    return named


@router.get("/products/new", dependencies=PUBLISH)
def new(request: Request, who: Who, uow: Uow) -> HTMLResponse:
    return _form(request, uow, who, {"valid_from": access.today(uow).isoformat(), "every_months": "1", "purposes": []})


@router.post("/products/new", dependencies=PUBLISH)
def publish(request: Request, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    values = forms.posted_values(posted)
    try:
        terms = _terms(posted)
        try:
            product = products.issue(
                uow, who, terms, programme=values.get("programme", ""), bank=values.get("bank", "")
            )
        except InvalidError as error:
            raise InvalidError(_of_form(error.fields, [item.rule for item in terms.rules])) from error
    except InvalidError as error:
        return _form(request, uow, who, _typed(posted), errors=error.fields)
    return seen(f"/loans/products/{product.id}")


def _shown(terms: ProductTerms) -> dict[str, Any]:
    """Return terms as the form shows them."""
    plain = terms.model_dump(mode="json", exclude={"rules", "name"})
    values: dict[str, Any] = {name: "" if value is None else value for name, value in plain.items()}
    values |= {f"name-{code}": text for code, text in terms.name.items()}
    for item in terms.rules:
        found = getattr(item, KINDS[item.rule].takes)
        values[f"rule-{item.rule}"] = ", ".join(found) if isinstance(found, list) else str(found)
    return values


@router.post("/products/pack", dependencies=[allowed("loans.product.adopt")])
def adopt(who: Who, uow: Uow) -> Response:
    products.adopt(uow, who)
    return seen("/loans/products")


@router.get("/products/{reference}/edit", dependencies=[allowed("loans.product.change")])
def edit(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    access.scoped(uow, who, "product", reference, products.CHANGE)
    product = storage.products(uow).get(reference, for_update=False)
    return _form(request, uow, who, _shown(product.terms), product=product)


def _edit_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    reference = request.path_params["reference"]
    access.scoped(uow, who, "product", reference, products.CHANGE)
    product = storage.products(uow).get(reference, for_update=False)
    return _form(request, uow, who, {"purposes": [], **request.state.typed}, product=product, conflict=problem)


@router.post("/products/{reference}/edit", dependencies=[stay(_edit_stays), allowed("loans.product.change")])
def revise(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    access.scoped(uow, who, "product", reference, products.CHANGE)
    try:
        version, terms = forms.version_of(forms.posted_values(posted)), _terms(posted)
        try:
            products.revise(uow, who, reference, terms, version=version)
        except InvalidError as error:
            raise InvalidError(_of_form(error.fields, [item.rule for item in terms.rules])) from error
    except InvalidError as error:
        product = storage.products(uow).get(reference, for_update=False)
        return _form(request, uow, who, _typed(posted), errors=error.fields, product=product)
    return seen(f"/loans/products/{reference}")


class TakeBackForm(forms.VersionedForm):
    why: Annotated[Prose, Field(min_length=1)]


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    number = request.query_params.get("number", "")
    product = products.open_product(uow, who, reference, int(number) if number.isdigit() and number.isascii() else None)
    finance, _ = access.rules(uow, product.programme)
    locale = request.state.locale
    return render(
        request,
        "product.html",
        status_code=422 if "errors" in more else 409 if more.get("conflict") else 200,
        product=product,
        name=product.terms.said(locale),
        conditions=_conditions(product.terms, finance),
        purposes=[item.said(locale) for item in finance.purposes if item.code in product.terms.purposes],
        versions=storage.versions(uow.connection, reference),
        may_change=_may_change(who, product),
        open=product.open_on(access.today(uow)),
        **({"conflict": None} | {name: dict(found) for name, found in _choices().items()} | more),
    )


def _may_change(who: Identity, product: Product) -> bool:
    scopes = POLICY.scopes(products.CHANGE, who)
    own = who.organisation == product.bank and "finance_partner" in scopes
    return own or ("programme_manager" in scopes and product.programme in who.programmes)


def _conditions(terms: ProductTerms, finance: Finance) -> list[tuple[str, Any, str, str]]:
    """Return each condition: what it is about, its number or codes, what it takes, and its unit."""
    found: list[tuple[str, Any, str, str]] = []
    for item in terms.rules:
        kind = KINDS[item.rule]
        value = product_words.codes(item.rule, item.values(), finance) if kind.unit == "codes" else item.limit()
        takes = "" if kind.unit == "codes" else words.say(product_words.TAKES[kind.takes])
        unit = product_words.UNITS[kind.unit]
        found.append((product_words.label(item.rule), value, takes, words.say(unit) if unit else ""))
    return found


@router.get("/products/{reference}", dependencies=READ)
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, request.path_params["reference"], conflict=problem)


@router.post("/products/{reference}/withdraw", dependencies=[stay(_stays), allowed("loans.product.change")])
def withdraw(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    access.scoped(uow, who, "product", reference, products.CHANGE)
    try:
        form = forms.parsed(TakeBackForm, posted)
        products.withdraw(uow, who, reference, form.why, version=form.version)
    except InvalidError as error:
        return _page(request, uow, who, reference, errors=error.fields)
    return seen(f"/loans/products/{reference}")


@router.get("/proposals/{reference}/matches", dependencies=[allowed("loans.proposal.match")])
def matches(request: Request, reference: str, who: Who, uow: Uow, bank: Annotated[Line, Query()] = "") -> HTMLResponse:
    found = products.matching(uow, who, reference)
    proposal, locale = found.proposal, request.state.locale
    own = who.organisation == proposal.organisation
    mend = proposal.id if own and proposal.stage == "draft" else ""
    fits = [
        {
            "product": fit.product,
            "name": fit.product.terms.said(locale),
            "match": fit.match,
            "cost": fit.cost,
            "lines": product_words.findings(fit.match.findings, found.finance, mend),
        }
        for fit in found.fits
        if bank in {"", fit.product.bank}
    ]
    may_refer = own and proposal.stage == "locked" and not proposal.accepted_referral
    return render(
        request, "matches.html", proposal=proposal, fits=fits, own=own, may_refer=may_refer, left_out=found.left_out
    )
