"""Use cases of a loan: the bank reports what it paid, the MSME confirms it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from services.loans import storage
from services.loans.domain.arrears import Arrears, Share, shared_out
from services.loans.domain.loan import Loan, Restructuring
from services.loans.domain.tape_rows import SETTLED
from services.loans.handlers import access, fees, tripartite
from shared.database import UnitOfWork
from shared.web.identity import Identity


def report(uow: UnitOfWork, who: Identity, reference: str, amount: Decimal, on: date) -> Loan:
    """Record a payment; the referral moves to partly or wholly disbursed in the same transaction."""
    access.scoped(uow, who, "loan", reference, "loans.loan.disburse")
    loan = storage.loans(uow).get(reference)
    tripartite.must_be_in_force(uow, loan)
    loan.report(access.money("amount", amount, loan.amount.currency), on, uow.now(), who.name, access.today(uow))
    referral = storage.referrals(uow).get(loan.referral)
    referral.disbursed(loan.id, loan.disbursed(), whole=loan.disbursed() == loan.amount)
    return loan


@dataclass(frozen=True)
class NewTerms:
    """What a bank and its borrower agreed anew; the rate as a percentage, the sums as of that day."""

    on: date
    principal: Decimal
    interest_paid: Decimal
    rate_percent: Decimal
    term_months: int

    @classmethod
    def of(cls, given: Any) -> NewTerms:
        """Return the terms that a form or a request body holds."""
        return cls(**{item.name: getattr(given, item.name) for item in fields(cls)})


def restructure(uow: UnitOfWork, who: Identity, reference: str, terms: NewTerms, *, version: int | None = None) -> Loan:
    """Record new terms for what is owed."""
    loan = access.loan(uow, who, reference, "loans.loan.restructure", version=version)
    currency = loan.amount.currency
    new = Restructuring(
        on=terms.on,
        principal=access.money("principal", terms.principal, currency),
        interest_paid=access.money("interest_paid", terms.interest_paid, currency),
        rate=terms.rate_percent / 100,
        term_months=terms.term_months,
        reported_at=uow.now(),
        reported_by=who.name,
    )
    loan.restructure(new, access.today(uow))
    return loan


def confirm(uow: UnitOfWork, who: Identity, reference: str, number: int) -> Loan:
    """Record that the MSME has a payment."""
    loan = access.loan(uow, who, reference, "loans.loan.confirm")
    loan.confirm(number, uow.now(), who.name)
    fees.accrue(uow, loan, number)
    return loan


@dataclass(frozen=True)
class Standing:
    """A loan as its firm and its bank see it: the schedule with what was paid, and every tape that counts."""

    loan: Loan
    day: date
    shares: list[Share]
    late: Arrears
    last: Any  # the newest line about it, or None
    history: list[Any]

    @property
    def next_due(self) -> Share | None:
        """Return the first instalment that is not wholly paid."""
        return next((item for item in self.shares if item.left > 0), None)


def stands(uow: UnitOfWork, loan: Loan) -> Standing:
    """Return how a loan stands today, by its own schedule and by what the last tape says was paid."""
    history, day = storage.last_of(uow.connection, loan.id), access.today(uow)
    last = history[0] if history else None
    rows, before = loan.followed()
    paid = last.principal_paid + last.interest_paid if last else Decimal(0)
    finance, _ = access.rules(uow, loan.programme)
    settled = loan.standing() in SETTLED
    timetable = loan.timetable()
    late = Arrears(0, Decimal(0), None) if settled else timetable.arrears(paid, day, finance.monitoring.tolerance)
    return Standing(loan, day, shared_out(rows, max(paid - before, Decimal(0))), late, last, history)
