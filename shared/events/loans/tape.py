"""Events of a bank's repayment tape."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict

from shared.events.base import Event
from shared.money import Money


class _TapeFact(Event):
    tape_id: str
    bank_id: str
    bank_name: str
    as_of: date
    sha256: str
    notify: list[str] = []


class TapeFigure(BaseModel):
    """A tape's sums in one currency; shares at risk are decimal fractions of the outstanding principal."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    currency: str
    loans: int
    outstanding: Money
    par0: str | None
    par30: str | None
    par60: str | None
    par90: str | None
    par30_or_restructured: str | None
    written_off: Money


class TapeChecked(_TapeFact):
    """A bank's repayment tape was read and checked; nothing of it counts yet. Entity tape:<TAP-…>."""

    TYPE = "loans.tape.checked"
    AUDIENCE = "record"
    lines: int
    wrong: int
    different: int
    missing: int


class TapeApplied(_TapeFact):
    """A repayment tape counts; `sha256` is the hash of the file, `supersedes` the tape of that month it corrects."""

    TYPE = "loans.tape.applied"
    lines: int
    missing: int
    supersedes: str | None
    changed_loans: int
    figures: list[TapeFigure]


class TapeSuperseded(_TapeFact):
    """A correction of the same month counts instead; this tape stays as it was recorded."""

    TYPE = "loans.tape.superseded"
    AUDIENCE = "record"
    superseded_by: str


class TapeDiscarded(_TapeFact):
    """A checked tape was dropped before it counted."""

    TYPE = "loans.tape.discarded"
    AUDIENCE = "record"
