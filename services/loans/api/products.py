"""JSON API of banks' products, and of how a proposal fits them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.loans import storage
from services.loans.api.shapes import Given
from services.loans.domain.matching import Match
from services.loans.domain.product import Product
from services.loans.domain.proposal import Proposal
from services.loans.handlers import access, products, proposals, referrals
from services.loans.handlers.products import Fit, Standing
from shared.errors import NotFoundError
from shared.events.fields import Line, Prose
from shared.events.product_rules import KINDS, ProductTerms
from shared.money import Amount
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["products"])
LIST = [allowed("loans.product.list")]
CHANGE = [allowed("loans.product.change")]
Instrument = Literal["", "term_loan", "working_capital", "leasing"]


class Publish(BaseModel):
    """A new product. `bank` is needed from the programme's manager; a bank's own person leaves it out."""

    model_config = ConfigDict(extra="forbid")

    programme: Line = ""
    bank: Line = ""
    terms: ProductTerms


class Adopt(BaseModel):
    model_config = ConfigDict(extra="forbid")

    programme: Line = ""


class Revise(Given):
    terms: ProductTerms


class TakeBack(Given):
    why: Annotated[Prose, Field(min_length=1)]


class KindOut(BaseModel):
    """A kind of condition: what it looks at, the one parameter it takes, and its unit."""

    rule: str
    field: str
    takes: str
    unit: str


class ProductOut(BaseModel):
    """A product with its newest version; effective rates are fractions a year, fees counted."""

    reference: str
    version: int
    programme: str
    bank: str
    bank_name: str
    stage: str
    number: int
    terms: ProductTerms
    effective_low: Decimal | None
    effective_high: Decimal | None
    withdrawn_why: str

    @classmethod
    def of(cls, item: Product) -> ProductOut:
        return cls(reference=item.id, **{name: getattr(item, name) for name in cls.model_fields if name != "reference"})


class ProductLine(BaseModel):
    reference: str
    programme: str
    bank: str
    bank_name: str
    stage: str
    number: int
    name: str
    instrument: str
    currency: str
    amount_min: Amount
    amount_max: Amount
    term_min: int
    term_max: int
    rate_min: Decimal
    rate_max: Decimal
    effective_low: Decimal | None
    effective_high: Decimal | None
    valid_from: date
    valid_until: date | None
    updated_at: datetime


class ProductList(BaseModel):
    items: list[ProductLine]
    next: str | None


class FindingOut(BaseModel):
    """One condition: `met` is none where it can't be told; `mend` is what would make it fit."""

    rule: str
    field: str
    met: bool | None
    said: str
    mend: str | None


class MatchOut(BaseModel):
    fits: bool
    passed: int
    failed: int
    untold: int
    of: int
    findings: list[FindingOut]

    @classmethod
    def made(cls, found: Match) -> MatchOut:
        findings = [
            FindingOut(
                rule=item.rule,
                field=item.field,
                met=item.met,
                said=item.said[0] % item.said[1],
                mend=item.mend[0] % item.mend[1] if item.mend else None,
            )
            for item in found.findings
        ]
        counts = {"passed": found.passed, "failed": found.failed, "untold": found.untold, "of": len(findings)}
        return cls(fits=found.fits, findings=findings, **counts)


class FitOut(BaseModel):
    """A product held against the proposal, with what such a loan costs at the product's highest rate."""

    product: str
    number: int
    bank: str
    bank_name: str
    name: str
    rate_max_percent: Decimal
    effective_rate: Decimal | None
    instalment: Decimal | None
    match: MatchOut

    @classmethod
    def made(cls, fit: Fit) -> FitOut:
        item = fit.product
        return cls(
            product=item.id,
            number=item.number,
            bank=item.bank,
            bank_name=item.bank_name,
            name=item.terms.said("en"),
            rate_max_percent=item.terms.rate_max_percent,
            effective_rate=fit.cost and fit.cost.effective,
            instalment=fit.cost and fit.cost.instalment,
            match=MatchOut.made(fit.match),
        )


class StandingOut(BaseModel):
    """How ready the proposal is for a bank: its floors and its nearest product."""

    bank: str
    bank_name: str
    product: str | None
    match: MatchOut

    @classmethod
    def made(cls, item: Standing) -> StandingOut:
        reference = item.product.id if item.product else None
        found = MatchOut.made(item.match)
        return cls(bank=item.partner.bank, bank_name=item.bank_name, product=reference, match=found)


@router.get("/product-rules", dependencies=LIST)
def kinds() -> list[KindOut]:
    """Return the closed list of conditions."""
    return [KindOut(rule=name, field=kind.field, takes=kind.takes, unit=kind.unit) for name, kind in KINDS.items()]


@router.get("/products", dependencies=LIST)
def listed(  # noqa: PLR0917 - the filters of the catalogue
    who: Who,
    connection: Reader,
    instrument: Instrument = "",
    amount: Decimal | None = None,
    months: int | None = None,
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ProductList:
    asked: dict[str, Any] = {"instrument": instrument, "amount": amount, "months": months, "q": q}
    page = storage.product_rows(connection, **products.catalogue(who), **asked, cursor=cursor, limit=limit)
    names = set(ProductLine.model_fields) - {"reference"}
    items = [ProductLine(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return ProductList(items=items, next=page.next)


@router.post("/products", status_code=201, dependencies=[allowed("loans.product.publish")])
def publish(given: Publish, who: Who, uow: Uow) -> ProductOut:
    product = products.issue(uow, who, given.terms, programme=given.programme, bank=given.bank)
    uow.flush()
    return ProductOut.of(product)


@router.post("/products/pack", status_code=201, dependencies=[allowed("loans.product.adopt")])
def adopt(given: Adopt, who: Who, uow: Uow) -> list[ProductOut]:
    """Publish the products of the programme's pack that are not in the catalogue yet."""
    found = products.adopt(uow, who, given.programme)
    uow.flush()
    return [ProductOut.of(item) for item in found]


@router.get("/products/{reference}", dependencies=[allowed("loans.product.read")])
def read(reference: str, who: Who, uow: Uow, number: int | None = None) -> ProductOut:
    return ProductOut.of(products.open_product(uow, who, reference, number))


@router.post("/products/{reference}/versions", status_code=201, dependencies=CHANGE)
def revise(reference: str, given: Revise, who: Who, uow: Uow) -> ProductOut:
    product = products.revise(uow, who, reference, given.terms, version=given.version)
    uow.flush()
    return ProductOut.of(product)


@router.post("/products/{reference}/withdrawal", dependencies=CHANGE)
def withdraw(reference: str, given: TakeBack, who: Who, uow: Uow) -> ProductOut:
    product = products.withdraw(uow, who, reference, given.why, version=given.version)
    uow.flush()
    return ProductOut.of(product)


@router.get("/proposals/{reference}/matches", dependencies=[allowed("loans.proposal.match")])
def matches(reference: str, who: Who, uow: Uow) -> list[FitOut]:
    """Return every product that can be asked for, the best first, each condition with its figures."""
    return [FitOut.made(fit) for fit in products.matching(uow, who, reference).fits]


@router.get("/referrals/{reference}/match", dependencies=[allowed("loans.referral.read")])
def match_of(reference: str, who: Who, uow: Uow) -> MatchOut:
    """Return the conditions of the product that was asked for, told from the consented fields alone."""
    found = referrals.open_referral(uow, who, reference, "match").match
    if found is None:
        raise NotFoundError("There is no such record")
    return MatchOut.made(found)


@router.get("/proposals/{reference}/banks", dependencies=[allowed("loans.proposal.match")])
def banks(reference: str, who: Who, uow: Uow) -> list[StandingOut]:
    """Return how ready the proposal is for each bank, with what to do."""
    access.scoped(uow, who, "proposal", reference, "loans.proposal.match")
    proposal: Proposal = proposals.open_proposal(uow, who, reference)
    found = proposals.assess(uow, proposal)
    return [StandingOut.made(item) for item in products.standings(uow, proposal, found.figures, found.finance)]
