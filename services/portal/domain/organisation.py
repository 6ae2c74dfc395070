"""Organisations: what everybody may rely on waits for a second person, the rest is their own to keep up to date."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from services.portal.domain import numbers
from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.portal import (
    OrganisationChanged,
    OrganisationChangeProposed,
    OrganisationChangeRefused,
    OrganisationRegistered,
)

ORGANISATION_KINDS = ("programme_office", "bso", "lead_firm", "msme", "finance_partner", "guarantor", "other")
WEIGHTY = ("name", "kind", "country", "registration_number", "tax_number")
OWN = ("address", "website", "contact", "email", "phone")
MOST = {"name": 200, "address": 500, "website": 300, "contact": 200, "email": 254, "phone": 40, "why": 1000}
_WEBSITE = re.compile(r"https?://[^\s/]+\.[^\s]+", re.IGNORECASE)
EMAIL = re.compile(r"[^@\s<>\"(),:;\\]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?", re.IGNORECASE)
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{4,38}")
Facts = dict[str, str | None]


class Proposal(Part):
    """Facts that wait to be confirmed: `facts` has those alone that are to be others."""

    facts: Facts
    by: str
    by_name: str
    at: datetime
    founder: str | None = None  # who belongs to a new organisation as soon as it is confirmed


class Refusal(Part):
    """What became of the last proposal that was not confirmed."""

    facts: Facts
    why: str
    by_name: str
    at: datetime


class Organisation(Entity):
    """A business support organisation, firm, bank or programme office. Its id is a slug."""

    KIND = "organisation"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"contact", "email", "phone"})

    name: str
    kind: str
    country: str | None = None
    registration_number: str | None = None
    tax_number: str | None = None
    address: str | None = None
    website: str | None = None
    contact: str | None = None
    email: str | None = None
    phone: str | None = None
    standing: Literal["known", "waits", "refused"] = "known"
    proposal: Proposal | None = None
    refusal: Refusal | None = None

    @classmethod
    def register(cls, **facts: Any) -> Organisation:
        """Return a new organisation; raises InvalidError that names each field and rule."""
        organisation = cls(**facts)
        wrong = _wrong_id(organisation.id) | wrong_facts(facts)
        if wrong:
            raise InvalidError(wrong)
        organisation.record(OrganisationRegistered(**organisation._told()))
        return organisation

    @classmethod
    def found(cls, organisation_id: str, facts: Facts, own: Facts, *, by: tuple[str, str], at: datetime) -> Self:
        """Return an organisation that somebody says they belong to; nobody knows of it until staff confirm it."""
        name, kind = str(facts["name"]), str(facts["kind"])
        organisation = cls(id=organisation_id, name=name, kind=kind, standing="waits", **own)
        organisation._propose(facts, by, at, founder=by[0].removeprefix("user:"))
        return organisation

    def keep(self, own: Facts) -> bool:
        """Take over what is the organisation's own to say, at once; returns whether anything differs."""
        changed = {name: value for name, value in own.items() if getattr(self, name) != value}
        for name, value in changed.items():
            setattr(self, name, value)
        if changed and self.standing == "known":
            self.record(OrganisationChanged(**self._told()))
        return bool(changed)

    def propose(self, facts: Facts, *, by: tuple[str, str], at: datetime) -> bool:
        """Let other facts wait for a second person; returns whether there are any.

        What waits already is replaced by whoever entered it; that of somebody else comes first.
        """
        changed = {name: value for name, value in facts.items() if getattr(self, name) != value}
        if not changed or (self.proposal and self.proposal.facts == changed):
            return False
        if self.proposal and self.proposal.by != by[0]:
            raise ConflictError(
                "What %(who)s entered waits to be confirmed (%(fields)s): that comes first",
                who=self.proposal.by_name,
                fields=", ".join(sorted(self.proposal.facts)),
            )
        self._propose(changed, by, at, founder=self.proposal.founder if self.proposal else None)
        return True

    def _propose(self, facts: Facts, by: tuple[str, str], at: datetime, founder: str | None) -> None:
        self.proposal = Proposal(facts=facts, by=by[0], by_name=by[1], at=at, founder=founder)
        self.standing = "known" if self.standing == "known" else "waits"
        self.record(
            OrganisationChangeProposed(
                organisation_id=self.id, name=self.name, facts=facts, proposed_by=by[0], new=self.standing == "waits"
            )
        )

    def _waiting(self) -> Proposal:
        if self.proposal is None:
            raise ConflictError("Nothing of %(name)s waits to be confirmed", name=self.name)
        return self.proposal

    def confirm(self, by: str) -> str | None:
        """Take over what waits, by another person than entered it; returns who belongs to a new organisation."""
        item = self._waiting()
        if item.by == by:
            raise ForbiddenError("You entered this yourself: another person confirms or refuses it")
        for name, value in item.facts.items():
            setattr(self, name, value)
        is_new, self.proposal, self.refusal, self.standing = self.standing != "known", None, None, "known"
        if is_new:
            self.record(OrganisationRegistered(**self._told()))
            return item.founder
        self.record(OrganisationChanged(**self._told(), proposed_by=item.by))
        return None

    def refuse(self, why: str, *, by: tuple[str, str], at: datetime, may_decide: bool) -> None:
        """Do not take over what waits, with the reason; whoever entered it may only take it back."""
        item = self._waiting()
        if not 3 <= len(why.strip()) <= MOST["why"]:
            raise InvalidError({"why": Rule("must have 3 to %(most)s letters", most=MOST["why"])})
        if item.by != by[0] and not may_decide:
            raise ForbiddenError("%(who)s entered this, and staff decide about it", who=item.by_name)
        self.refusal = Refusal(facts=item.facts, why=why.strip(), by_name=by[1], at=at)
        self.proposal = None
        self.standing = "known" if self.standing == "known" else "refused"
        self.record(
            OrganisationChangeRefused(
                organisation_id=self.id, facts=item.facts, proposed_by=item.by, why=why.strip(), own=item.by == by[0]
            )
        )

    def parties(self) -> dict[str, list[str]]:
        """Return who decides about what waits."""
        return {"officer": ["role:officer"], "manager": ["role:programme_manager"]} if self.proposal else {}

    def _told(self) -> dict[str, Any]:
        return {"organisation_id": self.id} | {name: getattr(self, name) for name in (*WEIGHTY, "address", "website")}


def _wrong_id(given: str) -> dict[str, str]:
    return (
        {}
        if re.fullmatch(r"[a-z0-9][a-z0-9-]{1,59}", given)
        else {"id": "must be 2 to 60 small letters, digits and hyphens"}
    )


def wrong_facts(facts: Any) -> dict[str, str]:
    """Return {field: rule} of what an organisation can't be called or be."""
    wrong: dict[str, str] = {}
    if not 1 <= len(str(facts.get("name") or "").strip()) <= MOST["name"]:
        wrong["name"] = "must have 1 to 200 letters"
    if facts.get("kind") not in ORGANISATION_KINDS:
        wrong["kind"] = "is not a kind of organisation"
    return wrong


def checked(facts: Facts) -> Facts:
    """Return weighty facts as they are kept, numbers by their country's rule; raises InvalidError that names each."""
    wrong, found = wrong_facts(facts), dict(facts)
    country = facts.get("country")
    if country not in numbers.COUNTRIES:
        needed = "is required: two letters of ISO 3166, such as MK"
        wrong["country"] = "is no country of ISO 3166" if country else needed
    for kind, field in (("registration", "registration_number"), ("tax", "tax_number")):
        given = facts.get(field)
        if given and "country" not in wrong:
            try:
                found[field] = numbers.read(kind, country, given, field).value  # type: ignore[arg-type]  # as they are called
            except InvalidError as error:
                wrong |= error.fields
    if wrong:
        raise InvalidError(wrong)
    return found


def checked_own(own: Facts) -> Facts:
    """Return what is the organisation's own to say; raises InvalidError for each field that breaks its rule."""
    wrong: dict[str, str] = {
        name: Rule("must have at most %(most)s letters", most=MOST[name])
        for name, value in own.items()
        if value and len(value) > MOST[name]
    }
    shapes = (
        ("website", _WEBSITE, "must begin with https:// or http:// and name a site"),
        ("email", EMAIL, "is not an e-mail address"),
        ("phone", _PHONE, "must have 6 to 40 digits, with spaces and hyphens between"),
    )
    for name, shape, rule in shapes:
        value = own.get(name)
        if value and name not in wrong and not shape.fullmatch(value):
            wrong[name] = rule
    if wrong:
        raise InvalidError(wrong)
    return own
