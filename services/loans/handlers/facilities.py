"""Use cases of guarantee facilities: propose, approve, refuse, close; how much of one is used on a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from services.loans import storage
from services.loans.domain.facility import Change, Facility, FacilityTerms
from services.loans.domain.guarantee_sums import Room
from services.loans.handlers import access
from shared.database import UnitOfWork
from shared.errors import ForbiddenError, InvalidError, NotFoundError
from shared.money import Money, total
from shared.web.forms import invalid
from shared.web.identity import Identity, must_have_confirmed

CHANGE = "loans.facility.change"


def room(uow: UnitOfWork, facility: Facility) -> Room:
    """Return how much of a facility is used; who holds its row's lock can rely on it."""
    row, currency = storage.used(uow.connection, [facility.id]).get(facility.id), facility.terms.currency
    committed, spent = (row.committed, row.spent) if row else (Decimal(0), Decimal(0))
    return Room(facility.terms.limit(), Money.of(committed, currency), Money.of(spent, currency))


def cap_left(uow: UnitOfWork, facility: Facility) -> Money:
    """Return what the cap on claims leaves to be paid."""
    row = storage.used(uow.connection, [facility.id]).get(facility.id)
    net = Money.of(row.net if row else 0, facility.terms.currency)
    return max(facility.terms.cap() - net, Money.zero(facility.terms.currency))


def step_up(uow: UnitOfWork, who: Identity, item: Any, act: str) -> None:
    """Ask for the password again where the programme's pack wants it for this act of a guarantor."""
    found = access.rules(uow, item.programme)[0].guarantor(item.guarantor)
    if found and act in found.step_up:
        must_have_confirmed(who, uow.now())


def begin(uow: UnitOfWork, who: Identity, terms: FacilityTerms, *, programme: str = "", why: str = "") -> Facility:
    """Propose a new facility of the person's own organisation, which the programme's pack names as a guarantor."""
    programme = programme or (who.programmes[0] if who.programmes else "")
    if programme not in who.programmes:
        raise NotFoundError("There is no such record")
    finance, currency = access.rules(uow, programme)
    names, own = storage.guarantors(uow.connection), who.organisation or ""
    if finance.guarantor(own) is None or own not in names:
        raise ForbiddenError("Your organisation is no guarantor of the programme")
    facility = Facility(
        id=uow.next_reference("GFC"), programme=programme, guarantor=own, guarantor_name=names[own], terms=terms
    )
    storage.facilities(uow).add(facility)
    facility.propose(_change(uow, who, terms, why), finance, currency, Money.zero(terms.currency))
    return facility


def adopt(uow: UnitOfWork, who: Identity, programme: str = "") -> list[Facility]:
    """Propose the facilities of the programme's pack that this guarantor does not have yet, known by their names."""
    programme = programme or (who.programmes[0] if who.programmes else "")
    if programme not in who.programmes:
        raise NotFoundError("There is no such record")
    finance, _ = access.rules(uow, programme)
    page = storage.facility_rows(uow.connection, guarantor=who.organisation or "", limit=200)
    known, made = {row.name for row in page.items if row.stage != "refused"}, []
    for index, item in enumerate(finance.facilities):
        if item.guarantor != who.organisation:
            continue
        try:
            terms = FacilityTerms.model_validate(item.terms)
        except ValidationError as error:
            wrong = invalid(error).fields
            raise InvalidError({f"facilities.{index}.{name}": why for name, why in wrong.items()}) from error
        if terms.said("en") not in known:
            made.append(begin(uow, who, terms, programme=programme))
    return made


def _change(uow: UnitOfWork, who: Identity, terms: FacilityTerms, why: str) -> Change:
    return Change(terms=terms, by=who.user, by_name=who.name, at=uow.now(), why=why)


def _own(uow: UnitOfWork, who: Identity, reference: str, version: int | None) -> Facility:
    access.scoped(uow, who, "facility", reference, CHANGE)
    return storage.facilities(uow).get(reference, expected=version)


def propose(
    uow: UnitOfWork, who: Identity, reference: str, terms: FacilityTerms, why: str = "", *, version: int | None = None
) -> Facility:
    """Let changed terms wait for another person of the guarantor."""
    facility = _own(uow, who, reference, version)
    finance, currency = access.rules(uow, facility.programme)
    facility.propose(_change(uow, who, terms, why), finance, currency, room(uow, facility).used)
    return facility


def approve(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Facility:
    """Let the terms that wait hold."""
    facility = _own(uow, who, reference, version)
    step_up(uow, who, facility, "approve_facility")
    facility.approve(who.user, who.name, uow.now(), room(uow, facility).used)
    return facility


def refuse(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Facility:
    """Drop the terms that wait."""
    facility = _own(uow, who, reference, version)
    facility.refuse(why)
    return facility


def close(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Facility:
    """Issue no guarantee under it any more."""
    facility = _own(uow, who, reference, version)
    facility.close(why)
    return facility


def open_facility(uow: UnitOfWork, who: Identity, reference: str) -> Facility:
    """Return a facility for reading."""
    access.scoped(uow, who, "facility", reference, "loans.facility.read")
    return storage.facilities(uow).get(reference, for_update=False)


def seen_by(who: Identity) -> dict[str, Any]:
    """Return which facilities a person sees: a guarantor its own, everybody else the approved of their programmes."""
    return {"guarantor": who.organisation or ""} if "guarantor" in who.roles else {"programmes": who.programmes}


@dataclass
class Part:
    """What one bank has of a facility."""

    bank: str
    bank_name: str
    guarantees: int
    committed: Money
    outstanding: Money
    guaranteed: Money


@dataclass(frozen=True)
class Utilisation:
    """A facility on a day: sums of its guarantees by the tapes up to that day, and its free room."""

    day: date
    ceiling: Money
    committed: Money
    spent: Money
    outstanding: Money  # principal of the loans
    guaranteed: Money
    paid: Money  # on claims, less what came back
    cap: Money
    parts: list[Part] = field(default_factory=list)

    @property
    def free(self) -> Money:
        return Room(self.ceiling, self.committed, self.spent).free


def tapes_on(uow: UnitOfWork, programme: str, bank: str | None, day: date) -> list[str]:
    """Return the newest tape of each bank up to a day, of those that count now."""
    rows = storage.counted(uow.connection, programme, bank, day, uow.now())
    return list({row.bank: row.id for row in rows if row.superseded_at is None}.values())


def utilisation(uow: UnitOfWork, facility: Facility, day: date | None = None) -> Utilisation:
    """Return how much of a facility is used on a day, today when none is given; by bank too."""
    today = access.today(uow)
    day = day or today
    if day > today:
        raise InvalidError({"as_of": "must not be in the future"})
    tapes, currency = tapes_on(uow, facility.programme, None, day), facility.terms.currency
    rows = storage.held(uow.connection, day, tapes, programme=facility.programme, of=facility.id)
    names = storage.banks(uow.connection)

    def sums(items: list[storage.Held], name: str) -> Money:
        return total((getattr(item, name) for item in items), currency)

    by: dict[str, list[storage.Held]] = {}
    for row in rows:
        if row.committed:
            by.setdefault(row.bank, []).append(row)
    return Utilisation(
        day=day,
        ceiling=facility.terms.limit(),
        cap=facility.terms.cap(),
        **{name: sums(rows, name) for name in ("committed", "spent", "outstanding", "guaranteed", "paid")},
        parts=[
            Part(
                bank,
                names.get(bank, bank),
                len(held),
                *(sums(held, n) for n in ("committed", "outstanding", "guaranteed")),
            )
            for bank, held in sorted(by.items())
        ],
    )
