"""A delivery with its payment and deduction, and the transfer by which deductions reach the bank."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from services.loans.domain.deduction import Share
from services.loans.domain.tripartite import Move
from shared.entity import Entity
from shared.errors import ConflictError, IllegalTransitionError, InvalidError, Rule
from shared.events.loans import chain as events
from shared.money import Amount, Money, total

MAX_REFERENCE = 80
MAX_OF_TRANSFER = 200
MOVES: dict[str, Move] = {
    "confirm": Move(("reported", "disputed"), "confirmed", ("supplier",)),
    "dispute": Move(("reported",), "disputed", ("supplier",)),
    "take_back": Move(("reported", "disputed"), "taken_back", ("buyer",)),
    "transfer": Move(("confirmed",), "transferred", ("buyer",)),
    "receive": Move(("transferred",), "received", ("bank",)),
    "refuse": Move(("transferred",), "confirmed", ("bank",)),
}


def legal_moves(stage: str, side: str | None = None) -> list[str]:
    """Return the moves that are possible at `stage`, of one side or of all."""
    return [name for name, move in MOVES.items() if stage in move.sources and (side is None or side in move.by)]


class _OfAgreement(Entity):
    agreement: str
    programme: str
    organisation: str
    organisation_name: str
    buyer: str
    buyer_name: str
    bank: str
    bank_name: str

    def case(self) -> str:
        return self.agreement

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {
            "applicant": [f"org:{self.organisation}"],
            "lead_firm": [f"org:{self.buyer}"],
            "partner": [f"org:{self.bank}"],
            "officer": ["role:officer"],
        }

    def _names(self, *notify: str) -> dict[str, Any]:
        names = ("organisation_name", "buyer_name", "bank_name")
        ids = {"organisation_id": self.organisation, "buyer_id": self.buyer, "bank_id": self.bank}
        told = {"agreement_id": self.agreement, "notify": list(notify)}
        return {name: getattr(self, name) for name in names} | ids | told


class Delivery(_OfAgreement):
    """What was delivered and paid, and what of the payment was kept back. `number` is the lead firm's own."""

    KIND: ClassVar[str] = "delivery"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"shares"})

    number: str
    good: str
    good_name: str
    unit: str
    quantity: Amount
    price: Amount
    delivered_on: date
    paid_on: date
    value: Money
    by_rule: Money
    deduction: Money
    net: Money
    shares: list[Share]
    stage: str = "reported"
    reported_at: datetime
    reported_by: str
    objection_until: date
    answered_at: datetime | None = None
    answered_by: str = ""
    dispute: str = ""
    transfer: str | None = None
    received_on: date | None = None

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this delivery says; not which loan the deduction serves."""
        return self._names(*notify) | {"delivery_id": self.id, "number": self.number, "deduction": self.deduction}

    def _move(self, name: str) -> None:
        if self.stage not in MOVES[name].sources:
            raise IllegalTransitionError(name, self.stage, legal_moves(self.stage))
        self.stage = MOVES[name].target

    def report(self) -> None:
        """Record that the lead firm has said so; the supplier is asked."""
        sums = {"value": self.value, "net": self.net}
        about = {"good": self.good_name, "delivered_on": self.delivered_on, "paid_on": self.paid_on}
        facts = self.facts("applicant")
        self.record(events.DeliveryReported(**facts, **about, **sums, objection_until=self.objection_until))

    def confirm(self, now: datetime, by: str) -> None:
        """Say that it was so."""
        self._move("confirm")
        self.answered_at, self.answered_by = now, by
        self.record(events.DeliveryConfirmed(**self.facts()))

    def object(self, why: str, now: datetime, by: str) -> None:
        """Say that it was not so, and why; the deduction waits until the two have settled it."""
        if not why.strip():
            raise InvalidError({"why": Rule("is required")})
        self._move("dispute")
        self.answered_at, self.answered_by, self.dispute = now, by, why
        self.record(events.DeliveryDisputed(**self.facts("lead_firm", "partner"), why=why))

    def take_back(self, by: str, now: datetime) -> None:
        """Take back a line that was wrong; its sum may be kept back again, of another payment."""
        self._move("take_back")
        self.answered_at, self.answered_by = now, by
        self.record(events.DeliveryTakenBack(**self.facts("applicant")))

    def hand_over(self, transfer: str, today: date) -> None:
        """Put it into a transfer; silence until the last day for objections confirms."""
        if self.stage == "reported" and self.objection_until < today:
            self.stage = "confirmed"
        self._move("transfer")
        self.transfer = transfer
        self.record(events.DeliveryTransferred(**self.facts(), transfer_id=transfer))

    def arrive(self, on: date) -> None:
        """Record that the bank has the money."""
        self._move("receive")
        self.received_on = on
        self.record(events.DeliveryReceived(**self.facts(), received_on=on))

    def come_back(self) -> None:
        """Wait for another transfer, because the bank did not get this one."""
        self._move("refuse")
        self.transfer = None
        self.record(events.DeliveryReturned(**self.facts()))


class Transfer(_OfAgreement):
    """One payment of the lead firm to the bank: which deductions it is made of, its day and its reference."""

    KIND: ClassVar[str] = "transfer"

    deliveries: list[str]
    amount: Money
    on: date
    payment: str
    stage: str = "made"
    made_by: str
    made_at: datetime
    received_on: date | None = None
    answered_by: str = ""
    answered_at: datetime | None = None
    why: str = ""

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this transfer says."""
        about = {"transfer_id": self.id, "amount": self.amount, "on": self.on, "payment": self.payment}
        return self._names(*notify) | about

    def make(self, items: list[Delivery], today: date) -> None:
        """Transfer deductions, each of which is confirmed or was not objected to."""
        wrong: dict[str, str] = {}
        if not 1 <= len(items) <= MAX_OF_TRANSFER:
            wrong["deliveries"] = Rule("choose between 1 and %(most)s deductions", most=MAX_OF_TRANSFER)
        elif not all(item.deduction for item in items):
            wrong["deliveries"] = "choose only lines of which something was deducted"
        first = max((item.paid_on for item in items), default=today)
        if not first <= self.on <= today:
            wrong["on"] = Rule("must be between %(first)s and %(last)s", first=first, last=today)
        if not self.payment.strip():
            wrong["payment"] = "is required"
        elif len(self.payment) > MAX_REFERENCE:
            wrong["payment"] = Rule("has more than %(most)s characters", most=MAX_REFERENCE)
        if wrong:
            raise InvalidError(wrong)
        for item in items:
            if item.stage == "disputed":
                raise ConflictError("Delivery %(number)s is disputed: its deduction waits", number=item.number)
            if item.stage == "reported" and item.objection_until >= today:
                raise ConflictError(
                    "The supplier may object to delivery %(number)s until %(day)s",
                    number=item.number,
                    day=item.objection_until,
                )
            item.hand_over(self.id, today)
        self.amount = total((item.deduction for item in items), self.amount.currency)
        self.deliveries = [item.id for item in items]
        self.record(events.TransferMade(**self.facts("partner"), deliveries=len(items)))

    def _made(self, attempted: str) -> None:
        if self.stage != "made":
            raise IllegalTransitionError(attempted, self.stage, [])

    def receive(self, items: list[Delivery], on: date, today: date, now: datetime, by: str) -> None:
        """Record that the bank has the whole of it."""
        self._made("receive")
        if not self.on <= on <= today:
            raise InvalidError({"on": Rule("must be between %(first)s and %(last)s", first=self.on, last=today)})
        self.stage, self.received_on, self.answered_by, self.answered_at = "received", on, by, now
        for item in items:
            item.arrive(on)
        self.record(events.TransferReceived(**self.facts("lead_firm", "applicant"), received_on=on))

    def refuse(self, items: list[Delivery], why: str, now: datetime, by: str) -> None:
        """Record that the bank did not get it, or not this sum; the deductions wait for another transfer."""
        self._made("refuse")
        if not why.strip():
            raise InvalidError({"why": Rule("is required")})
        self.stage, self.why, self.answered_by, self.answered_at = "refused", why, by, now
        for item in items:
            item.come_back()
        self.record(events.TransferRefused(**self.facts("lead_firm"), why=why))
