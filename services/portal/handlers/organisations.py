"""The register of organisations: entered by themselves or by staff; what matters is confirmed by a second person."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping

from services.portal import storage
from services.portal.domain import numbers
from services.portal.domain.organisation import OWN, WEIGHTY, Facts, Organisation, checked, checked_own
from services.portal.policy import POLICY
from services.portal.storage import register as stored
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.names import latin
from shared.web.identity import Identity

LIST, READ, CHANGE = "portal.organisation.list", "portal.organisation.read", "portal.organisation.change"
FOUND, REGISTER, DECIDE = "portal.organisation.found", "portal.organisation.register", "portal.organisation.decide"
MINE = "portal.organisation.mine"
_HOUSE = "programme_office"


class OrganisationFacts(BaseModel):
    """All that is known of an organisation, as it is to be; an empty text is nothing."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(default="", max_length=200)
    kind: str = Field(default="", max_length=40)
    country: str = Field(default="", max_length=2)
    registration_number: str = Field(default="", max_length=60)
    tax_number: str = Field(default="", max_length=60)
    address: str = Field(default="", max_length=500)
    website: str = Field(default="", max_length=300)
    contact: str = Field(default="", max_length=200)
    email: str = Field(default="", max_length=254)
    phone: str = Field(default="", max_length=40)

    def parts(self) -> tuple[Facts, Facts]:
        """Return what waits for a second person and what does not; raises InvalidError that names every wrong field."""
        given: Facts = {name: value or None for name, value in self.model_dump(exclude={"version", "id"}).items()}
        given["country"] = given["country"].upper() if given["country"] else None
        wrong: dict[str, str] = {}
        weighty, own = ({name: given[name] for name in names} for names in (WEIGHTY, OWN))
        for check, facts in ((checked, weighty), (checked_own, own)):
            try:
                facts.update(check(facts))
            except InvalidError as error:
                wrong |= error.fields
        if wrong:
            raise InvalidError(wrong)
        return weighty, own


class ChangeOrganisation(OrganisationFacts):
    """Facts of an organisation; `version` is the one that was looked at."""

    version: int


class RegisterOrganisation(OrganisationFacts):
    """A new organisation; without an id one is made of its name."""

    id: str = Field(default="", max_length=60)


class Decision(BaseModel):
    """What waits is right, or not and why; `version` is the one that was looked at."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    confirm: bool
    why: str = Field(default="", max_length=1000)
    version: int


@dataclass(frozen=True)
class Seen:
    """An organisation as one person may see it, with what they may do; `rules` says by what each number is checked."""

    item: Organisation
    own: bool
    people: list[RowMapping]
    rules: dict[str, str]
    may_change: bool
    may_decide: bool
    may_take_back: bool
    twins: dict[str, RowMapping]


def _actor(who: Identity) -> tuple[str, str]:
    return f"user:{who.user}", who.name


def _owns(uow: UnitOfWork, who: Identity, organisation_id: str) -> bool:
    if who.organisation == organisation_id:
        return True
    return who.organisation is None and stored.founded_by(uow.connection, who.user) == organisation_id


def _role(uow: UnitOfWork, who: Identity, action: str, organisation_id: str) -> str:
    """Return in which role `who` may do this; raises NotFoundError for who may not know of the organisation."""
    role = POLICY.role_for(action, who, own=_owns(uow, who, organisation_id[:80]))
    actor = uow.context.actor
    uow.context = replace(uow.context, actor=actor.model_copy(update={"role": role}))
    return role


def _may(uow: UnitOfWork, who: Identity, action: str, organisation_id: str) -> bool:
    try:
        POLICY.role_for(action, who, own=_owns(uow, who, organisation_id))
    except (ForbiddenError, NotFoundError):
        return False
    return True


def _is_staff(who: Identity) -> bool:
    return bool(POLICY.scopes(LIST, who))


def seen(uow: UnitOfWork, who: Identity, organisation_id: str) -> Seen:
    """Return an organisation that `who` may see, with what waits and who else has the same numbers."""
    POLICY.require(READ, who)
    _role(uow, who, READ, organisation_id)
    item = storage.organisations(uow).find(organisation_id[:80])
    if item is None:
        raise NotFoundError("There is no such record")
    facts = {name: getattr(item, name) for name in WEIGHTY} | (item.proposal.facts if item.proposal else {})
    country = facts["country"]
    mine = item.proposal is not None and item.proposal.by == f"user:{who.user}"
    may_decide = _may(uow, who, DECIDE, item.id)
    return Seen(
        item=item,
        own=_owns(uow, who, item.id),
        people=stored.people_of(uow.connection, item.id),
        rules={
            "registration_number": numbers.rule_of("registration", country),
            "tax_number": numbers.rule_of("tax", country),
        },
        may_change=_may(uow, who, CHANGE, item.id),
        may_decide=item.proposal is not None and may_decide and not mine and not _partial(who, item),
        may_take_back=mine,
        twins=stored.with_number(uow.connection, facts, item.id) if _is_staff(who) else {},
    )


def _partial(who: Identity, item: Organisation) -> bool:
    """Return whether somebody belongs to the organisation; the programme office has nobody but its own people."""
    return who.organisation == item.id and item.kind != _HOUSE


def _must_be_alone(uow: UnitOfWork, who: Identity, facts: Facts, organisation_id: str) -> None:
    """Refuse numbers that another organisation of the country has; only staff are told which."""
    wrong: dict[str, str] = {}
    for field, row in stored.with_number(uow.connection, facts, organisation_id).items():
        wrong[field] = (
            Rule("belongs to %(name)s (%(id)s) already", name=row["name"], id=row["id"])
            if _is_staff(who)
            else "belongs to another organisation already: ask your programme's officer"
        )
    if wrong:
        raise InvalidError(wrong)


def change(uow: UnitOfWork, who: Identity, organisation_id: str, command: ChangeOrganisation) -> Organisation:
    """Change what is known: address, website and contacts at once; name, type, country and numbers when confirmed."""
    POLICY.require(CHANGE, who)
    _role(uow, who, CHANGE, organisation_id)
    weighty, own = command.parts()
    stored.lock(uow.connection)
    item = storage.organisations(uow).find(organisation_id[:80], expected=command.version, for_update=True)
    if item is None:
        raise NotFoundError("There is no such record")
    _must_be_alone(uow, who, weighty, item.id)
    kept = item.keep(own)
    proposed = item.propose(weighty, by=_actor(who), at=uow.now())
    if not kept and not proposed:
        raise ConflictError("Nothing differs from what is known of %(name)s", name=item.name)
    return item


def decide(uow: UnitOfWork, who: Identity, organisation_id: str, command: Decision) -> Organisation:
    """Confirm or refuse what waits: never the person who entered it, nor anybody of that organisation.

    Whoever entered it may take it back, which is a refusal of their own.
    """
    POLICY.require(CHANGE, who)
    _role(uow, who, CHANGE, organisation_id)
    stored.lock(uow.connection)
    item = storage.organisations(uow).find(organisation_id[:80], expected=command.version, for_update=True)
    if item is None:
        raise NotFoundError("There is no such record")
    may = _may(uow, who, DECIDE, item.id) and not _partial(who, item)
    if command.why:
        uow.context = uow.context.because(command.why)
    if not command.confirm:
        item.refuse(command.why, by=_actor(who), at=uow.now(), may_decide=may)
        return item
    if not may:
        raise ForbiddenError("Staff who do not belong to this organisation confirm what it entered")
    facts = {name: getattr(item, name) for name in WEIGHTY} | (item.proposal.facts if item.proposal else {})
    _must_be_alone(uow, who, facts, item.id)
    founder = item.confirm(f"user:{who.user}")
    if founder:
        storage.users(uow).get(founder).join(item.id)
    return item


def register(uow: UnitOfWork, who: Identity, command: RegisterOrganisation) -> Organisation:
    """Register an organisation as staff: known at once, checked as every other one."""
    POLICY.require(REGISTER, who)
    weighty, own = command.parts()
    stored.lock(uow.connection)
    _must_be_alone(uow, who, weighty, "")
    name = command.id or stored.free_id(uow.connection, slug(command.name))
    if storage.organisations(uow).find(name) is not None:
        raise InvalidError({"id": "belongs to another organisation already"})
    return storage.organisations(uow).add(Organisation.register(id=name, **weighty, **own))


def found(uow: UnitOfWork, who: Identity, command: OrganisationFacts) -> Organisation:
    """Enter the organisation that one belongs to: it is known, and one's own, when staff have confirmed it."""
    POLICY.require(FOUND, who)
    if who.organisation is not None:
        raise ConflictError("You belong to %(name)s already", name=who.organisation_name or who.organisation)
    weighty, own = command.parts()
    stored.lock(uow.connection)
    if (waiting := stored.founded_by(uow.connection, who.user)) is not None:
        raise ConflictError("Your organisation waits to be confirmed already (%(id)s)", id=waiting)
    _must_be_alone(uow, who, weighty, "")
    name = stored.free_id(uow.connection, slug(command.name))
    item = Organisation.found(name, weighty, own, by=_actor(who), at=uow.now())
    return storage.organisations(uow).add(item)


def slug(name: str) -> str:
    """Return an id that can be read: the name in small Latin letters with hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", latin(name)))[:50].strip("-") or "organisation"


def view(seen: Seen) -> dict[str, Any]:
    """Return an organisation as JSON types; who entered what waits is for those who decide and who entered it."""
    item = seen.item.model_dump(mode="json")
    rules = {name: rule or "format" for name, rule in seen.rules.items()}
    twins = {field: {"id": row["id"], "name": row["name"]} for field, row in seen.twins.items()}
    may = {"change": seen.may_change, "decide": seen.may_decide, "take_back": seen.may_take_back}
    return item | {"checked_by": rules, "same_number": twins, "may": may}
