"""An award: the agreement that both sides sign, its milestones, and the tranches paid against them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Literal, TypeVar

from services.grants.domain.application import Application, Document, Part, Person
from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.events.grants.award import (
    AgreementAccepted,
    AgreementConcluded,
    AgreementOffered,
    MilestoneEvidenced,
    MilestoneReturned,
    MilestoneVerified,
    PaymentConfirmed,
    TrancheRefused,
    TrancheReleased,
    TrancheRequested,
)
from shared.money import Money, total

T = TypeVar("T", "Milestone", "Tranche")
Side = Literal["programme", "recipient"]
MAX_MILESTONES = 24


class Signature(Part):
    """Who accepted the agreement for one side, and when."""

    by: str
    by_name: str
    at: datetime


class Plan(Part):
    """One milestone as it is offered, with the tranche that is paid when it is verified."""

    title: str
    due: date | None = None
    amount: Money


class Milestone(Part):
    """A milestone of the agreement; `status` goes planned, evidenced, verified, or back by a return."""

    number: int
    title: str
    due: date | None = None
    status: Literal["planned", "evidenced", "returned", "verified"] = "planned"
    evidence: tuple[Document, ...] = ()
    evidenced_by: str | None = None
    settled_by: str | None = None
    settled_by_name: str | None = None
    settled_at: datetime | None = None
    note: str = ""


class Tranche(Part):
    """A payment of the agreement, owed when the milestone of the same number is verified."""

    number: int
    amount: Money
    status: Literal["planned", "requested", "released", "paid"] = "planned"
    requested_by: str | None = None
    requested_by_name: str | None = None
    released_by: str | None = None
    released_by_name: str | None = None
    refused: str = ""
    payment_reference: str = ""
    paid_on: date | None = None


class Award(Entity):
    """What was agreed with the recipient of a grant. Its id is the application's reference."""

    KIND: ClassVar[str] = "award"

    programme: str
    title: str
    organisation: str
    organisation_name: str
    officer: str | None = None
    amount: Money
    agreement_version: int = 0
    conditions: str = ""
    offered_by: str = ""
    offered_at: datetime | None = None
    signatures: dict[Side, Signature] = {}
    concluded_at: datetime | None = None
    milestones: list[Milestone] = []
    tranches: list[Tranche] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {
            "applicant": [f"org:{self.organisation}"],
            "officer": [f"user:{self.officer}"] if self.officer else ["role:officer"],
            "manager": ["role:programme_manager"],
            "finance": ["role:finance_officer"],
        }

    @classmethod
    def of(cls, application: Application, amount: Money) -> Award:
        """Return the empty award of an approved application."""
        return cls(
            id=application.id,
            programme=application.programme,
            title=application.title,
            organisation=application.organisation,
            organisation_name=application.organisation_name,
            officer=application.officer,
            amount=amount,
        )

    def paid(self) -> Money:
        """Return what has been paid so far."""
        return total((item.amount for item in self.tranches if item.status == "paid"), self.amount.currency)

    def released(self) -> Money:
        """Return what was released for payment so far, paid or not."""
        amounts = (item.amount for item in self.tranches if item.status in {"released", "paid"})
        return total(amounts, self.amount.currency)

    def milestone(self, number: int) -> Milestone:
        """Return a milestone by its number; raises NotFoundError."""
        return _numbered(self.milestones, number, "There is no milestone %(number)s")

    def tranche(self, number: int) -> Tranche:
        """Return a tranche by its number; raises NotFoundError."""
        return _numbered(self.tranches, number, "There is no tranche %(number)s")

    def _facts(self, notify: list[str]) -> dict[str, Any]:
        return {
            "reference": self.id,
            "title": self.title,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
            "amount": self.amount,
            "notify": notify,
        }

    def offer(self, plan: Sequence[Plan], conditions: str, by: Person, now: datetime) -> None:
        """Offer the agreement, or a new version of it while it is not concluded; earlier signatures fall away."""
        if self.concluded_at:
            raise ConflictError("The agreement is concluded; it can't be offered again")
        self._check_plan(plan)
        self.milestones = [Milestone(number=i, title=item.title, due=item.due) for i, item in enumerate(plan, 1)]
        self.tranches = [Tranche(number=i, amount=item.amount) for i, item in enumerate(plan, 1)]
        self.agreement_version += 1
        self.conditions, self.offered_by, self.offered_at, self.signatures = conditions, by.id, now, {}
        self.record(
            AgreementOffered(
                **self._facts(["applicant", "manager"]),
                agreement_version=self.agreement_version,
                milestones=[item.title for item in plan],
                tranches=[item.amount for item in plan],
            )
        )

    def _check_plan(self, plan: Sequence[Plan]) -> None:
        if not 1 <= len(plan) <= MAX_MILESTONES:
            raise InvalidError({"milestones": Rule("must be 1 to %(most)s", most=MAX_MILESTONES)})
        if any(item.amount.currency != self.amount.currency for item in plan):
            raise InvalidError({"milestones": Rule("must all be in %(currency)s", currency=self.amount.currency)})
        if any(item.amount.amount <= 0 for item in plan):
            raise InvalidError({"milestones": "each tranche must be more than nothing"})
        planned = total((item.amount for item in plan), self.amount.currency)
        if planned != self.amount:
            rule = f"the tranches add up to {planned}, but {self.amount} was approved"
            raise InvalidError({"milestones": rule})

    def accept(self, side: Side, version: int, by: Person, now: datetime) -> bool:
        """Sign for one side; returns whether that concludes the agreement."""
        if not self.agreement_version or self.concluded_at:
            raise ConflictError("There is no agreement that waits for a signature")
        if version != self.agreement_version:
            raise ConflictError("The agreement was offered anew; read version %(now)s", now=self.agreement_version)
        if side in self.signatures:
            raise ConflictError("This side has signed already")
        if by.id == self.offered_by:
            raise ForbiddenError("Who drew the agreement up can't sign it; another person must")
        self.signatures = self.signatures | {side: Signature(by=by.id, by_name=by.name, at=now)}
        self.record(
            AgreementAccepted(**self._facts(["officer"]), agreement_version=version, side=side, signed_by=by.name)
        )
        if len(self.signatures) == len(("programme", "recipient")):
            self.concluded_at = now
            self.record(AgreementConcluded(**self._facts([]), agreement_version=version))
        return self.concluded_at is not None

    def _must_be_concluded(self) -> None:
        if not self.concluded_at:
            raise ConflictError("The agreement is not concluded yet: both sides must sign first")

    def evidence(self, number: int, document: Document, by: Person) -> None:
        """Show a document that a milestone is reached."""
        self._must_be_concluded()
        milestone = self.milestone(number)
        if milestone.status == "verified":
            raise ConflictError("Milestone %(number)s is verified already", number=number)
        shown = (*milestone.evidence, document)
        self._replace(milestone.model_copy(update={"status": "evidenced", "evidence": shown, "evidenced_by": by.id}))
        self.record(
            MilestoneEvidenced(
                **self._facts(["officer"]),
                milestone=number,
                milestone_title=milestone.title,
                document_id=document.id,
                document_name=document.name,
                sha256=document.sha256,
            )
        )

    def settle(self, number: int, *, good: bool, note: str, by: Person, now: datetime) -> None:
        """Verify a milestone's evidence, or return it saying why."""
        milestone = self.milestone(number)
        if milestone.status != "evidenced":
            raise ConflictError("Milestone %(number)s has no evidence that waits for verification", number=number)
        if by.id == milestone.evidenced_by:
            raise ForbiddenError("Who showed the evidence can't verify it; another person must")
        update = {"status": "verified" if good else "returned", "note": note}
        update |= {"settled_by": by.id, "settled_by_name": by.name}
        self._replace(milestone.model_copy(update=update | {"settled_at": now}))
        about = self._facts(["applicant", "finance"] if good else ["applicant"])
        about |= {"milestone": number, "milestone_title": milestone.title}
        self.record(MilestoneVerified(**about, note=note) if good else MilestoneReturned(**about, why=note))

    def request(self, number: int, by: Person) -> None:
        """Ask that a tranche be paid."""
        self._must_be_concluded()
        tranche = self.tranche(number)
        if tranche.status != "planned":
            raise ConflictError("Tranche %(number)s is %(status)s already", number=number, status=tranche.status)
        update = {"status": "requested", "requested_by": by.id, "requested_by_name": by.name, "refused": ""}
        self._replace(tranche.model_copy(update=update))
        self.record(TrancheRequested(**self._tranche_fact(tranche, ["finance"])))

    def release(self, number: int, by: Person) -> None:
        """Release a requested tranche: by another person, against a verified milestone, within the total."""
        tranche = self._requested(number)
        if by.id == tranche.requested_by:
            raise ForbiddenError("You requested this tranche; another person must release it")
        if self.milestone(number).status != "verified":
            raise ConflictError(
                "Tranche %(number)s is held: milestone %(number)s “%(title)s” is not verified yet",
                number=number,
                title=self.milestone(number).title,
            )
        if self.released() + tranche.amount > self.amount:
            raise ConflictError(
                "Tranche %(number)s is held: %(released)s released + %(tranche)s is above the agreed %(agreed)s",
                number=number,
                released=str(self.released()),
                tranche=str(tranche.amount),
                agreed=str(self.amount),
            )
        update = {"status": "released", "released_by": by.id, "released_by_name": by.name}
        self._replace(tranche.model_copy(update=update))
        requested_by = tranche.requested_by_name or ""
        self.record(TrancheReleased(**self._tranche_fact(tranche, ["applicant"]), requested_by=requested_by))

    def refuse(self, number: int, why: str, by: Person) -> None:
        """Do not release a requested tranche, and say why."""
        tranche = self._requested(number)
        if by.id == tranche.requested_by:
            raise ForbiddenError("You requested this tranche; another person must decide about it")
        self._replace(Tranche(number=number, amount=tranche.amount, refused=why))
        self.record(TrancheRefused(**self._tranche_fact(tranche, ["officer"]), why=why))

    def confirm(self, number: int, reference: str, paid_on: date, today: date) -> None:
        """Confirm that the bank paid a released tranche."""
        tranche = self.tranche(number)
        if tranche.status != "released":
            raise ConflictError("Tranche %(number)s is not released for payment", number=number)
        if paid_on > today:
            raise InvalidError({"paid_on": "can't be in the future"})
        if any(item.payment_reference == reference for item in self.tranches):
            raise InvalidError({"payment_reference": "is that of another tranche already"})
        update = {"status": "paid", "payment_reference": reference, "paid_on": paid_on}
        self._replace(tranche.model_copy(update=update))
        self.record(
            PaymentConfirmed(
                **self._tranche_fact(tranche, ["applicant", "officer"]),
                payment_reference=reference,
                paid_on=paid_on,
                paid_so_far=self.paid(),
            )
        )

    def _requested(self, number: int) -> Tranche:
        tranche = self.tranche(number)
        if tranche.status != "requested":
            raise ConflictError("Tranche %(number)s is not requested", number=number)
        return tranche

    def _tranche_fact(self, tranche: Tranche, notify: list[str]) -> dict[str, Any]:
        return self._facts(notify) | {"tranche": tranche.number, "tranche_amount": tranche.amount}

    def _replace(self, item: Milestone | Tranche) -> None:
        if isinstance(item, Milestone):
            self.milestones = [item if old.number == item.number else old for old in self.milestones]
        else:
            self.tranches = [item if old.number == item.number else old for old in self.tranches]


def _numbered(items: list[T], number: int, message: str) -> T:
    for item in items:
        if item.number == number:
            return item
    raise NotFoundError(message, number=number)
