"""A loan: an accepted offer, what the bank has paid out of it, and what the MSME has confirmed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from services.loans.domain.schedule import Instalment, Terms, schedule
from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.events import loans as events
from shared.money import Money, decimals_of, total


class Disbursement(Part):
    """One payment: reported by the bank, confirmed by the MSME."""

    number: int
    amount: Money
    on: date
    reported_at: datetime
    reported_by: str
    confirmed_at: datetime | None = None
    confirmed_by: str | None = None


class Loan(Entity):
    """What is owed to whom on which terms; never more is paid out than was agreed."""

    KIND: ClassVar[str] = "loan"

    proposal: str
    referral: str
    programme: str
    organisation: str
    organisation_name: str
    bank: str
    bank_name: str
    amount: Money
    rate: Decimal
    term_months: int
    fee: Money
    agreed_on: date
    disbursements: list[Disbursement] = []

    def case(self) -> str:
        return self.proposal

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {
            "applicant": [f"org:{self.organisation}"],
            "partner": [f"org:{self.bank}"],
            "officer": ["role:officer"],
        }

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this loan says."""
        names = ("organisation_name", "bank_name")
        return {name: getattr(self, name) for name in names} | {
            "loan_id": self.id,
            "proposal_id": self.proposal,
            "referral_id": self.referral,
            "organisation_id": self.organisation,
            "bank_id": self.bank,
            "notify": list(notify),
        }

    def disbursed(self) -> Money:
        """Return what the bank says it has paid."""
        return total((item.amount for item in self.disbursements), self.amount.currency)

    def confirmed(self) -> Money:
        """Return what both sides say was paid."""
        return total((item.amount for item in self.disbursements if item.confirmed_at), self.amount.currency)

    def repayment(self) -> list[Instalment]:
        """Return the schedule from the first payment on, or from the agreement while nothing is paid out."""
        start = min((item.on for item in self.disbursements), default=self.agreed_on)
        terms = Terms(
            principal=self.amount.amount,
            annual_rate=self.rate,
            periods=self.term_months,
            start=start,
            cent=Decimal(1).scaleb(-decimals_of(self.amount.currency)),
        )
        return schedule(terms)

    def agree(self) -> None:
        """Record that the accepted offer is now this loan."""
        terms = {"amount": self.amount, "rate": str(self.rate), "term_months": self.term_months}
        self.record(events.LoanAgreed(**self.facts("applicant", "partner", "officer"), **terms))

    def report(self, amount: Money, on: date, now: datetime, by: str, today: date) -> Disbursement:
        """Record a payment by the bank; together they never exceed the agreed amount."""
        paid = self.disbursed()
        left = self.amount - paid
        if on > today or on < self.agreed_on:
            raise InvalidError({"on": Rule("must be between %(first)s and %(last)s", first=self.agreed_on, last=today)})
        if amount.amount <= 0:
            raise InvalidError({"amount": "must be above zero"})
        if amount > left:
            raise ConflictError(
                "%(amount)s can't be disbursed: %(agreed)s agreed - %(paid)s disbursed = %(left)s left",
                amount=amount,
                agreed=self.amount,
                paid=paid,
                left=left,
            )
        item = Disbursement(number=len(self.disbursements) + 1, amount=amount, on=on, reported_at=now, reported_by=by)
        self.disbursements = [*self.disbursements, item]
        facts = {"number": item.number, "amount": amount, "on": on, "agreed": self.amount}
        notify = self.facts("applicant", "officer")
        self.record(events.DisbursementReported(**notify, **facts, disbursed=self.disbursed()))
        return item

    def confirm(self, number: int, now: datetime, by: str) -> None:
        """Record that the MSME has the payment."""
        item = next((item for item in self.disbursements if item.number == number), None)
        if item is None:
            raise NotFoundError("There is no such disbursement")
        if item.confirmed_at is not None:
            raise ConflictError("This disbursement has been confirmed already")
        done = item.model_copy(update={"confirmed_at": now, "confirmed_by": by})
        self.disbursements = [done if item.number == number else item for item in self.disbursements]
        facts = {"number": number, "amount": item.amount, "confirmed": self.confirmed(), "agreed": self.amount}
        self.record(events.DisbursementConfirmed(**self.facts("partner", "officer"), **facts))
