"""The agreement of an award: offered, signed by both sides, and its milestones reached."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

from services.grants.domain.application import Application, Document, Person
from services.grants.domain.award.parts import Milestone, Plan, Side, Signature, Tranche, milestone_of, numbered
from services.grants.domain.award.terms import Terms
from services.grants.domain.parties import parties_of
from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.events.grants.award import (
    AgreementAccepted,
    AgreementAmended,
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
    # What the present version says and the SHA-256 of its document; none under agreements of former releases.
    terms: Terms | None = None
    sha256: str = ""
    # What amendments in force have moved between budget lines so far.
    moved: Money | None = None

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return parties_of(self.organisation, self.officer, "manager", "finance")

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

    def agreed(self) -> Terms:
        """Return what the present version says."""
        if self.terms is not None:
            return self.terms
        plan = [
            Plan(title=item.title, due=item.due, amount=self.worth(item.number), number=item.number)
            for item in self.milestones
        ]
        return Terms(milestones=tuple(plan), conditions=self.conditions)

    def offer(
        self,
        plan: Sequence[Plan],
        conditions: str,
        by: Person,
        now: datetime,
        *,
        terms: Terms | None = None,
        sha256: str = "",
    ) -> None:
        """Offer the agreement, or a new version of it while it is not concluded; earlier signatures fall away.

        `terms` say more than the plan and the conditions; `sha256` is of the document that both sides accept.
        """
        if self.concluded_at:
            raise ConflictError("The agreement is concluded; it can't be offered again")
        said = {"milestones": tuple(plan), "conditions": conditions}
        self.terms = (terms or Terms()).model_copy(update=said).numbered()
        self.terms.check(self.amount)
        self._plan(self.terms)
        self.agreement_version += 1
        self.conditions, self.sha256 = conditions, sha256
        self.offered_by, self.offered_at, self.signatures = by.id, now, {}
        self.record(
            AgreementOffered(
                **self._facts(["applicant", "manager"]),
                agreement_version=self.agreement_version,
                milestones=[item.title for item in plan],
                tranches=[item.amount for item in plan],
                sha256=sha256 or None,
            )
        )

    def _plan(self, terms: Terms) -> None:
        """Take over milestones and tranches of the terms; what is known of those that stay is kept."""
        reached = {item.number: item for item in self.milestones} if self.concluded_at else {}
        parts = self._parts() if self.concluded_at else {}
        taken = {item.number for items in parts.values() for item in items}
        milestones: list[Milestone] = []
        tranches: list[Tranche] = []
        for plan in terms.milestones:
            number = plan.number or 0
            said = {"title": plan.title, "due": plan.due, "deliverable": plan.deliverable}
            old, due = reached.get(number), parts.get(number)
            milestones.append(old.model_copy(update=said) if old else Milestone(number=number, **said))
            if due:
                same = total((item.amount for item in due), plan.amount.currency) == plan.amount
                tranches += due if same else [due[0].model_copy(update={"amount": plan.amount})]
            else:
                free = max(taken) + 1 if number in taken else number
                tranches.append(Tranche(number=free, amount=plan.amount, of=None if free == number else number))
                taken.add(free)
        self.milestones, self.tranches = milestones, sorted(tranches, key=lambda item: item.number)

    def pairs(self) -> list[tuple[Milestone, Tranche]]:
        """Return every tranche with the milestone that it is paid for, by the milestones' order."""
        parts = self._parts()
        return [(item, tranche) for item in self.milestones for tranche in parts.get(item.number, [])]

    def worth(self, milestone: int) -> Money:
        """Return what is paid for a milestone, all parts of its tranche together."""
        return total((item.amount for item in self._parts()[milestone]), self.amount.currency)

    def _parts(self) -> dict[int, list[Tranche]]:
        """Return the tranches of each milestone: more than one where only a part was released."""
        found: dict[int, list[Tranche]] = {}
        for tranche in self.tranches:
            found.setdefault(milestone_of(tranche), []).append(tranche)
        return found

    def check_amendment(self, terms: Terms) -> None:
        """Raise unless the terms could replace the present ones: sums agree, and what was reached or asked stays."""
        terms.check(self.amount)
        wanted = {plan.number or 0: plan for plan in terms.milestones}
        known = [item.number for item in self.milestones]
        if any(number not in known and number <= max(known, default=0) for number in wanted):
            raise InvalidError({"milestones": "names a milestone that is no more"})
        parts = self._parts()
        for milestone in self.milestones:
            self._check_kept(milestone, parts[milestone.number], wanted.get(milestone.number))

    @staticmethod
    def _check_kept(milestone: Milestone, parts: list[Tranche], plan: Plan | None) -> None:
        """Raise ConflictError when something that was reached, asked for or paid would change."""
        tranche = next((item for item in parts if item.status != "planned" or item.reversals), None)
        whole = total((item.amount for item in parts), parts[0].amount.currency)
        if tranche is not None and (plan is None or plan.amount != whole):
            raise ConflictError(
                "Tranche %(number)s of %(amount)s is on its way or paid already and can't be amended away",
                number=tranche.number,
                amount=tranche.amount,
            )
        if milestone.status not in {"planned", "returned"} and (
            plan is None or (plan.title, plan.due) != (milestone.title, milestone.due)
        ):
            message = "Milestone %(number)s is evidenced or verified already and can't be amended away"
            raise ConflictError(message, number=milestone.number)

    def amend(self, terms: Terms, version: int, sha256: str, kinds: Sequence[str], moved: Money) -> None:
        """Put an amendment in force: the version that says `terms` is the agreement now."""
        self._must_be_concluded()
        if version <= self.agreement_version:
            raise ConflictError("Version %(now)s of the agreement is in force already", now=self.agreement_version)
        self.check_amendment(terms)
        self._plan(terms)
        self.terms, self.conditions, self.sha256 = terms, terms.conditions, sha256
        self.agreement_version = version
        self.moved = (self.moved or Money.zero(self.amount.currency)) + moved
        self.record(
            AgreementAmended(
                **self._facts(["applicant", "officer", "finance"]),
                agreement_version=version,
                sha256=sha256,
                classes=list(kinds),
                moved=moved,
                moved_so_far=self.moved,
            )
        )

    def accept(self, side: Side, version: int, by: Person, now: datetime, *, sha256: str | None = None) -> bool:
        """Sign for one side; returns whether that concludes the agreement. `sha256` is of what was read."""
        if not self.agreement_version or self.concluded_at:
            raise ConflictError("There is no agreement that waits for a signature")
        if version != self.agreement_version:
            raise ConflictError("The agreement was offered anew; read version %(now)s", now=self.agreement_version)
        if sha256 is not None and sha256 != self.sha256:
            raise ConflictError("This is not the document on offer; read version %(now)s again", now=version)
        if side in self.signatures:
            raise ConflictError("This side has signed already")
        if by.is_one_of(self.offered_by):
            raise ForbiddenError("Who drew the agreement up can't sign it; another person must")
        self.signatures = self.signatures | {side: Signature(by=by.id, by_name=by.name, at=now, sha256=self.sha256)}
        signed = {"agreement_version": version, "side": side, "signed_by": by.name, "sha256": self.sha256 or None}
        self.record(AgreementAccepted(**self._facts(["officer"]), **signed))
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
