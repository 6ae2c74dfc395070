"""Use cases of firms' profiles: who may, what is entered, and a proposal that is filled in from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from services.loans import storage
from services.loans.domain.firm import Fact, Firm, Person, prefill, read_content
from services.loans.domain.size import Size
from services.loans.handlers import access
from services.loans.policy import POLICY
from shared.database import UnitOfWork
from shared.errors import ConflictError, NotFoundError
from shared.web.forms import invalid
from shared.web.identity import Identity

READ, WRITE = "loans.firm.read", "loans.firm.write"


@dataclass(frozen=True)
class Place:
    """A firm, its programme, and from which side somebody looks at it: the firm, its adviser, the office."""

    organisation: str
    name: str
    programme: str
    side: str


def place(uow: UnitOfWork, who: Identity, organisation: str, action: str) -> Place:
    """Return a firm that `who` may do `action` to; whoever may not know of it gets NotFoundError.

    An adviser is whom the firm itself has chosen to support one of its proposals.
    """
    short = len(organisation) <= access.MAX_REFERENCE
    row = storage.firm_place(uow.connection, organisation) if short else None
    if row is None:
        raise NotFoundError("There is no such record")
    own = who.organisation == organisation
    adviser = not own and bool(who.organisation) and storage.advises(uow.connection, who.organisation or "", row.id)
    role = POLICY.role_for(action, who, own=own or adviser, programme=row.programme)
    side = "firm" if own else "adviser" if role == "applicant" else "office"
    return Place(row.id, row.name, row.programme or _programme(uow, who), side)


def advisers(uow: UnitOfWork, who: Identity, organisation: str) -> list[Any]:
    """Return who advises a firm, for the firm itself and the office: an adviser is not told of others."""
    if place(uow, who, organisation, "loans.firm.advisers").side == "adviser":
        raise NotFoundError("There is no such record")
    return storage.advisers_of(uow.connection, organisation)


def part(uow: UnitOfWork, who: Identity, organisation: str, adviser: str) -> list[str]:
    """End an adviser's access to the firm in all its proposals; returns them. Only the firm itself does that."""
    if place(uow, who, organisation, "loans.firm.part").side != "firm":
        raise NotFoundError("There is no such record")
    found = storage.advised_by(uow.connection, adviser, organisation) if len(adviser) <= access.MAX_REFERENCE else []
    if not found:
        raise ConflictError("This organisation does not advise you, or its access has ended already")
    for reference in found:
        storage.proposals(uow).get(reference).end_support(uow.now())
    return found


def _programme(uow: UnitOfWork, who: Identity) -> str:
    """Return the first programme of a person that has rules for loans."""
    for programme in who.programmes:
        if storage.finance_of(uow.connection, programme):
            return programme
    raise ConflictError("None of your programmes has rules for loans yet")


@dataclass(frozen=True)
class Opened:
    """A profile as it stands; `size` is None where the programme has no rule for it."""

    firm: Firm
    place: Place
    size: Size | None


def open_firm(uow: UnitOfWork, who: Identity, organisation: str) -> Opened:
    """Return a profile for reading, an empty one where nothing is entered yet; a view from outside is recorded."""
    where = place(uow, who, organisation, READ)
    if where.side != "firm":
        access.viewed(uow, f"firm:{where.organisation}", "the profile", case=organisation, programme=where.programme)
    finance, currency = access.rules(uow, where.programme)
    found = storage.firms(uow).find(organisation) or _new(where, currency)
    return Opened(found, where, found.size(finance.size) if finance.size else None)


def _new(where: Place, currency: str) -> Firm:
    return Firm(id=where.organisation, name=where.name, programme=where.programme, currency=currency)


def enter(uow: UnitOfWork, who: Identity, organisation: str, fact: Fact, *, version: int | None = None) -> Firm:
    """Enter a fact, or correct one; raises InvalidError naming each field and rule."""
    where = place(uow, who, organisation, WRITE)
    firms = storage.firms(uow)
    firm = firms.find(organisation, expected=version, for_update=True)
    try:
        content = read_content(fact.topic, fact.content)
    except ValidationError as error:
        raise invalid(error) from error
    if firm is None:
        firm = firms.add(_new(where, access.rules(uow, where.programme)[1]))
    firm.enter(fact, content, side=where.side, by=(who.user, who.name), now=uow.now(), today=access.today(uow))
    return firm


def named(uow: UnitOfWork, where: Place) -> Firm:
    """Return a firm's profile for changing it, a new one where there is none."""
    firms = storage.firms(uow)
    found = firms.find(where.organisation, for_update=True)
    return found or firms.add(_new(where, access.rules(uow, where.programme)[1]))


def name_person(uow: UnitOfWork, who: Identity, organisation: str, name: str, role: str) -> Person:
    """Name somebody of a firm, who can then be enrolled in courses."""
    return named(uow, place(uow, who, organisation, WRITE)).name_person(name, role)


def erase_person(uow: UnitOfWork, who: Identity, organisation: str, number: int) -> None:
    """Erase the name of somebody of a firm, everywhere at once: it stands nowhere else."""
    named(uow, place(uow, who, organisation, WRITE)).erase_person(number)


def known(uow: UnitOfWork, organisation: str) -> Firm | None:
    """Return a firm's profile where there is one."""
    return storage.firms(uow).find(organisation)


def fill_in(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> None:
    """Bring the blocks of a draft that the profile knows up to its newest entries, and pin it to them."""
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", version=version)
    firm = known(uow, proposal.organisation)
    if firm is None or not firm.number:
        raise ConflictError("The firm's profile says nothing yet")
    proposal.fill_in(prefill(firm), firm.number)


def listed(who: Identity) -> tuple[str, ...]:
    """Return the programmes whose profiles a person may list: those of the office's people, none of others."""
    return tuple(who.programmes) if "programme" in POLICY.scopes(READ, who).values() else ()


def entries_of(uow: UnitOfWork, organisation: str) -> int:
    """Return how many entries a firm's profile has."""
    firm = known(uow, organisation)
    return firm.number if firm else 0
