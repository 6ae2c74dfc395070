"""How a recipient stands with the programme: what was paid, what costs were accepted, what has to come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from services.grants.domain.application import Person
from services.grants.domain.award.agreement import Agreement
from services.grants.domain.award.parts import Tranche, numbered
from services.grants.domain.ledger import Kind
from shared.entity import Part
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.events.grants.award import CostsAccepted, CostsDisallowed, RefundDemanded, RefundDropped, RefundReceived
from shared.money import Money, total


class Receipt(Part):
    """A part of a refund that has come in."""

    amount: Money
    reference: str
    received_on: date
    by: str
    by_name: str


class Refund(Part):
    """What the recipient has to pay back, why, until when, and what of it has come."""

    number: int
    amount: Money
    why: str
    due: date | None = None
    demanded_by: str
    demanded_by_name: str
    demanded_at: datetime
    dropped: bool = False
    receipts: tuple[Receipt, ...] = ()

    def received(self) -> Money:
        """Return what has come in."""
        return total((item.amount for item in self.receipts), self.amount.currency)

    def owed(self) -> Money:
        """Return what is still to come."""
        return Money.zero(self.amount.currency) if self.dropped else self.amount - self.received()


class Account(Agreement):
    """The recipient's account in an award's own figures; the ledger says the same by its entries."""

    costs: Money | None = None
    own_costs: Money | None = None
    refunds: list[Refund] = []

    def _sum(self, *states: str) -> Money:
        return total((item.amount for item in self.tranches if item.status in states), self.amount.currency)

    def paid(self) -> Money:
        """Return what has been paid so far."""
        return self._sum("paid")

    def released(self) -> Money:
        """Return what was released for payment so far, paid or not."""
        return self._sum("released", "paid")

    def tranche(self, number: int) -> Tranche:
        """Return a tranche by its number; raises NotFoundError."""
        return numbered(self.tranches, number, "There is no tranche %(number)s")

    def accepted(self) -> Money:
        """Return the costs of the grant that were accepted so far."""
        return self.costs or Money.zero(self.amount.currency)

    def own_accepted(self) -> Money:
        """Return the costs of the recipient's own share that were accepted so far."""
        return self.own_costs or Money.zero(self.amount.currency)

    def refunded(self) -> Money:
        """Return what the recipient has paid back."""
        return total((item.received() for item in self.refunds), self.amount.currency)

    def refund_owed(self) -> Money:
        """Return what the recipient still has to pay back."""
        return total((item.owed() for item in self.refunds), self.amount.currency)

    def balance(self) -> Money:
        """Return what the recipient has to account for: paid, less accepted, paid back and to be paid back.

        Below nothing it is what the programme owes them for accepted costs.
        """
        return self.paid() - self.accepted() - self.refunded() - self.refund_owed()

    def outstanding(self) -> Money:
        """Return the advance that is not accounted for yet."""
        zero = Money.zero(self.amount.currency)
        return max(self.balance(), zero)

    def opening(self) -> Iterator[tuple[Kind, Money, str]]:
        """Yield what a ledger that begins now has to enter of the time before it."""
        if not self.concluded_at:
            return
        yield "committed", self.amount, f"version {self.agreement_version}"
        for tranche in self.tranches:
            if tranche.status in {"released", "paid"}:
                yield "released", tranche.amount, f"tranche {tranche.number}"
            if tranche.status == "paid":
                yield "paid", tranche.amount, tranche.payment_reference

    # --- costs ---------------------------------------------------------------

    def accept_costs(self, amount: Money, source: str, own: Money | None = None) -> None:
        """Accept costs of the grant, and of the recipient's own share; no more than was agreed in all."""
        self._must_be_concluded()
        nothing = Money.zero(self.amount.currency)
        for name, part in (("amount", amount), ("own", own or nothing)):
            self._in_currency(name, part)
            if part < nothing:
                raise InvalidError({name: "must be nothing or more"})
        if self.accepted() + amount > self.amount:
            raise ConflictError(
                "%(accepted)s accepted + %(amount)s is above the agreed %(agreed)s",
                accepted=self.accepted(),
                amount=amount,
                agreed=self.amount,
            )
        self.costs, self.own_costs = self.accepted() + amount, self.own_accepted() + (own or nothing)
        self.record(CostsAccepted(**self._account_fact(["finance"], amount, source), own=own))

    def disallow_costs(self, amount: Money, source: str, why: str) -> None:
        """Take an acceptance back; raises ConflictError when less was accepted."""
        self._in_currency("amount", amount)
        if not nothing_or_less(amount) and amount > self.accepted():
            raise ConflictError("Only %(accepted)s of costs were accepted", accepted=self.accepted())
        if nothing_or_less(amount):
            raise InvalidError({"amount": "must be more than nothing"})
        self.costs = self.accepted() - amount
        self.record(CostsDisallowed(**self._account_fact(["applicant", "finance"], amount, source), why=why))

    def _in_currency(self, name: str, amount: Money) -> None:
        if amount.currency != self.amount.currency:
            raise InvalidError({name: Rule("must be in %(currency)s", currency=self.amount.currency)})

    def _account_fact(self, notify: list[str], amount: Money, source: str) -> dict[str, Any]:
        figures = {"accepted_so_far": self.accepted(), "outstanding": self.outstanding()}
        return self._facts(notify) | {"costs": amount, "accepted_in": source} | figures

    # --- money that has to come back ---------------------------------------------

    def demand_refund(self, amount: Money, why: str, due: date | None, by: Person, now: datetime) -> Refund:
        """Say that the recipient has to pay back a part of the advance that is not accounted for."""
        self._must_be_concluded()
        self._in_currency("amount", amount)
        if nothing_or_less(amount):
            raise InvalidError({"amount": "must be more than nothing"})
        if amount > self.outstanding():
            rule = Rule(
                "is above the %(outstanding)s that are paid and not accounted for", outstanding=self.outstanding()
            )
            raise InvalidError({"amount": rule})
        if due and due < now.date():
            raise InvalidError({"due": "can't be in the past"})
        made = {"demanded_by": by.id, "demanded_by_name": by.name, "demanded_at": now}
        refund = Refund(number=len(self.refunds) + 1, amount=amount, why=why, due=due, **made)
        self.refunds = [*self.refunds, refund]
        self.record(RefundDemanded(**self._refund_fact(refund, ["applicant", "finance"]), why=why, due=due))
        return refund

    def refund(self, number: int) -> Refund:
        """Return a refund by its number; raises NotFoundError."""
        for item in self.refunds:
            if item.number == number:
                return item
        raise NotFoundError("There is no refund %(number)s", number=number)

    def receive_refund(self, number: int, receipt: Receipt, by: Person, today: date) -> None:
        """Record that a refund, or a part of it, has come in; another person than who demanded it does."""
        refund = self.refund(number)
        self._in_currency("amount", receipt.amount)
        if by.is_one_of(refund.demanded_by):
            raise ForbiddenError("You demanded this refund; another person must record that it came")
        if receipt.received_on > today:
            raise InvalidError({"received_on": "can't be in the future"})
        if nothing_or_less(receipt.amount) or receipt.amount > refund.owed():
            raise InvalidError({"amount": Rule("must be more than nothing and at most %(owed)s", owed=refund.owed())})
        if any(item.reference == receipt.reference for one in self.refunds for item in one.receipts):
            raise InvalidError({"reference": "is recorded already"})
        done = refund.model_copy(update={"receipts": (*refund.receipts, receipt)})
        self._replace_refund(done)
        about = {"received": receipt.amount, "received_on": receipt.received_on, "payment_reference": receipt.reference}
        self.record(RefundReceived(**self._refund_fact(done, ["applicant", "officer"]), **about))

    def drop_refund(self, number: int, why: str, by: Person) -> Money:
        """Demand the rest of a refund no more; returns the rest, which is an advance to account for again."""
        refund = self.refund(number)
        rest = refund.owed()
        if not rest:
            raise ConflictError("Nothing of refund %(number)s is owed", number=number)
        if by.is_one_of(refund.demanded_by):
            raise ForbiddenError("You demanded this refund; another person must drop it")
        done = refund.model_copy(update={"dropped": True})
        self._replace_refund(done)
        self.record(RefundDropped(**self._refund_fact(done, ["applicant", "finance"]), rest=rest, why=why))
        return rest

    def _replace_refund(self, done: Refund) -> None:
        self.refunds = [done if item.number == done.number else item for item in self.refunds]

    def _refund_fact(self, refund: Refund, notify: list[str]) -> dict[str, Any]:
        about = {"refund": refund.number, "refund_amount": refund.amount, "still_owed": refund.owed()}
        return self._facts(notify) | about


def nothing_or_less(amount: Money) -> bool:
    """Return whether there is no positive amount."""
    return amount.amount <= 0
