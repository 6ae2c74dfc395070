"""Events of a loan: what was agreed, paid out, and how it is repaid."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class _LoanFact(Event):
    loan_id: str
    proposal_id: str
    referral_id: str
    organisation_id: str
    organisation_name: str
    bank_id: str
    bank_name: str
    notify: list[str] = []


class LoanAgreed(_LoanFact):
    """An accepted offer became a loan agreement. Entity loan:<LN-…>."""

    TYPE = "loans.loan.agreed"
    AUDIENCE = "record"
    amount: Money
    rate: str
    term_months: int


class DisbursementReported(_LoanFact):
    """The bank says that it has paid; the MSME has not confirmed it yet."""

    TYPE = "loans.loan.disbursement_reported"
    number: int
    amount: Money
    on: date
    disbursed: Money
    agreed: Money


class DisbursementConfirmed(_LoanFact):
    """The MSME confirms what the bank reported: two parties say the same."""

    TYPE = "loans.loan.disbursement_confirmed"
    number: int
    amount: Money
    confirmed: Money
    agreed: Money


class _FollowedFact(_LoanFact):
    as_of: date
    tape_id: str | None
    outstanding: Money


class LoanOverdue(_FollowedFact):
    """By its own schedule and what was paid, a loan is late, or later by a class: over 0, 30, 60, 90 days."""

    TYPE = "loans.loan.overdue"
    days: int
    owed: Money
    early: bool


class LoanLessOverdue(_FollowedFact):
    """A late loan is late by fewer days than before, in a lower class."""

    TYPE = "loans.loan.less_overdue"
    AUDIENCE = "record"
    days: int
    owed: Money
    early: bool


class LoanCaughtUp(_FollowedFact):
    """A loan is no longer what it `was`: late, or by a correction repaid or written off."""

    TYPE = "loans.loan.caught_up"
    was: str


class LoanRestructured(_FollowedFact):
    """What is owed has new terms; without `rate` and `term_months` only the bank's tape says so."""

    TYPE = "loans.loan.restructured"
    rate: str | None = None
    term_months: int | None = None


class LoanRepaid(_FollowedFact):
    """All of a loan is paid back."""

    TYPE = "loans.loan.repaid"


class LoanWrittenOff(_FollowedFact):
    """The bank has written off what is outstanding; it is counted apart from then on."""

    TYPE = "loans.loan.written_off"
    early: bool
