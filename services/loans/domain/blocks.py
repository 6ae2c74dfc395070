"""What a bankable proposal contains, block by block; the applicant consents to the same blocks and fields.

Amounts are Decimals in the proposal's one currency; shares and rates are percentages as people write them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from shared.entity import Part
from shared.events.fields import ZERO, Day, Line, Percent, Prose, Signed, Sum, blank_is_none

Growth = Annotated[Signed, Field(ge=-100, le=1000)]
MaybeSum = Annotated[Sum | None, BeforeValidator(blank_is_none)]
MaybePercent = Annotated[Percent | None, BeforeValidator(blank_is_none)]
Whole = Annotated[Annotated[int, Field(ge=0, le=100_000)] | None, BeforeValidator(blank_is_none)]
Term = Annotated[Annotated[int, Field(ge=1, le=360)] | None, BeforeValidator(blank_is_none)]


class Block(Part):
    """A part of a proposal; unknown fields are refused."""


class Applicant(Block):
    """Who asks."""

    legal_name: Line = ""
    legal_form: Line = ""
    registration_number: Line = ""
    tax_id: Line = ""
    founded: Day = None
    address: Line = ""
    sector: Line = ""  # ISIC Rev. 4 class
    employees: Whole = None
    women_owned_percent: MaybePercent = None


class Owner(Block):
    """A person who owns a share: personal data, a block of its own."""

    name: Line = ""
    share_percent: Percent = ZERO
    sex: Literal["", "female", "male"] = ""
    birth_year: Whole = None


class Owners(Block):
    people: Annotated[list[Owner], Field(max_length=20)] = []


class Request(Block):
    """What is asked for."""

    title: Line = ""
    amount: MaybeSum = None
    purpose: Line = ""
    instrument: Literal["term_loan", "working_capital", "leasing"] = "term_loan"
    term_months: Term = None
    grace_principal_months: Annotated[int, Field(ge=0, le=60)] = 0
    rate_percent: MaybePercent = None
    needed_by: Day = None


class Project(Block):
    """What it is for."""

    description: Prose = ""
    location: Line = ""
    start: Day = None
    end: Day = None
    market: Prose = ""


class Use(Block):
    item: Line = ""
    amount: Sum = ZERO


class Funding(Block):
    """Where the money comes from and where it goes; the two sums must be equal."""

    loan: Sum = ZERO
    own_cash: Sum = ZERO
    own_in_kind: Sum = ZERO
    grant: Sum = ZERO
    lead_firm: Sum = ZERO
    other: Sum = ZERO
    uses: Annotated[list[Use], Field(max_length=40)] = []

    def sources_total(self) -> Decimal:
        return self.loan + self.own_cash + self.own_in_kind + self.grant + self.lead_firm + self.other

    def uses_total(self) -> Decimal:
        return sum((use.amount for use in self.uses), ZERO)

    def own_share(self) -> Decimal:
        """Return the own contribution as a fraction of all sources."""
        total = self.sources_total()
        return (self.own_cash + self.own_in_kind) / total if total else ZERO


class Year(Block):
    """One past year, with where the figures come from."""

    year: Annotated[int, Field(ge=1990, le=2100)]
    sales: Sum = ZERO
    cost_of_sales: Sum = ZERO
    operating_costs: Sum = ZERO
    depreciation: Sum = ZERO
    interest: Sum = ZERO
    tax: Sum = ZERO
    current_assets: Sum = ZERO
    stock: Sum = ZERO
    receivables: MaybeSum = None
    payables: MaybeSum = None
    current_liabilities: Sum = ZERO
    debt: Sum = ZERO
    equity: Signed = ZERO
    source: Literal["audited", "tax_return", "management", "self_declared"] = "management"


class History(Block):
    years: Annotated[list[Year], Field(max_length=5)] = []


class Month(Block):
    sales: Sum = ZERO
    cost_of_sales: Sum = ZERO
    operating_costs: Sum = ZERO


class Projection(Block):
    """The assumptions of three years; `months`, when given, replaces what the yearly assumptions spread."""

    opening_cash: Sum = ZERO
    first_month: Day = None
    sales: Annotated[list[Sum], Field(max_length=3)] = []
    seasonality: Annotated[list[Sum], Field(max_length=12)] = []  # weights of January to December
    cost_of_sales_percent: Percent = ZERO
    operating_costs: Sum = ZERO  # of the first year
    operating_growth_percent: Growth = ZERO
    depreciation: Sum = ZERO
    tax_percent: Percent = ZERO
    capex: Sum = ZERO  # maintenance, a year
    assumptions: Prose = ""
    months: Annotated[list[Month], Field(max_length=36)] = []


class Flows(Block):
    """The project's own flows by year, year 0 (the investment, below zero) first."""

    flows: Annotated[list[Signed], Field(max_length=16)] = []
    discount_percent: Percent = ZERO
    reinvest_percent: Percent = ZERO


class Debt(Block):
    lender: Line = ""
    outstanding: Sum = ZERO
    instalment: Sum = ZERO
    rate_percent: Percent = ZERO
    maturity: Day = None
    arrears_days: Annotated[int, Field(ge=0, le=10_000)] = 0


class Debts(Block):
    none: bool = False  # declared: no debts
    loans: Annotated[list[Debt], Field(max_length=20)] = []


class Security(Block):
    kind: Literal["real_estate", "vehicle", "equipment", "stock", "receivable", "guarantee"] = "equipment"
    description: Line = ""
    market_value: Sum = ZERO
    haircut_percent: Percent = ZERO


class Collateral(Block):
    items: Annotated[list[Security], Field(max_length=20)] = []

    def value_after_haircuts(self) -> Decimal:
        return sum((item.market_value * (100 - item.haircut_percent) / 100 for item in self.items), ZERO)


class Declaration(Block):
    """What the applicant vouches for."""

    true_and_complete: bool = False
    credit_bureau: bool = False


BLOCKS: dict[str, type[Block]] = {
    "applicant": Applicant,
    "owners": Owners,
    "request": Request,
    "project": Project,
    "funding": Funding,
    "history": History,
    "projection": Projection,
    "flows": Flows,
    "debts": Debts,
    "collateral": Collateral,
    "declaration": Declaration,
}


class Plan(Part):
    """The whole content of a proposal, without its documents."""

    applicant: Applicant = Applicant()
    owners: Owners = Owners()
    request: Request = Request()
    project: Project = Project()
    funding: Funding = Funding()
    history: History = History()
    projection: Projection = Projection()
    flows: Flows = Flows()
    debts: Debts = Debts()
    collateral: Collateral = Collateral()
    declaration: Declaration = Declaration()
