"""What the JSON API takes and gives. A referral's `fields` hold what was consented to and nothing else."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.loans.domain.comparison import Compared
from services.loans.domain.documents import ProposalDocument
from services.loans.domain.loan import Disbursement, Loan, Restructuring
from services.loans.domain.offer import Counter, Offer, Question
from services.loans.domain.proposal import Proposal
from services.loans.domain.referral import legal_moves
from services.loans.domain.schedule import Instalment
from services.loans.handlers.proposals import Assessment
from services.loans.handlers.referrals import Opened
from shared.events.fields import Line, Prose
from shared.money import Amount, Money

Version = Annotated[
    int | None, Field(ge=1, description="The version that you saw; refused when it is no longer current")
]


class Given(BaseModel):
    """The base of what is posted; unknown members are refused."""

    model_config = ConfigDict(extra="forbid")

    version: Version = None


class Start(BaseModel):
    model_config = ConfigDict(extra="forbid")

    supporter: Line
    title: Line = ""


class Section(Given):
    data: dict[str, Any]


class Agree(Given):
    """A consent: one bank, fields ("block" or "block.field"), a purpose, until a day."""

    bank: Line
    fields: Annotated[list[Line], Field(min_length=1, max_length=200)]
    purpose: Line
    until: date
    language: Line = "en"
    text_version: Line
    product: Line = ""
    product_number: int | None = None


class Say(Given):
    text: Annotated[Prose, Field(min_length=1)]


class Decline(Given):
    reasons: Annotated[list[Line], Field(min_length=1, max_length=20)]
    note: Prose = ""


class MakeOffer(Given):
    """Terms of a loan; the rate as a percentage, the fee paid upfront, in the referral's currency."""

    amount: Amount
    rate_percent: Amount
    term_months: int
    fee: Amount = Decimal(0)
    conditions: Prose = ""
    collateral: Prose = ""
    tripartite: bool = False
    valid_until: date


class MakeCounter(Given):
    """What the applicant asks for instead of the offer, and why; the rate as a percentage."""

    amount: Amount
    rate_percent: Amount
    term_months: int
    fee: Amount = Decimal(0)
    reason: Annotated[Prose, Field(min_length=1)]


class Disburse(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: Amount
    on: date


class Restructure(Given):
    """New terms from a day on, for the principal outstanding then; the rate as a percentage."""

    on: date
    principal: Amount
    interest_paid: Amount
    rate_percent: Amount
    term_months: int


class SupporterOut(BaseModel):
    organisation: str
    name: str
    programme: str
    award: str


class PartnerOut(BaseModel):
    bank: str
    name: str
    country: str
    sla_days: int
    dscr_floor: Decimal
    own_share_floor: Decimal


class ProposalOut(BaseModel):
    """A proposal as its owner and the programme's staff see it."""

    reference: str
    version: int
    stage: str
    number: int
    programme: str
    organisation: str
    organisation_name: str
    supporter: str
    supporter_name: str
    currency: str
    title: str
    plan: dict[str, Any]
    documents: list[ProposalDocument]
    accepted_referral: str | None

    @classmethod
    def of(cls, item: Proposal) -> ProposalOut:
        same = {name: getattr(item, name) for name in cls.model_fields if name not in {"reference", "title", "plan"}}
        return cls(reference=item.id, title=item.title(), plan=item.plan.model_dump(mode="json"), **same)


class ProposalLine(BaseModel):
    reference: str
    version: int
    stage: str
    organisation_name: str
    supporter_name: str
    title: str
    updated_at: datetime


class ProposalList(BaseModel):
    items: list[ProposalLine]
    next: str | None


class TodoOut(BaseModel):
    """One thing to do; one that is not `blocking` counts, but does not hold the proposal back."""

    code: str
    block: str
    why: str
    blocking: bool


class ReadinessOut(BaseModel):
    """Ready when there is nothing to do that must be done."""

    ready: bool
    done: list[str]
    todos: list[TodoOut]

    @classmethod
    def of(cls, found: Assessment) -> ReadinessOut:
        todos = [
            TodoOut(code=todo.code, block=todo.block, why=todo.text(), blocking=todo.blocking) for todo in found.todos
        ]
        ready = not any(todo.blocking for todo in todos)
        return cls(ready=ready, todos=todos, done=[check.code for check in found.checks if check.todo is None])


class ReferralLine(BaseModel):
    reference: str
    version: int
    stage: str
    bank: str
    bank_name: str
    organisation_name: str
    title: str
    amount: Money
    term_months: int
    due: date | None


class ReferralList(BaseModel):
    items: list[ReferralLine]
    next: str | None


class ConsentOut(BaseModel):
    fields: list[str]
    purpose: str
    until: date
    text_version: str
    language: str
    given_at: str
    revoked_at: datetime | None


class ReferralOut(BaseModel):
    """A referral as one reader may see it; `possible` are the moves of that reader's side."""

    reference: str
    version: int
    proposal: str
    stage: str
    organisation: str
    organisation_name: str
    bank: str
    bank_name: str
    title: str
    amount: Money
    term_months: int
    product: str | None
    product_number: int | None
    submitted_at: datetime | None
    received_at: datetime | None
    due: date | None
    possible: list[str]
    consent: ConsentOut | None
    questions: list[Question]
    decline_reasons: list[str]
    decline_note: str
    offer: Offer | None
    earlier: list[Offer]
    counters: list[Counter]
    loan: str | None
    again_of: str | None = Field(description="The declined referral that this one follows; never told to a bank")
    fields: dict[str, dict[str, Any]]
    group: dict[str, Any] | None  # of each member what it lets this bank see

    @classmethod
    def of(cls, opened: Opened) -> ReferralOut:
        item, side = opened.referral, {"applicant": "applicant", "finance_partner": "bank"}.get(opened.role, "nobody")
        made = {"reference", "possible", "consent", "fields", "group", "again_of"}
        consent = item.consent and ConsentOut(
            **item.consent.model_dump(include=set(ConsentOut.model_fields)), revoked_at=item.consent_revoked_at
        )
        return cls(
            reference=item.id,
            possible=legal_moves(item.stage, side),
            consent=consent,
            fields=opened.fields,
            group=opened.group,
            again_of=None if side == "bank" else item.again_of,  # it may be another bank's
            **{name: getattr(item, name) for name in cls.model_fields if name not in made},
        )


class ComparedOut(BaseModel):
    """One bank's newest offer with what it costs; `dscr` is the proposal's cover by year under this loan."""

    referral: str
    bank: str
    bank_name: str
    stage: str
    live: bool
    offer: Offer
    instalment: Money
    interest: Money
    total_paid: Money
    missing: Money
    dscr: list[Decimal | None]
    lowest_dscr: Decimal | None

    @classmethod
    def of(cls, line: Compared) -> ComparedOut:
        item = line.referral
        own = {"referral": item.id, "bank": item.bank, "bank_name": item.bank_name, "stage": item.stage}
        return cls(**own, **{name: getattr(line, name) for name in cls.model_fields if name not in own})


class InstalmentOut(BaseModel):
    number: int
    on: date
    principal: Decimal
    interest: Decimal
    due: Decimal
    balance: Decimal

    @classmethod
    def of(cls, row: Instalment) -> InstalmentOut:
        return cls(**row._asdict(), due=row.due)


class LoanOut(BaseModel):
    """A loan with its repayment schedule, as if all were paid out on the first day."""

    reference: str
    version: int
    proposal: str
    referral: str
    organisation: str
    organisation_name: str
    bank: str
    bank_name: str
    amount: Money
    rate: Decimal
    term_months: int
    fee: Money
    agreed_on: date
    tripartite: bool
    disbursements: list[Disbursement]
    disbursed: Money
    confirmed: Money
    stage: str
    settled_on: date | None
    early_default_on: date | None
    restructurings: list[Restructuring]
    schedule: list[InstalmentOut]

    @classmethod
    def of(cls, item: Loan) -> LoanOut:
        made = {"reference", "disbursed", "confirmed", "schedule", "stage"}
        return cls(
            reference=item.id,
            disbursed=item.disbursed(),
            confirmed=item.confirmed(),
            stage=item.standing(),
            schedule=[InstalmentOut.of(row) for row in item.repayment()],
            **{name: getattr(item, name) for name in cls.model_fields if name not in made},
        )
