"""The firm's consent that a guarantor is given chosen fields of its proposal, for one loan, until a day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from services.loans.domain.disclosure import Consent
from shared.entity import Entity
from shared.errors import ConflictError
from shared.events.loans import guarantee as events


class Permission(Entity):
    """One loan, one guarantor; `consent.bank` names the guarantor, in the words that the firm agreed to."""

    KIND: ClassVar[str] = "permission"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"consent"})

    loan: str
    proposal: str
    number: int  # the locked version of the proposal
    programme: str
    organisation: str
    organisation_name: str
    bank: str
    guarantor: str
    guarantor_name: str
    consent: Consent
    revoked_at: datetime | None = None

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
        """Return what every event about this consent says."""
        names = ("organisation_name", "guarantor_name")
        return {name: getattr(self, name) for name in names} | {
            "permission_id": self.id,
            "loan_id": self.loan,
            "bank_id": self.bank,
            "guarantor_id": self.guarantor,
            "notify": list(notify),
        }

    def live_on(self, day: date) -> bool:
        """Tell whether fields may be shown on that day."""
        return self.revoked_at is None and day <= self.consent.until

    def visible(self, day: date) -> list[str]:
        """Return the fields that the guarantor may see today: none without a live consent."""
        return self.consent.fields if self.live_on(day) else []

    def give(self) -> None:
        """Record what the firm agreed to."""
        agreed = self.consent.model_dump(
            include={"fields", "purpose", "until", "text_version", "text_sha256", "language"}
        )
        self.record(events.PermissionGiven(**self.facts("partner"), **agreed))

    def revoke(self, now: datetime) -> None:
        """Take it back: from this moment no field is shown."""
        if self.revoked_at:
            raise ConflictError("This consent was taken back already")
        self.revoked_at = now
        self.record(events.PermissionRevoked(**self.facts("partner", "officer")))
