"""Conflicts of interest on one case: derived from what is known, or declared; who has one does not judge it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from services.grants.domain.assessor import Assessor, Interest
from services.grants.domain.parties import parties_of
from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.events.grants.recusal import RecusalDeclared, RecusalLifted
from shared.workflow.requirements import Sentence

# Addresses that anybody can have say nothing about a firm.
PUBLIC_DOMAINS = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "yahoo.com",
        "icloud.com",
        "me.com",
        "aol.com",
        "gmx.com",
        "gmx.de",
        "mail.com",
        "proton.me",
        "protonmail.com",
        "zoho.com",
        "mail.ru",
        "bk.ru",
        "list.ru",
        "inbox.ru",
        "yandex.ru",
        "yandex.com",
        "ya.ru",
        "rambler.ru",
        "ukr.net",
        "abv.bg",
        "t.me",
        "mail.kz",
    ]
)
OWN, RELATED = "The applicant is your own organisation", "Your organisation and the applicant are related"
_TIES = {
    "employment": "You work or worked for %(name)s",
    "ownership": "You own or owned a part of %(name)s",
    "board": "You sit or sat on a board of %(name)s",
    "supplier": "%(name)s is your supplier or customer",
    "family": "You have family at %(name)s",
    "other": "You declared an interest in %(name)s",
}


class Firm(Part):
    """An organisation on a case, or a person's own: its name and number as they are compared, its mail domains."""

    id: str = ""
    name: str = ""
    key: str = ""
    number: str = ""
    domains: frozenset[str] = frozenset()


def domain_of(email: str) -> str:
    """Return the domain of an address, "" for one that anybody can have."""
    domain = email.rpartition("@")[2].strip().lower()
    return "" if domain in PUBLIC_DOMAINS else domain


def derived(own: Firm, interests: Sequence[Interest], firms: Sequence[Firm], today: date) -> Sentence | None:
    """Return the conflict that follows from what is known of a person and of the firms on a case, or None."""
    for firm in firms:
        if own.id and own.id == firm.id:
            return Sentence(OWN, code="conflict-own-organisation")
        if own.number and own.number == firm.number:
            return Sentence(f"{RELATED}: both have the number %(number)s", code="conflict-number", number=own.number)
        if shared := sorted(own.domains & firm.domains - {""}):
            said = f"{RELATED}: both write from %(domain)s"
            return Sentence(said, code="conflict-domain", domain=shared[0])
    for interest in interests:
        if interest.counts(today) and any(_meets(interest, firm) for firm in firms):
            return Sentence(_TIES[interest.tie], code=f"conflict-{interest.tie}", name=interest.name)
    return None


def _meets(interest: Interest, firm: Firm) -> bool:
    same_id = bool(interest.organisation) and interest.organisation == firm.id
    same_number = bool(interest.number) and interest.number == firm.number
    return same_id or same_number or (bool(interest.key) and interest.key == firm.key)


def ties_of(assessor: Assessor | None) -> list[Interest]:
    """Return the ties that a person has declared."""
    return assessor.interests if assessor else []


class Recusal(Entity):
    """A person who is out of one case. Its id is `<reference>:<user>`; declared by themselves, lifted by another."""

    KIND: ClassVar[str] = "recusal"
    # Why is a person's own affair: it is read on the case, by those who may.
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"nature"})

    application: str
    programme: str
    title: str
    organisation_name: str
    person: str
    person_name: str
    nature: str
    status: Literal["standing", "lifted"] = "standing"
    declared_at: datetime
    lifted_by: str | None = None
    lifted_by_name: str | None = None
    lifted_why: str = ""
    lifted_at: datetime | None = None

    def case(self) -> str:
        return self.application

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return parties_of(None, None, "manager")

    def _facts(self) -> dict[str, Any]:
        return {
            "reference": self.application,
            "title": self.title,
            "organisation_name": self.organisation_name,
            "person_id": self.person,
            "person_name": self.person_name,
            "notify": ["manager"],
        }

    @classmethod
    def declare(cls, **fields: Any) -> Recusal:
        """Return a new recusal."""
        recusal = cls(**fields)
        recusal._must_say(recusal.nature)
        recusal.record(RecusalDeclared(**recusal._facts()))
        return recusal

    @staticmethod
    def _must_say(nature: str) -> None:
        if not nature.strip():
            raise InvalidError({"nature": "is required: say what the conflict is"})

    def again(self, nature: str, now: datetime) -> None:
        """Declare anew after it was lifted."""
        if self.status == "standing":
            raise ConflictError("You have declared already")
        self._must_say(nature)
        self.status, self.nature, self.declared_at = "standing", nature, now
        self.record(RecusalDeclared(**self._facts()))

    def lift(self, by: str, by_name: str, why: str, now: datetime) -> None:
        """End the recusal: by another person, who says why."""
        if self.status != "standing":
            raise ConflictError("This recusal is lifted already")
        if by == f"user:{self.person}":
            raise ForbiddenError("You can't lift your own recusal; another person must")
        if not why.strip():
            raise InvalidError({"reason": "is required"})
        self.status, self.lifted_by, self.lifted_by_name = "lifted", by, by_name
        self.lifted_why, self.lifted_at = why, now
        self.record(RecusalLifted(**self._facts(), lifted_by=by_name, why=why))
