"""What the JSON API takes and gives about repayment tapes and how loans stand."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.loans.api.shapes import Given
from services.loans.domain.tape import Counts, Figure, Tape
from services.loans.domain.tape_rows import COLUMNS
from services.loans.handlers.loans import Standing
from services.loans.handlers.tape_reading import MOST
from shared.events.fields import Line

Cell = Annotated[str, StringConstraints(max_length=200)] | int | bool | None


class TapeRow(BaseModel):
    """One loan; the sums are those paid since the loan began, as text or whole numbers."""

    model_config = ConfigDict(extra="forbid")

    loan: Line
    as_of: date | None = None
    currency: Cell = None
    principal_paid: Cell
    interest_paid: Cell
    fees_paid: Cell = None
    outstanding: Cell
    days_past_due: Cell = None
    restructured: Cell = None
    written_off: Cell = None
    paid_on: Cell = None

    def cells(self) -> dict[str, str]:
        """Return what is said as text, under the columns of a file."""
        return {name: _text(getattr(self, name)) for name in COLUMNS}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value).strip()


class SendTape(BaseModel):
    """A tape by JSON. With `dry_run` every line's result comes back and nothing is kept."""

    model_config = ConfigDict(extra="forbid")

    as_of: date
    programme: Line = ""
    rows: Annotated[list[TapeRow], Field(min_length=1, max_length=MOST)]
    dry_run: bool = False


class ApplyTape(Given):
    """`without_missing`: the loans that the tape leaves out are carried on as last known."""

    without_missing: bool = False


class FindingOut(BaseModel):
    field: str
    rule: str

    @classmethod
    def of(cls, item: dict[str, Any]) -> FindingOut:
        return cls(field=item["field"], rule=item["message"] % item["params"] if item["params"] else item["message"])


class LineOut(BaseModel):
    """A line: what the bank says, how the loan stands by its own schedule, what is wrong and what differs."""

    line: int
    loan: str
    carried: bool
    result: str  # wrong, different or right
    principal_paid: Decimal | None
    interest_paid: Decimal | None
    fees_paid: Decimal | None
    said_outstanding: Decimal | None
    said_days: int | None
    paid_on: date | None
    outstanding: Decimal | None
    days: int | None
    owed: Decimal | None
    stage: str | None
    restructured: bool | None
    problems: list[FindingOut]
    differences: list[FindingOut]

    @classmethod
    def of(cls, row: Any) -> LineOut:
        found = row.findings or {}
        made = {"result", "problems", "differences"}
        return cls(
            result="wrong" if row.wrong else "different" if row.differs else "right",
            problems=[FindingOut.of(item) for item in found.get("problems", [])],
            differences=[FindingOut.of(item) for item in found.get("differences", [])],
            **{name: getattr(row, name) for name in cls.model_fields if name not in made},
        )


class LineList(BaseModel):
    items: list[LineOut]
    next: str | None


class TapeOut(BaseModel):
    """A tape: what its check found, whether it counts, and its sums. `unchanged`: the same file was there already."""

    reference: str
    version: int
    programme: str
    bank: str
    bank_name: str
    as_of: date
    name: str
    sha256: str
    stage: str
    counts: Counts | None
    figures: list[Figure]
    checked_at: datetime
    applied_at: datetime | None
    applied_by: str | None
    superseded_at: datetime | None
    supersedes: str | None
    superseded_by: str | None
    changed_loans: int
    unchanged: bool = False
    dry_run: bool = False
    lines: list[LineOut] | None = None

    @classmethod
    def of(cls, item: Tape, **more: Any) -> TapeOut:
        made = {"reference", "unchanged", "dry_run", "lines"}
        same = {name: getattr(item, name) for name in cls.model_fields if name not in made}
        return cls(reference=item.id, **same, **more)


class TapeLine(BaseModel):
    reference: str
    programme: str
    bank: str
    as_of: date
    stage: str
    applied_at: datetime | None
    superseded_at: datetime | None


class TapeList(BaseModel):
    items: list[TapeLine]
    next: str | None


class ShareOut(BaseModel):
    number: int
    on: date
    principal: Decimal
    interest: Decimal
    principal_paid: Decimal
    interest_paid: Decimal
    left: Decimal


class StandingOut(BaseModel):
    """How a loan stands today: days past due by its own schedule, interest paid before principal, oldest first."""

    reference: str
    day: date
    stage: str
    as_of: date | None  # of the last tape
    principal_paid: Decimal
    interest_paid: Decimal
    fees_paid: Decimal
    outstanding: Decimal
    days: int
    owed: Decimal
    next_due: ShareOut | None
    schedule: list[ShareOut]
    said: LineOut | None

    @classmethod
    def of(cls, item: Standing) -> StandingOut:
        last, zero = item.last, Decimal(0)
        shares = [
            ShareOut(
                number=share.row.number,
                on=share.row.on,
                principal=share.row.principal,
                interest=share.row.interest,
                principal_paid=share.principal,
                interest_paid=share.interest,
                left=share.left,
            )
            for share in item.shares
        ]
        due = item.next_due
        return cls(
            reference=item.loan.id,
            day=item.day,
            stage=item.loan.standing(),
            as_of=last.as_of if last else None,
            principal_paid=last.principal_paid if last else zero,
            interest_paid=last.interest_paid if last else zero,
            fees_paid=last.fees_paid if last else zero,
            outstanding=last.outstanding if last else item.loan.disbursed().amount,
            days=item.late.days,
            owed=item.late.owed,
            next_due=next((share for share in shares if due is not None and share.number == due.row.number), None),
            schedule=shares,
            said=LineOut.of(last) if last else None,
        )
