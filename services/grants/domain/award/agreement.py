"""The agreement of an award: offered, signed by both sides, and its milestones reached."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

from services.grants.domain.application import Application, Document, Person
from services.grants.domain.award.parts import MAX_MILESTONES, Milestone, Plan, Side, Signature, Tranche, numbered
from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.grants.award import (
    AgreementAccepted,
    AgreementConcluded,
    AgreementOffered,
    MilestoneEvidenced,
    MilestoneReturned,
    MilestoneVerified,
)
from shared.money import Money, total


class Agreement(Entity):
    """What was agreed with the recipient of a grant: what is offered, signed and reached."""

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
    def of(cls, application: Application, amount: Money) -> Self:
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

    def milestone(self, number: int) -> Milestone:
        """Return a milestone by its number; raises NotFoundError."""
        return numbered(self.milestones, number, "There is no milestone %(number)s")

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
        if by.is_one_of(self.offered_by):
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
        if by.is_one_of(milestone.evidenced_by):
            raise ForbiddenError("Who showed the evidence can't verify it; another person must")
        update = {"status": "verified" if good else "returned", "note": note}
        update |= {"settled_by": by.id, "settled_by_name": by.name}
        self._replace(milestone.model_copy(update=update | {"settled_at": now}))
        about = self._facts(["applicant", "finance"] if good else ["applicant"])
        about |= {"milestone": number, "milestone_title": milestone.title}
        self.record(MilestoneVerified(**about, note=note) if good else MilestoneReturned(**about, why=note))

    def _replace(self, item: Milestone | Tranche) -> None:
        if isinstance(item, Milestone):
            self.milestones = [item if old.number == item.number else old for old in self.milestones]
        else:
            self.tranches = [item if old.number == item.number else old for old in self.tranches]
