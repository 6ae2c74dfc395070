"""Use cases of banks' products: publish, revise, withdraw; hold a proposal against them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from services.loans import storage
from services.loans.domain.disclosure import facts_of
from services.loans.domain.finance import Finance, Partner
from services.loans.domain.matching import Finding, Match, floors, hold, match
from services.loans.domain.product import Cost, Product, cost
from services.loans.domain.proposal import Proposal
from services.loans.domain.ratios import Ratios, ratios
from services.loans.handlers import access
from shared.database import UnitOfWork
from shared.errors import InvalidError, NotFoundError, Rule
from shared.events.product_rules import ProductTerms
from shared.web.forms import invalid
from shared.web.identity import Identity

CHANGE = "loans.product.change"
MOST_PRICED = 40
_LAST = Decimal(10) ** 9


def issue(uow: UnitOfWork, who: Identity, terms: ProductTerms, *, programme: str = "", bank: str = "") -> Product:
    """Publish a bank's new product: by its own person, or by the manager of the programme."""
    programme = programme or (who.programmes[0] if who.programmes else "")
    if programme not in who.programmes:
        raise NotFoundError("There is no such record")
    if "programme_manager" not in who.roles:
        if bank not in {"", who.organisation}:
            raise NotFoundError("There is no such record")
        bank = who.organisation or ""
    finance, currency = access.rules(uow, programme)
    names = storage.banks(uow.connection)
    if finance.partner(bank) is None or bank not in names:
        raise InvalidError({"bank": "choose a finance partner of the programme"})
    product = Product(id=uow.next_reference("PRD"), programme=programme, bank=bank, bank_name=names[bank], terms=terms)
    storage.products(uow).add(product)
    product.issue(terms, finance, currency, access.today(uow))
    storage.keep_version(uow, product, who.name)
    return product


def adopt(uow: UnitOfWork, who: Identity, programme: str = "") -> list[Product]:
    """Publish the products of the programme's pack that are not in the catalogue yet, known by bank and name."""
    programme = programme or (who.programmes[0] if who.programmes else "")
    if programme not in who.programmes:
        raise NotFoundError("There is no such record")
    finance, _ = access.rules(uow, programme)
    known = storage.product_names(uow.connection, programme)
    made = []
    for index, item in enumerate(finance.products):
        terms = _of_pack(index, item.terms)
        if (item.bank, terms.said("en")) not in known:
            made.append(issue(uow, who, terms, programme=programme, bank=item.bank))
    return made


def _of_pack(index: int, terms: dict[str, Any]) -> ProductTerms:
    try:
        return ProductTerms.model_validate(terms)
    except ValidationError as error:
        wrong = invalid(error).fields
        raise InvalidError({f"products.{index}.{name}": why for name, why in wrong.items()}) from error


def revise(
    uow: UnitOfWork, who: Identity, reference: str, terms: ProductTerms, *, version: int | None = None
) -> Product:
    """Publish the next version; what was referred to an earlier one keeps it."""
    product = _changed(uow, who, reference, version)
    finance, currency = access.rules(uow, product.programme)
    product.issue(terms, finance, currency, access.today(uow))
    storage.keep_version(uow, product, who.name)
    return product


def withdraw(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Product:
    """Take a product out of the catalogue."""
    product = _changed(uow, who, reference, version)
    product.withdraw(why)
    return product


def _changed(uow: UnitOfWork, who: Identity, reference: str, version: int | None) -> Product:
    access.scoped(uow, who, "product", reference, CHANGE)
    return storage.products(uow).get(reference, expected=version)


def catalogue(who: Identity) -> dict[str, Any]:
    """Return whose products a person may see: a bank its own, everybody else those of their programmes."""
    if set(who.roles) & {"applicant", "officer", "programme_manager", "auditor"}:
        return {"programmes": who.programmes}
    return {"bank": who.organisation or ""}


def open_product(uow: UnitOfWork, who: Identity, reference: str, number: int | None = None) -> Product:
    """Return a product, in an earlier version when asked for."""
    access.scoped(uow, who, "product", reference, "loans.product.read")
    product = storage.products(uow).get(reference, for_update=False)
    if number is None or number == product.number:
        return product
    terms = storage.version_terms(uow.connection, reference, number)
    if terms is None:
        raise NotFoundError("There is no such record")
    return product.model_copy(update={"terms": terms, "number": number})


@dataclass(frozen=True)
class Fit:
    """A product held against a proposal, with what such a loan costs at the highest rate of the product."""

    product: Product
    match: Match
    cost: Cost | None


@dataclass(frozen=True)
class Matching:
    """Every product that can be asked for, the best first; of very many, how many were not held against it."""

    proposal: Proposal
    finance: Finance
    fits: list[Fit]
    left_out: int


def matching(uow: UnitOfWork, who: Identity, reference: str) -> Matching:
    """Hold a proposal as it stands against every product of its programme; a view by staff is recorded."""
    role = access.scoped(uow, who, "proposal", reference, "loans.proposal.match")
    proposal = storage.proposals(uow).get(reference, for_update=False)
    if role != "applicant":
        access.viewed(uow, proposal.id, "the proposal", case=proposal.id, programme=proposal.programme)
    finance, _ = access.rules(uow, proposal.programme)
    left_out = storage.open_left_out(uow.connection, proposal.programme, access.today(uow))
    return Matching(proposal, finance, _fits(uow, proposal, ratios(proposal.plan), finance), left_out)


def _fits(uow: UnitOfWork, proposal: Proposal, figures: Ratios, finance: Finance) -> list[Fit]:
    day, facts = access.today(uow), facts_of(proposal.plan, proposal.documents, figures)
    found = [
        (item, match(item.terms, facts, day))
        for item in storage.open_products(uow.connection, proposal.programme, day)
        if finance.partner(item.bank)
    ]
    found.sort(key=_nearest)
    return [
        Fit(item, result, _cost(item.terms, proposal, day) if place < MOST_PRICED else None)
        for place, (item, result) in enumerate(found)
    ]


def _nearest(pair: tuple[Product, Match]) -> tuple[Any, ...]:
    """Return what sorts the nearest product first, and of equals the cheapest."""
    product, result = pair
    return *result.rank(), product.effective_high or _LAST, product.id


def _cost(terms: ProductTerms, proposal: Proposal, day: date) -> Cost | None:
    """Return what the loan asked for costs, brought within the product's range."""
    asked = proposal.plan.request
    amount = min(max(asked.amount or terms.amount_max, terms.amount_min), terms.amount_max)
    months = min(max(asked.term_months or terms.term_max, terms.term_min), terms.term_max)
    return cost(terms, amount, months - months % terms.every_months, terms.rate_max_percent, day)


@dataclass(frozen=True)
class Standing:
    """How ready a proposal is for one bank: its published floors, and what its nearest product asks."""

    partner: Partner
    bank_name: str
    match: Match
    product: Product | None


def standings(uow: UnitOfWork, proposal: Proposal, figures: Ratios, finance: Finance) -> list[Standing]:
    """Return the readiness of a proposal for each bank of its programme, the nearest first."""
    day, facts = access.today(uow), facts_of(proposal.plan, proposal.documents, figures)
    names = storage.banks(uow.connection)
    held = [
        (item, match(item.terms, facts, day)) for item in storage.open_products(uow.connection, proposal.programme, day)
    ]
    matched = {item.bank: (item, result) for item, result in sorted(held, key=_nearest, reverse=True)}
    found = []
    for partner in finance.partners:
        product, of_product = matched.get(partner.bank, (None, Match([])))
        asked = _stricter([*hold(floors(partner), facts, day).findings, *of_product.findings])
        if partner.bank in names:
            found.append(Standing(partner, names[partner.bank], Match(asked), product))
    return sorted(found, key=lambda item: (*item.match.rank(), item.bank_name))


def _stricter(findings: list[Finding]) -> list[Finding]:
    """Leave one finding of each rule: the one that is not met where there is one."""
    kept: dict[str, Finding] = {}
    for item in findings:
        if item.rule not in kept or kept[item.rule].met:
            kept[item.rule] = item
    return list(kept.values())


def by_bank(uow: UnitOfWork, programme: str) -> dict[str, list[Product]]:
    """Return the products that can be asked for today, by bank."""
    found: dict[str, list[Product]] = {}
    for item in storage.open_products(uow.connection, programme, access.today(uow)):
        found.setdefault(item.bank, []).append(item)
    return found


def pinned(uow: UnitOfWork, bank: str, programme: str, reference: str, number: int | None) -> Product:
    """Return the product that is asked for; raises InvalidError where it isn't to be had, or has changed since."""
    row = storage.standing(uow.connection, "product", reference) if len(reference) <= access.MAX_REFERENCE else None
    if row is None or (row.bank, row.programme) != (bank, programme):
        raise InvalidError({"product": "choose a product of this bank"})
    product = storage.products(uow).get(reference, for_update=False)
    if not product.open_on(access.today(uow)):
        raise InvalidError({"product": "is not offered today"})
    if number is not None and number != product.number:
        raise InvalidError({"product": Rule("has changed since you read it: read version %(n)s", n=product.number)})
    return product
