"""A guarantee of one loan under a facility: what is claimed on it, paid, recovered, taken back, and how it ends."""

from __future__ import annotations

from datetime import date, datetime

from services.loans.domain import guarantee_sums as sums
from services.loans.domain.guarantee_issue import IssuedGuarantee, must_say
from services.loans.domain.guarantee_parts import Claim, Evidence, Position, Recovery, named
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.loans import guarantee as events
from shared.money import Money

MAX_DOCUMENTS = 40
CURED = ("performing", "restructured", "closed_repaid")


class Guarantee(IssuedGuarantee):
    """A guarantee with its claims: never more is paid than the guaranteed part of the principal at default."""

    def add_document(self, item: Evidence) -> None:
        """Add a document to claim with."""
        self.must("claim")
        if any(other.sha256 == item.sha256 for other in self.documents):
            raise ConflictError("The same file is there already")
        if len(self.documents) >= MAX_DOCUMENTS:
            raise ConflictError("There are %(most)s documents already", most=MAX_DOCUMENTS)
        self.documents = [*self.documents, item]
        self.record(events.GuaranteeDocumentAdded(**self.facts(), sha256=item.sha256))

    def claim(self, amount: Money, note: str, position: Position | None, now: datetime, by: str) -> Claim:
        """Claim for a loan that is late enough by the tape; the house counts the days and the most itself."""
        self.must("claim")
        if position is None:
            raise ConflictError("No repayment tape says yet how the loan stands")
        if position.stage != "written_off" and position.days < self.terms.claim_after_days:
            raise ConflictError(
                "By the tape of %(as_of)s the loan is %(days)s days late: a claim begins at %(least)s days",
                as_of=position.as_of,
                days=position.days,
                least=self.terms.claim_after_days,
            )
        loss = self.loss(position)
        most = loss.most(self.terms.first_claim_percent)
        self._must_be_claimable(amount, most, note)
        item = Claim(
            number=len(self.claims) + 1,
            cycle=self.cycle,
            position=position,
            principal=loss.principal,
            most=most,
            amount=amount,
            note=note,
            documents=[document.sha256 for document in self.documents],
            made_at=now,
            made_by=by,
        )
        self._move("claim")
        self.claims = [*self.claims, item]
        said = {"days": position.days, "as_of": position.as_of, "principal": loss.principal, "most": most}
        self.record(events.GuaranteeClaimed(**self.facts("guarantor", "officer"), **named(item), **said))
        return item

    def _must_be_claimable(self, amount: Money, most: Money, note: str) -> None:
        wrong: dict[str, str] = {}
        if amount.amount <= 0:
            wrong["amount"] = "must be above zero"
        elif amount > most:
            wrong["amount"] = Rule("must be at most %(most)s", most=most)
        if not note.strip():
            wrong["note"] = "is required"
        if not self.documents:
            wrong["documents"] = "add at least one document: the demand to the debtor, the statement of the loan"
        if wrong:
            raise InvalidError(wrong)

    def _open_claim(self) -> Claim:
        return self.claims[-1]

    def _replace(self, changed: Claim) -> None:
        self.claims = [*self.claims[:-1], changed]

    def approve_claim(self, now: datetime, who: str, name: str) -> Claim:
        """Agree to pay what was claimed; another person pays it."""
        self._move("approve_claim")
        item = self._open_claim().model_copy(update={"approved_at": now, "approved_by": name, "approver": who})
        self._replace(item)
        self.record(events.GuaranteeClaimApproved(**self.facts("guarantor"), **named(item), approved_by=name))
        return item

    def pay_claim(self, on: date, payment: str, today: date, room: Money, *, who: str, name: str) -> Claim:
        """Record that an approved claim was paid; `room` is what the facility's cap on claims leaves."""
        self.must("pay_claim")
        item = self._open_claim()
        if who == item.approver:
            raise ForbiddenError("You approved this claim: another person pays it")
        if item.amount > room:
            raise ConflictError(
                "The facility's cap on claims leaves %(room)s: %(amount)s can't be paid", room=room, amount=item.amount
            )
        approved = item.approved_at.date() if item.approved_at else today
        self._must_be_said(on, payment, today, approved)
        self._move("pay_claim")
        done = item.model_copy(update={"paid_on": on, "payment": payment, "paid_by": name})
        self._replace(done)
        said = {"on": on, "payment": payment, "paid": self.paid()}
        self.record(events.GuaranteeClaimPaid(**self.facts("partner", "officer"), **named(done), **said))
        return done

    def refuse_claim(self, why: str, now: datetime, name: str) -> None:
        """Refuse a claim with the reason; where an earlier one was paid, recovering goes on."""
        self.must("refuse_claim")
        must_say(why)
        item = self._open_claim().model_copy(update={"refused_at": now, "refused_by": name, "why": why})
        self._move("refuse_claim")
        self._replace(item)
        if self.paid(self.cycle):
            self.stage = "recovering"
        self.record(events.GuaranteeClaimRefused(**self.facts("partner", "officer"), **named(item), why=why))

    def recover(self, amount: Money, on: date, reference: str, today: date, by: str) -> Recovery:
        """Record what the debtor paid after the claim; the guarantor's part by coverage is due to it."""
        self.must("recover")
        last = [item for item in self.claims if item.paid_on and item.cycle == self.cycle][-1]
        loss = self.loss(last.position)
        left = loss.principal - loss.recovered
        wrong: dict[str, str] = {}
        if amount.amount <= 0:
            wrong["amount"] = "must be above zero"
        elif amount > left:
            wrong["amount"] = Rule("must be at most the %(left)s of principal that is not recovered", left=left)
        first = last.position.as_of
        if not first <= on <= today:
            wrong["on"] = Rule("must be between %(first)s and %(last)s", first=first, last=today)
        if not reference:
            wrong["reference"] = "is required"
        if reference and reference in {item.reference for item in self.recoveries}:
            wrong["reference"] = "stands on another recovery already"
        if wrong:
            raise InvalidError(wrong)
        return self._share(loss, amount, on, reference, by, today)

    def _share(  # noqa: PLR0917 - what a recovery is
        self, loss: sums.Loss, amount: Money, on: date, reference: str, by: str, today: date
    ) -> Recovery:
        theirs, rest = loss.share(amount)
        self._move("recover")
        item = Recovery(
            number=len(self.recoveries) + 1,
            cycle=self.cycle,
            amount=amount,
            on=on,
            guarantor=theirs,
            bank=rest,
            reference=reference,
            by=by,
        )
        self.recoveries = [*self.recoveries, item]
        said = {"recovery": item.number, "amount": amount, "on": on, "guarantor": theirs, "bank": rest}
        self.record(events.GuaranteeRecovered(**self.facts("guarantor"), **said))
        if theirs:
            self._owe("recovery", (amount, self.terms.coverage_percent, theirs), today)
        return item

    def claw_back(self, position: Position | None, today: date) -> None:
        """Ask back what was paid, because by the tape the loan is no longer late."""
        self.must("claw_back")
        if position is None or position.days or position.stage not in CURED:
            raise ConflictError(
                "By the tape the loan is still late by %(days)s days: a claim is taken back when it has caught up",
                days=position.days if position else 0,
            )
        amount = self.net()
        self._move("claw_back")
        self.record(events.GuaranteeClawedBack(**self.facts("partner", "officer"), as_of=position.as_of, amount=amount))
        if amount:
            self._owe("claw_back", (self.paid(), self.terms.coverage_percent, amount), today)
        else:
            self.reinstate()

    def close(self, why: str, day: date) -> None:
        """End it after a claim: nothing more is claimed or recovered."""
        self.must("close")
        must_say(why)
        self._end("close", day, why)
        self.record(events.GuaranteeClosed(**self.facts("partner", "officer"), why=why, loss=self.spent()))

    def follow(self, stage: str, as_of: date) -> bool:
        """Let go of it when the tape says that the loan is repaid; tells whether it did."""
        if stage != "closed_repaid" or "release" not in self.legal("system"):
            return False
        self._end("release", as_of, "repaid")
        self.record(events.GuaranteeReleased(**self.facts("partner", "applicant"), as_of=as_of))
        return True

    def lapse(self, today: date) -> bool:
        """End it when a fee is unpaid for too long or its time is over; tells whether it did."""
        day = self.lapses_on()
        if day is None or day > today:
            return False
        why = "period_over" if self.until and day > self.until else "fee_unpaid"
        self._end("lapse", day, why)
        self.record(events.GuaranteeLapsed(**self.facts("partner", "applicant", "officer"), on=day, why=why))
        return True
