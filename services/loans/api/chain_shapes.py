"""What the JSON API of value chains takes and gives; what a side is not told is empty."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.loans.api.shapes import Given
from services.loans.domain.chain_terms import ChainTerms
from services.loans.domain.delivery import Delivery, Transfer
from services.loans.domain.delivery_rows import MOST, Row
from services.loans.domain.tripartite import Ending, Signature
from services.loans.handlers.chain_view import TRADE, Opened
from services.loans.handlers.deliveries import Report
from services.loans.handlers.tripartite import Due, Wanted
from shared.events.fields import Line, Prose
from shared.money import Amount, Money


class GoodIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: Line
    name: Line
    unit: Line
    quantity: Amount
    price_rule: Literal["fixed", "minimum", "market"]
    price: Amount = Decimal(0)
    by: date


class WantedIn(Given):
    """The terms; `figure` is per cent of each payment, or a sum of each delivery."""

    season_from: date
    season_to: date
    goods: Annotated[list[GoodIn], Field(min_length=1, max_length=20)]
    kind: Literal["share", "fixed"]
    figure: Amount
    ahead_days: int = 31
    referrals: Annotated[list[Line], Field(min_length=1, max_length=6)]
    notice_days: int = 30
    objection_days: int = 5
    conditions: Prose = ""

    def wanted(self) -> Wanted:
        goods = [good.model_dump() for good in self.goods]
        return Wanted(**self.model_dump(exclude={"goods", "version", "buyer", "why"}), goods=goods)


class Draft(WantedIn):
    buyer: Line


class Revise(WantedIn):
    why: Prose = ""


class Propose(Given):
    """The supplier's consent to the words of that version."""

    text_version: Line
    language: Line = "en"


class Sign(Given):
    sha256: Line


class Because(Given):
    why: Prose


class ReportIn(BaseModel):
    """Deliveries with their payments; with `dry_run` nothing counts. `result` is what a dry run gave."""

    model_config = ConfigDict(extra="forbid")

    rows: Annotated[list[dict[str, Line]], Field(min_length=1, max_length=MOST)]
    dry_run: bool = False
    result: Line | None = None


class TransferIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    deliveries: Annotated[list[Line], Field(min_length=1, max_length=200)]
    on: date
    payment: Line


class ReceiptIn(Given):
    on: date


class DueOut(BaseModel):
    """What may be kept back for one loan today: what is due by its schedule less what is paid or kept back."""

    referral: str
    loan: str | None
    on_tape: Decimal
    after_tape: Decimal
    deducted: Decimal
    due: Decimal


class BesideOut(BaseModel):
    as_of: date
    on_tape: Decimal
    received: Decimal
    not_on_tape: Decimal
    not_deducted: Decimal


class BooksOut(BaseModel):
    """Deductions that reached the bank beside its tapes; `after` reached it after the last tape."""

    referral: str
    loan: str
    lines: list[BesideOut]
    after: Decimal


class DeliveryOut(BaseModel):
    """A delivery: value - deduction = net. What says something of the trade is empty for a bank after the end."""

    delivery: str
    number: str
    good: str | None
    unit: str | None
    quantity: Decimal | None
    price: Decimal | None
    currency: str
    value: Decimal | None
    by_rule: Decimal | None
    deduction: Decimal
    net: Decimal | None
    delivered_on: date
    paid_on: date
    objection_until: date
    stage: str
    dispute: str | None
    transfer: str | None
    received_on: date | None

    @classmethod
    def of(cls, row: Any, *, trade: bool) -> DeliveryOut:
        names = set(cls.model_fields) - {"delivery"}
        shown = {name: None if name in TRADE and not trade else getattr(row, name) for name in names}
        return cls(delivery=row.id, **shown)


class TransferOut(BaseModel):
    reference: str
    version: int
    stage: str
    amount: Decimal
    on: date
    received_on: date | None
    payment: str
    why: str

    @classmethod
    def of(cls, row: Any) -> TransferOut:
        same = {name: getattr(row, name) for name in cls.model_fields if name != "reference"}
        return cls(reference=row.id, **same)

    @classmethod
    def made(cls, item: Transfer) -> TransferOut:
        same = {name: getattr(item, name) for name in cls.model_fields if name not in {"reference", "amount"}}
        return cls(reference=item.id, amount=item.amount.amount, **same)


class TripartiteOut(BaseModel):
    """An agreement as one side may see it: `dues` and `books` are empty for the lead firm, `due` is for all."""

    reference: str
    version: int
    programme: str
    supplier: str
    supplier_name: str
    buyer: str
    buyer_name: str
    bank: str
    bank_name: str
    side: str
    stage: str
    possible: list[str]
    number: int
    sha256: str
    terms: ChainTerms
    signatures: list[Signature]
    missing: list[str]
    in_force_on: date | None
    ending: Ending | None
    behind: list[str]
    due: Money
    dues: list[DueOut]
    books: list[BooksOut]
    delivered: dict[str, Decimal]
    deliveries: list[DeliveryOut]
    next: str | None
    transfers: list[TransferOut]

    @classmethod
    def of(cls, opened: Opened) -> TripartiteOut:
        item = opened.item
        names = ("programme", "version", "buyer", "buyer_name", "bank", "bank_name", "stage", "number", "sha256")
        more = ("terms", "signatures", "in_force_on", "ending", "behind")
        return cls(
            reference=item.id,
            supplier=item.organisation,
            supplier_name=item.organisation_name,
            **{name: getattr(item, name) for name in (*names, *more)},
            missing=item.missing(),
            **{name: getattr(opened, name) for name in ("side", "possible", "due", "delivered")},
            dues=[_due(due) for due in opened.dues],
            books=[_books(entry) for entry in opened.books],
            deliveries=[DeliveryOut.of(row, trade=opened.trade) for row in opened.page.items],
            next=opened.page.next,
            transfers=[TransferOut.of(row) for row in opened.transfers],
        )


def _due(due: Due) -> DueOut:
    kept = due.kept
    sums = {"on_tape": kept.on_tape, "after_tape": kept.after_tape, "deducted": kept.in_all}
    return DueOut(referral=due.referral, loan=due.loan, due=due.room, **sums)


def _books(entry: Any) -> BooksOut:
    lines = [BesideOut(**{name: getattr(line, name) for name in BesideOut.model_fields}) for line in entry.lines]
    return BooksOut(referral=entry.referral, loan=entry.loan, lines=lines, after=entry.after)


class TripartiteLine(BaseModel):
    reference: str
    stage: str
    organisation_name: str
    buyer_name: str
    bank_name: str
    season_to: date
    updated_at: datetime


class TripartiteList(BaseModel):
    items: list[TripartiteLine]
    next: str | None


class RowOut(BaseModel):
    """One line of a report: new with what it keeps back, known already, or wrong."""

    line: int
    number: str
    known: bool
    problems: list[dict[str, str]]
    value: Money | None
    by_rule: Money | None
    deduction: Money | None
    net: Money | None

    @classmethod
    def of(cls, row: Row) -> RowOut:
        found = row.split
        sums = ("value", "by_rule", "deduction", "net")
        return cls(
            line=row.line,
            number=row.number,
            known=bool(row.known),
            problems=[{"field": item.field, "rule": item.rule} for item in row.problems],
            **{name: getattr(found, name) if found else None for name in sums},
        )


class ReportOut(BaseModel):
    lines: list[RowOut]
    new: int
    known: int
    wrong: int
    result: str
    dry_run: bool

    @classmethod
    def of(cls, report: Report, *, dry_run: bool) -> ReportOut:
        lines = [RowOut.of(row) for row in report.rows]
        sums = {"new": len(report.new), "known": report.known, "wrong": report.wrong}
        return cls(lines=lines, result=report.result, dry_run=dry_run, **sums)


class DeliveryState(BaseModel):
    """A delivery after an act; who serves which loan is not told."""

    delivery: str
    stage: str
    deduction: Money

    @classmethod
    def of(cls, item: Delivery) -> DeliveryState:
        return cls(delivery=item.id, stage=item.stage, deduction=item.deduction)
