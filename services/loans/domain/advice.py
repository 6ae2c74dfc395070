"""What an adviser does for a firm: contacts as they were, and the one next step with its day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Literal

from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.loans.firm import AdviceContacted, AdviceStepDone

MAX_CONTACTS = 300
How = Literal["visit", "meeting", "call", "letter"]
Side = Literal["firm", "adviser"]


class Contact(Part):
    """One contact, as it was noted."""

    on: date
    how: How
    note: str
    by_name: str
    at: datetime


class Step(Part):
    """What is to be done next, by which side and by when."""

    text: str
    side: Side = "firm"
    due: date


class Advice(Entity):
    """The case of one firm with one adviser. Notes and steps stay in the loans service."""

    KIND: ClassVar[str] = "advice"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"contacts", "step"})

    programme: str
    organisation: str
    organisation_name: str
    adviser: str
    adviser_name: str
    contacts: list[Contact] = []
    step: Step | None = None

    def case(self) -> str:
        return self.organisation

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {
            "applicant": [f"org:{self.organisation}"],
            "adviser": [f"org:{self.adviser}"],
            "officer": ["role:officer"],
        }

    @property
    def last_contact(self) -> date | None:
        return max((item.on for item in self.contacts), default=None)

    def contact(self, contact: Contact, step: Step | None, today: date) -> None:
        """Note a contact and, if something was agreed, the next step in the place of the one before."""
        if len(self.contacts) >= MAX_CONTACTS:
            raise ConflictError("A case has at most %(limit)s contacts", limit=MAX_CONTACTS)
        wrong: dict[str, str] = {}
        if contact.on > today:
            wrong["on"] = "must not be in the future"
        if not contact.note.strip():
            wrong["note"] = "is required"
        if step and not step.text.strip():
            wrong["step"] = "is required"
        if step and step.due < today:
            wrong["due"] = Rule("must be at least %(least)s", least=today)
        if wrong:
            raise InvalidError(wrong)
        self.contacts = [*self.contacts, contact]
        self.step = step or self.step
        asked = ["applicant"] if step and step.side == "firm" else []
        told = {"step_due": step.due if step else None, "step_side": step.side if step else None}
        self.record(AdviceContacted(**self._facts(*asked), on=contact.on, how=contact.how, **told))

    def finish_step(self) -> None:
        """Take the next step as done."""
        if self.step is None:
            raise ConflictError("Nothing is agreed at present")
        self.step = None
        self.record(AdviceStepDone(**self._facts()))

    def _facts(self, *notify: str) -> dict[str, Any]:
        return {
            "advice_id": self.id,
            "firm_id": self.organisation,
            "firm_name": self.organisation_name,
            "adviser_id": self.adviser,
            "adviser_name": self.adviser_name,
            "notify": list(notify),
        }
