"""An adviser's success fee on a proposal: earned by what both sides confirmed, approved by one, paid by another."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from services.loans.domain.fee_rules import HUNDRED, SuccessFee
from services.loans.domain.loan import Loan
from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.events.loans import fee as events
from shared.money import Money, total

MAX_REFERENCE = 80


class Accrual(Part):
    """What one confirmed disbursement earned."""

    loan: str
    disbursement: int
    amount: Money
    confirmed: Money  # of the loan, in all until then
    at: datetime


class Payout(Part):
    """A sum approved for payment, and how it was paid; cancelled when an early default came first."""

    number: int
    amount: Money
    approved_at: datetime
    approved_by: str
    approver: str
    on: date | None = None
    payment: str = ""
    paid_by: str = ""
    cancelled: bool = False


class ClawBack(Part):
    """What an early default takes back: a percentage of all that was earned."""

    as_of: date
    percent: Decimal
    amount: Money
    at: datetime


class Return(Part):
    """A sum that the adviser gave back."""

    amount: Money
    on: date
    payment: str
    by: str


class Fee(Entity):
    """What is owed to one adviser for one proposal; the rule is the programme's as it was at the assignment."""

    KIND: ClassVar[str] = "fee"

    proposal: str
    programme: str
    organisation: str  # the adviser's
    organisation_name: str
    firm_name: str
    rule: SuccessFee
    assigned_at: datetime
    assigned_by: str
    assigner: str
    accruals: list[Accrual] = []
    payouts: list[Payout] = []
    claw_back: ClawBack | None = None
    returns: list[Return] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {
            "partner": [f"org:{self.organisation}"],
            "manager": ["role:programme_manager"],
            "finance": ["role:finance_officer"],
        }

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this fee says."""
        return {
            "fee_id": self.id,
            "proposal_id": self.proposal,
            "adviser_id": self.organisation,
            "adviser_name": self.organisation_name,
            "notify": list(notify),
        }

    def _sum(self, amounts: Any) -> Money:
        return total(amounts, self.rule.currency)

    def earned(self) -> Money:
        """Return what accrued in all, before anything was taken back."""
        return self._sum(item.amount for item in self.accruals)

    def lost(self) -> Money:
        return self.claw_back.amount if self.claw_back else Money.of(0, self.rule.currency)

    def approved(self) -> Money:
        """Return what is approved and not paid."""
        return self._sum(item.amount for item in self.payouts if not item.on and not item.cancelled)

    def paid(self) -> Money:
        return self._sum(item.amount for item in self.payouts if item.on)

    def returned(self) -> Money:
        return self._sum(item.amount for item in self.returns)

    def _rest(self) -> Money:
        return self.earned() - self.lost() - self.approved() - self.paid() + self.returned()

    def to_approve(self) -> Money:
        """Return what is earned and neither approved nor paid."""
        return max(self._rest(), Money.of(0, self.rule.currency))

    def due_back(self) -> Money:
        """Return what the adviser still has to give back."""
        nothing = Money.of(0, self.rule.currency)
        return max(nothing - self._rest(), nothing)

    def stage(self) -> str:
        """Return what waits to be done."""
        if self.due_back().amount:
            return "due_back"
        if self.approved().amount:
            return "approved"
        if self.to_approve().amount:
            return "accrued"
        if self.claw_back:
            return "clawed_back"
        return "paid" if self.paid().amount else "assigned"

    def assign(self) -> None:
        self.record(events.FeeAssigned(**self.facts("partner")))

    def accrue(self, loan: Loan, number: int, now: datetime) -> Money:
        """Take in a disbursement that both sides confirmed; what accrued is what is earned in all less the former."""
        nothing = Money.of(0, self.rule.currency)
        if self.claw_back or loan.amount.currency != self.rule.currency:
            return nothing
        if any((item.loan, item.disbursement) == (loan.id, number) for item in self.accruals):
            return nothing
        confirmed = loan.confirmed()
        amount = self.rule.earned(loan.amount, confirmed) - self.earned()
        if amount <= nothing:
            return nothing
        made = Accrual(loan=loan.id, disbursement=number, amount=amount, confirmed=confirmed, at=now)
        self.accruals = [*self.accruals, made]
        said = {"loan_id": loan.id, "disbursement": number, "amount": amount, "earned": self.earned()}
        facts = self.facts("manager", "partner")
        self.record(events.FeeAccrued(**facts, **said, confirmed=confirmed, agreed=loan.amount))
        return amount

    def approve(self, now: datetime, who: str, name: str) -> Payout:
        """Approve what is earned and not yet approved; who assigned the adviser does not."""
        if who == self.assigner:
            raise ForbiddenError("You assigned the adviser: another person approves the fee")
        amount = self.to_approve()
        if not amount.amount:
            raise ConflictError(
                "Nothing is left to approve: %(earned)s earned - %(lost)s clawed back - %(approved)s approved - "
                "%(paid)s paid + %(returned)s returned",
                earned=self.earned(),
                lost=self.lost(),
                approved=self.approved(),
                paid=self.paid(),
                returned=self.returned(),
            )
        number = len(self.payouts) + 1
        made = Payout(number=number, amount=amount, approved_at=now, approved_by=name, approver=who)
        self.payouts = [*self.payouts, made]
        self.record(events.FeeApproved(**self.facts("finance"), number=number, amount=amount))
        return made

    def pay(self, number: int, on: date, payment: str, today: date, *, who: str, name: str) -> None:
        """Record that an approved sum was paid; who approved it does not."""
        item = next((item for item in self.payouts if item.number == number), None)
        if item is None:
            raise NotFoundError("There is no such payment of this fee")
        if item.on or item.cancelled:
            raise ConflictError("This payment of %(amount)s is paid or cancelled already", amount=item.amount)
        if who == item.approver:
            raise ForbiddenError("You approved this payment: another person pays it")
        self._must_be_said(on, payment, today, item.approved_at.date())
        done = item.model_copy(update={"on": on, "payment": payment, "paid_by": name})
        self.payouts = [done if item.number == number else item for item in self.payouts]
        facts = {"number": number, "amount": item.amount, "on": on, "payment": payment}
        self.record(events.FeePaid(**self.facts("partner"), **facts))

    def _must_be_said(self, on: date, payment: str, today: date, first: date) -> None:
        wrong: dict[str, str] = {}
        if not first <= on <= today:
            wrong["on"] = Rule("must be between %(first)s and %(last)s", first=first, last=today)
        if not payment:
            wrong["payment"] = "is required"
        if len(payment) > MAX_REFERENCE:
            wrong["payment"] = Rule("has more than %(most)s characters", most=MAX_REFERENCE)
        if payment in {*(item.payment for item in self.payouts), *(item.payment for item in self.returns)} - {""}:
            wrong["payment"] = "stands on another payment of this fee already"
        if wrong:
            raise InvalidError(wrong)

    def default(self, loan: Loan, now: datetime) -> None:
        """Take back what an early default of the loan takes: once, unpaid approvals first."""
        day = loan.early_default_on
        if day is None or self.claw_back or not self.earned().amount:
            return
        percent = self.rule.lost(min(item.on for item in loan.disbursements), day)
        if not percent:
            return
        amount = Money.of(self.earned().amount * percent / HUNDRED, self.rule.currency)
        self.claw_back = ClawBack(as_of=day, percent=percent, amount=amount, at=now)
        self.payouts = [item if item.on else item.model_copy(update={"cancelled": True}) for item in self.payouts]
        said = {"loan_id": loan.id, "as_of": day, "percent": str(percent), "amount": amount}
        facts = self.facts("partner", "manager")
        self.record(events.FeeClawedBack(**facts, **said, due_back=self.due_back()))

    def restore(self, loan: Loan, now: datetime) -> None:
        """Undo what a default took that a corrected tape does not know of; what was not paid is approved anew."""
        taken = self.claw_back
        if taken is None or loan.early_default_on is not None:
            return
        self.claw_back = None
        said = {"loan_id": loan.id, "as_of": taken.as_of, "amount": taken.amount}
        self.record(events.FeeRestored(**self.facts("partner", "manager"), **said, to_approve=self.to_approve()))
        for item in loan.disbursements:
            if item.confirmed_at is not None:  # it may have been confirmed while nothing could accrue
                self.accrue(loan, item.number, now)

    def give_back(self, amount: Money, on: date, payment: str, today: date, by: str) -> None:
        """Record what the adviser returned; never more than is due back."""
        due = self.due_back()
        if amount.amount <= 0:
            raise InvalidError({"amount": "must be above zero"})
        if amount > due:
            raise ConflictError("%(amount)s can't be returned: %(due)s is due back", amount=amount, due=due)
        self._must_be_said(on, payment, today, self.claw_back.at.date() if self.claw_back else today)
        self.returns = [*self.returns, Return(amount=amount, on=on, payment=payment, by=by)]
        facts = {"amount": amount, "on": on, "payment": payment, "due_back": self.due_back()}
        self.record(events.FeeReturned(**self.facts("partner"), **facts))
