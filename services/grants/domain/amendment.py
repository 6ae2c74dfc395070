"""An amendment of a concluded agreement, and the documents in which each version of an agreement is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from services.grants.domain.application import Person
from services.grants.domain.award import Award, Side, Signature
from services.grants.domain.award.classes import Verdict
from services.grants.domain.award.terms import Terms
from services.grants.domain.parties import parties_of
from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError
from shared.events.grants.amendment import (
    AgreementDrawn,
    AmendmentAccepted,
    AmendmentApproved,
    AmendmentEffected,
    AmendmentRefused,
    AmendmentRequested,
    AmendmentWithdrawn,
)
from shared.money import Money

Status = Literal["requested", "approved", "in_force", "refused", "withdrawn"]
OPEN: frozenset[Status] = frozenset({"requested", "approved"})


class AgreementText(Entity):
    """One version of an agreement as it was written; never changed. Its id is "<reference>-v<number>"."""

    KIND: ClassVar[str] = "agreement"

    application: str
    programme: str
    organisation: str
    number: int
    terms: Terms
    sha256: str
    size: int
    drawn_at: datetime
    drawn_by_name: str
    amendment: int | None = None
    based_on: int | None = None  # the version that an amendment changes; none: the one before

    def case(self) -> str:
        return self.application

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"applicant": [f"org:{self.organisation}"]}

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return f"{self.id}.pdf"

    def drawn(self) -> None:
        """Record that the document was made."""
        about = {"sha256": self.sha256, "size": self.size, "amendment": self.amendment}
        self.record(AgreementDrawn(reference=self.application, agreement_version=self.number, **about))


class Amendment(Entity):
    """A change of a concluded agreement: requested, approved by another person, accepted where its class says so."""

    KIND: ClassVar[str] = "amendment"

    application: str
    programme: str
    title: str
    organisation: str
    organisation_name: str
    officer: str | None = None
    amount: Money
    number: int
    based_on: int
    terms: Terms
    verdict: Verdict
    approvers: list[str]
    both_sides: bool
    why: str
    status: Status = "requested"
    requested_by: str
    requested_by_name: str
    requested_role: str = ""
    requested_at: datetime
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    note: str = ""
    agreement_version: int | None = None
    sha256: str = ""
    signatures: dict[Side, Signature] = {}

    def case(self) -> str:
        return self.application

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return parties_of(self.organisation, self.officer, "manager", "finance")

    @classmethod
    def request(cls, award: Award, terms: Terms, verdict: Verdict, by: Person, now: datetime, **fields: Any) -> Self:
        """Return a requested amendment of a concluded agreement; `fields` are id, number, why and what rules say."""
        made = cls(
            application=award.id,
            programme=award.programme,
            title=award.title,
            organisation=award.organisation,
            organisation_name=award.organisation_name,
            officer=award.officer,
            amount=award.amount,
            based_on=award.agreement_version,
            terms=terms,
            verdict=verdict,
            requested_by=by.id,
            requested_by_name=by.name,
            requested_role=by.role or "",
            requested_at=now,
            **fields,
        )
        notify = sorted({_PARTY[role] for role in made.approvers})
        about = {"why": made.why, "requested_by": by.name, "approvers": made.approvers, "based_on": made.based_on}
        made.record(AmendmentRequested(**made._facts(notify), **about))
        return made

    def _facts(self, notify: Sequence[str]) -> dict[str, Any]:
        return {
            "reference": self.application,
            "title": self.title,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
            "amount": self.amount,
            "number": self.number,
            "classes": list(self.verdict.kinds),
            "moved": self.verdict.moved,
            "moved_before": self.verdict.before,
            "notify": list(notify),
        }

    def _must_be(self, status: Status) -> None:
        if self.status != status:
            raise ConflictError(_IS[self.status], number=self.number)

    def must_be_based_on(self, version: int) -> None:
        """Raise ConflictError when the agreement has changed since this was asked for."""
        if self.based_on != version:
            raise ConflictError(
                "Amendment %(number)s changes version %(based)s, but version %(now)s is in force: ask for it anew",
                number=self.number,
                based=self.based_on,
                now=version,
            )

    def _decide(self, by: Person, note: str, now: datetime) -> None:
        self._must_be("requested")
        if by.is_one_of(self.requested_by):
            raise ForbiddenError("You asked for this amendment; another person must decide about it")
        if by.role not in self.approvers:
            raise ForbiddenError("Your role may not approve an amendment of this class; its page names who may")
        self.decided_by, self.decided_by_name, self.decided_at, self.note = by.id, by.name, now, note

    def approve(self, by: Person, note: str, now: datetime, *, version: int, sha256: str) -> None:
        """Approve it: `sha256` is of the document that says what was approved."""
        self._decide(by, note, now)
        self.status, self.agreement_version, self.sha256 = "approved", version, sha256
        about = {"agreement_version": version, "sha256": sha256, "both_sides": self.both_sides, "note": note}
        self.record(AmendmentApproved(**self._facts(["applicant"]), **about))

    def refuse(self, by: Person, why: str, now: datetime) -> None:
        """Refuse it, saying why."""
        self._decide(by, why, now)
        self.status = "refused"
        self.record(AmendmentRefused(**self._facts(["applicant", "officer"]), why=why))

    def withdraw(self, by: Person, why: str) -> None:
        """Take it back: who asked for it may, and the recipient by not accepting what was approved."""
        if self.status not in OPEN:
            self._must_be("requested")
        if by.id != self.requested_by and not (by.role == "applicant" and self.status == "approved"):
            raise ForbiddenError("Who asked for an amendment takes it back; or the recipient, once it is approved")
        self.status, self.note = "withdrawn", why
        self.record(AmendmentWithdrawn(**self._facts([]), why=why))

    def accept(self, side: Side, sha256: str, by: Person, now: datetime) -> bool:
        """Accept the new text for one side; returns whether both have."""
        self._must_be("approved")
        if sha256 != self.sha256:
            raise ConflictError(
                "This is not the document on offer; read version %(now)s again", now=self.agreement_version
            )
        if side in self.signatures:
            raise ConflictError("This side has signed already")
        if side == "programme" and by.is_one_of(self.requested_by):
            raise ForbiddenError("Who drew the agreement up can't sign it; another person must")
        self.signatures = self.signatures | {side: Signature(by=by.id, by_name=by.name, at=now, sha256=sha256)}
        about = {"agreement_version": self.agreement_version, "sha256": sha256, "side": side, "signed_by": by.name}
        self.record(AmendmentAccepted(**self._facts([]), **about))
        return len(self.signatures) == len(("programme", "recipient"))

    def effect(self) -> None:
        """Put it in force."""
        self._must_be("approved")
        self.status = "in_force"
        about = {"agreement_version": self.agreement_version, "sha256": self.sha256}
        self.record(AmendmentEffected(**self._facts(["applicant", "officer", "finance"]), **about))


_IS: dict[Status, str] = {
    "requested": "Amendment %(number)s waits for a decision",
    "approved": "Amendment %(number)s is approved already",
    "in_force": "Amendment %(number)s is in force already",
    "refused": "Amendment %(number)s is refused",
    "withdrawn": "Amendment %(number)s is taken back",
}
_PARTY = {"officer": "officer", "programme_manager": "manager", "finance_officer": "finance"}
