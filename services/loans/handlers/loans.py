"""Use cases of a loan: the bank reports what it paid, the MSME confirms it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from services.loans import storage
from services.loans.domain.loan import Loan
from services.loans.handlers import access
from shared.database import UnitOfWork
from shared.web.identity import Identity


def report(uow: UnitOfWork, who: Identity, reference: str, amount: Decimal, on: date) -> Loan:
    """Record a payment; the referral moves to partly or wholly disbursed in the same transaction."""
    access.scoped(uow, who, "loan", reference, "loans.loan.disburse")
    loan = storage.loans(uow).get(reference)
    loan.report(access.money("amount", amount, loan.amount.currency), on, uow.now(), who.name, access.today(uow))
    referral = storage.referrals(uow).get(loan.referral)
    referral.disbursed(loan.id, loan.disbursed(), whole=loan.disbursed() == loan.amount)
    return loan


def confirm(uow: UnitOfWork, who: Identity, reference: str, number: int) -> Loan:
    """Record that the MSME has a payment."""
    loan = access.loan(uow, who, reference, "loans.loan.confirm")
    loan.confirm(number, uow.now(), who.name)
    return loan
