"""A guarantee until something goes wrong: asked for, issued by two people where it is large, and charged for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from services.loans.domain import guarantee_sums as sums
from services.loans.domain.guarantee_parts import (
    CHARGED,
    HOLDING,
    MOVES,
    Approval,
    Checked,
    Claim,
    Due,
    Evidence,
    GuaranteeTerms,
    Position,
    Recovery,
    legal_moves,
)
from services.loans.domain.matching import Finding
from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError, IllegalTransitionError, InvalidError, NotFoundError, Rule
from shared.events.loans import guarantee as events
from shared.money import Money, total

MAX_REFERENCE = 80


class IssuedGuarantee(Entity):
    """What a guarantor stands in for: `sum` is the guaranteed part of the loan as it was agreed."""

    KIND: ClassVar[str] = "guarantee"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"documents", "note", "checks"})

    facility: str
    facility_name: str
    programme: str
    loan: str
    proposal: str
    permission: str
    organisation: str
    organisation_name: str
    bank: str
    bank_name: str
    guarantor: str
    guarantor_name: str
    terms: GuaranteeTerms
    principal: Money
    sum: Money
    loan_ends: date
    note: str = ""
    requested_at: datetime
    requested_by: str
    stage: str = "requested"
    approval: Approval | None = None
    checks: list[Checked] = []
    issued_on: date | None = None
    issued_by: str = ""
    until: date | None = None
    years_charged: int = 0
    dues: list[Due] = []
    documents: list[Evidence] = []
    claims: list[Claim] = []
    recoveries: list[Recovery] = []
    cycle: int = 1
    ended_on: date | None = None
    ended_why: str = ""

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        found = {
            "applicant": [f"org:{self.organisation}"],
            "partner": [f"org:{self.bank}"],
            "officer": ["role:officer"],
        }
        return found if self.stage == "void" else found | {"guarantor": [f"org:{self.guarantor}"]}

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this guarantee says."""
        names = ("organisation_name", "bank_name", "guarantor_name")
        return {name: getattr(self, name) for name in names} | {
            "guarantee_id": self.id,
            "facility_id": self.facility,
            "loan_id": self.loan,
            "bank_id": self.bank,
            "guarantor_id": self.guarantor,
            "notify": list(notify),
        }

    # What it comes to.

    def _total(self, amounts: Any) -> Money:
        return total(amounts, self.sum.currency)

    def paid(self, cycle: int | None = None) -> Money:
        """Return what was paid on claims, in all or since the loan last cured."""
        return self._total(item.amount for item in self.claims if item.paid_on and cycle in {None, item.cycle})

    def recovered(self, cycle: int | None = None) -> Money:
        """Return the guarantor's part of what the bank recovered."""
        return self._total(item.guarantor for item in self.recoveries if cycle in {None, item.cycle})

    def taken_back(self) -> Money:
        return self._total(item.amount for item in self.dues if item.kind == "claw_back")

    def net(self) -> Money:
        """Return the guarantor's loss: paid less its part of recoveries and what was taken back."""
        return self.paid() - self.recovered() - self.taken_back()

    def committed(self) -> Money:
        """Return the room of the facility that is kept for it."""
        return self.sum if self.stage in HOLDING else Money.zero(self.sum.currency)

    def spent(self) -> Money:
        """Return the room that its loss keeps used up after it has ended."""
        return self.net() if self.stage == "closed" else Money.zero(self.sum.currency)

    def fees_due(self) -> list[Due]:
        """Return the fees that are not paid, the first due in front."""
        return sorted((d for d in self.dues if not d.paid_on and d.kind in {"one_off", "yearly"}), key=lambda d: d.due)

    def next_fee_on(self) -> date | None:
        """Return the day on which the next year is charged; none where there is none."""
        if self.issued_on is None or self.stage not in CHARGED or not self.terms.annual_fee_percent:
            return None
        day = sums.anniversary(self.issued_on, self.years_charged)
        return day if day < self.loan_ends else None

    def lapses_on(self) -> date | None:
        """Return the first day on which it no longer holds, unless something happens before."""
        unpaid = self.fees_due()
        days = [item.due + timedelta(days=1) for item in unpaid[:1]]
        if self.until:
            days.append(self.until + timedelta(days=1))
        return min(days, default=None) if self.stage in MOVES["lapse"].sources else None

    def loss(self, position: Position) -> sums.Loss:
        """Return the default as it stands; the principal is that of the first claim that was paid on it."""
        mine = [item for item in self.claims if item.cycle == self.cycle and item.paid_on]
        recovered = self._total(item.amount for item in self.recoveries if item.cycle == self.cycle)
        return sums.Loss(
            principal=mine[0].principal if mine else position.outstanding,
            limit=self.sum,
            percent=self.terms.coverage_percent,
            paid=self.paid(self.cycle),
            recovered=recovered,
            shared=self.recovered(self.cycle),
        )

    # Its moves.

    def legal(self, by: str | None = None) -> list[str]:
        """Return the moves that are possible now."""
        return legal_moves(self.stage, by)

    def must(self, name: str) -> None:
        """Raise IllegalTransitionError naming the legal moves unless this one is possible."""
        if self.stage not in MOVES[name].sources:
            raise IllegalTransitionError(name, self.stage, self.legal())

    def _move(self, name: str) -> None:
        self.must(name)
        self.stage = MOVES[name].target

    def _end(self, name: str, day: date, why: str = "") -> None:
        self._move(name)
        self.ended_on, self.ended_why = day, why

    def request(self) -> None:
        """Record that the bank asks for it."""
        self.record(
            events.GuaranteeRequested(
                **self.facts("guarantor", "applicant"),
                sum=self.sum,
                principal=self.principal,
                coverage_percent=str(self.terms.coverage_percent),
            )
        )

    def approve(self, who: str, name: str, now: datetime) -> None:
        """Agree to it as the first of two people."""
        self._move("approve")
        self.approval = Approval(who=who, name=name, at=now)
        self.record(events.GuaranteeApproved(**self.facts("guarantor"), sum=self.sum, approved_by=name))

    def issue(self, checks: Sequence[Finding], day: date, who: str, name: str) -> None:
        """Issue it when every rule of the facility is met; the fees of the first year are charged."""
        self.must("issue")
        if self.approval and self.approval.who == who:
            raise ForbiddenError("You agreed to this guarantee: another person issues it")
        broken = [item.rule for item in checks if not item.met]
        if broken:
            raise ConflictError("Rules of the facility are not met: %(rules)s", rules=", ".join(broken))
        self._move("issue")
        self.checks = [Checked.of(item) for item in checks]
        self.issued_on, self.issued_by = day, name
        self.until = self.loan_ends + timedelta(days=self.terms.tail_days)
        terms = {"sum": self.sum, "until": self.until, "coverage_percent": str(self.terms.coverage_percent)}
        self.record(events.GuaranteeIssued(**self.facts("partner", "applicant", "officer"), **terms, issued_on=day))
        if self.terms.fee_percent:
            self._charge("one_off", self.sum, self.terms.fee_percent, day)
        self.charge(self.sum, day)
        self._activate()

    def _charge(self, kind: str, base: Money, percent: Decimal, day: date, days: int = sums.YEAR) -> None:
        amount = sums.fee(base, percent, days)
        if amount:
            self._owe(kind, (base, percent, amount), day, days if kind == "yearly" else 0)

    def _owe(self, kind: Any, made_of: tuple[Money, Decimal, Money], day: date, days: int = 0) -> None:
        base, percent, amount = made_of
        due = day + timedelta(days=self.terms.fee_days)
        item = Due(
            number=len(self.dues) + 1,
            kind=kind,
            base=base,
            percent=percent,
            days=days,
            amount=amount,
            charged_on=day,
            due=due,
        )
        self.dues = [*self.dues, item]
        said = {"number": item.number, "kind": kind, "amount": amount, "due": due}
        self.record(events.GuaranteeDue(**self.facts("partner"), **said))

    def charge(self, guaranteed: Money, today: date) -> bool:
        """Charge the year that begins by today, if one does; `guaranteed` is the balance on its first day."""
        first = self.next_fee_on()
        if first is None or first > today:
            return False
        self.years_charged += 1
        days = (min(sums.anniversary(self.issued_on or first, self.years_charged), self.loan_ends) - first).days
        self._charge("yearly", guaranteed, self.terms.annual_fee_percent, first, days)
        return True

    def _activate(self) -> None:
        """Let it be claimed on as soon as the fees of the issue are paid."""
        if self.stage == "issued" and not self.fees_due():
            self._move("activate")
            self.record(events.GuaranteeActive(**self.facts("partner"), sum=self.sum))

    def decline(self, why: str, day: date) -> None:
        """Refuse to issue it."""
        self.must("decline")
        must_say(why)
        self._end("decline", day, why)
        self.record(events.GuaranteeDeclined(**self.facts("partner", "applicant"), why=why))

    def withdraw(self, day: date) -> None:
        """Take the request back."""
        self._end("withdraw", day)
        self.record(events.GuaranteeWithdrawn(**self.facts("guarantor"), why="withdrawn"))

    def revoke(self, day: date) -> None:
        """Let go of a request whose consent the firm took back."""
        self._end("revoke", day)
        self.record(events.GuaranteeWithdrawn(**self.facts("partner"), why="consent_revoked"))

    def receive(self, number: int, on: date, payment: str, today: date, by: str) -> None:
        """Record that the guarantor has a sum that the bank owed."""
        item = next((item for item in self.dues if item.number == number), None)
        if item is None:
            raise NotFoundError("There is nothing due under this number")
        if item.paid_on:
            raise ConflictError("This sum of %(amount)s is paid already", amount=item.amount)
        if self.issued_on is None:
            raise ConflictError("The guarantee is %(stage)s", stage=self.stage)
        self._must_be_said(on, payment, today, item.charged_on)
        done = item.model_copy(update={"paid_on": on, "payment": payment, "by": by})
        self.dues = [done if other.number == number else other for other in self.dues]
        said = {"number": number, "kind": item.kind, "amount": item.amount, "on": on, "payment": payment}
        self.record(events.GuaranteeDuePaid(**self.facts("partner"), **said))
        if item.kind == "claw_back" and self.stage == "clawed_back":
            self.reinstate()
        self._activate()

    def reinstate(self) -> None:
        """Let it hold again after a claim was given back; a later default is counted anew."""
        self._move("reinstate")
        self.cycle += 1
        self.record(events.GuaranteeActive(**self.facts("partner"), sum=self.sum))

    def _must_be_said(self, on: date, payment: str, today: date, first: date) -> None:
        wrong: dict[str, str] = {}
        if not first <= on <= today:
            wrong["on"] = Rule("must be between %(first)s and %(last)s", first=first, last=today)
        if not payment:
            wrong["payment"] = "is required"
        elif len(payment) > MAX_REFERENCE:
            wrong["payment"] = Rule("has more than %(most)s characters", most=MAX_REFERENCE)
        if payment and payment in {*(i.payment for i in self.dues), *(i.payment for i in self.claims)}:
            wrong["payment"] = "stands on another payment of this guarantee already"
        if wrong:
            raise InvalidError(wrong)


def must_say(why: str) -> None:
    if not why.strip():
        raise InvalidError({"why": "is required"})
