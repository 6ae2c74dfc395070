"""Events of an adviser's success fee: who earns it, what accrued, was approved, paid, clawed back and returned."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class _FeeFact(Event):
    fee_id: str
    proposal_id: str
    adviser_id: str
    adviser_name: str
    notify: list[str] = []


class FeeAssigned(_FeeFact):
    """An adviser was assigned to a proposal and earns the programme's fee on its loan. Entity fee:<FEE-…>."""

    TYPE = "loans.fee.assigned"
    AUDIENCE = "record"


class FeeAccrued(_FeeFact):
    """Bank and firm say the same of a disbursement, so a part of the fee is earned."""

    TYPE = "loans.fee.accrued"
    loan_id: str
    disbursement: int
    amount: Money
    earned: Money
    confirmed: Money
    agreed: Money


class FeeApproved(_FeeFact):
    """What is earned and not paid was approved for payment by another person than assigned the adviser."""

    TYPE = "loans.fee.approved"
    number: int
    amount: Money


class FeePaid(_FeeFact):
    """An approved sum was paid to the adviser; `payment` is its reference in the books."""

    TYPE = "loans.fee.paid"
    number: int
    amount: Money
    on: date
    payment: str


class FeeClawedBack(_FeeFact):
    """The loan defaulted early: a share of the fee is not earned after all, and `due_back` of it was paid already."""

    TYPE = "loans.fee.clawed_back"
    loan_id: str
    as_of: date
    percent: str
    amount: Money
    due_back: Money


class FeeRestored(_FeeFact):
    """The tape that said the default was corrected: `amount` is earned after all, `to_approve` waits for approval."""

    TYPE = "loans.fee.restored"
    loan_id: str
    as_of: date
    amount: Money
    to_approve: Money


class FeeReturned(_FeeFact):
    """The adviser gave back what was clawed back, or a part of it."""

    TYPE = "loans.fee.returned"
    AUDIENCE = "record"
    amount: Money
    on: date
    payment: str
    due_back: Money
