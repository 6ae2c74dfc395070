"""Bank details of organisations: entered by one, confirmed by another, free after the programme's cooling-off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from pydantic import Field
from rapidfuzz import fuzz
from sqlalchemy import Connection

from services.grants.domain import bank_account
from services.grants.domain.likeness import folded
from services.grants.domain.payee import Details, Letter, Payee, no_account
from services.grants.domain.pieces import Person
from services.grants.handlers.base import MAX_REFERENCE, Command, Packs, act_as, owns
from services.grants.handlers.standing import stand, ties_of
from services.grants.policy import POLICY
from services.grants.storage import payees as stored
from services.grants.storage import secrets
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.events.grants import RecordViewed
from shared.events.payment_rules import PayeeRules
from shared.vault import Vault
from shared.web.identity import Identity, must_have_confirmed

READ, LIST, REVEAL = "grants.payee.read", "grants.payee.list", "grants.payee.reveal"
ENTER, CONFIRM, REFUSE = "grants.payee.enter", "grants.payee.confirm", "grants.payee.refuse"
LIFT, BLOCK = "grants.payee.lift", "grants.payee.block"


class EnterDetails(Command):
    """An IBAN, or a domestic account with its country and bank; `version` is the payee's, 0 for the first details."""

    iban: str = Field(default="", max_length=60)
    bic: str = Field(default="", max_length=20)
    country: str = Field(default="", max_length=2)
    account: str = Field(default="", max_length=60)
    bank: str = Field(default="", max_length=120)
    holder: str = Field(default="", max_length=140)
    version: int = 0


class Confirmation(Command):
    """Details are right; `note` says how one made sure, where something is in doubt."""

    note: str = ""
    version: int


class Because(Command):
    """An act with its reason."""

    why: str = ""
    version: int


@dataclass(frozen=True)
class Seen:
    """An organisation's bank details as one person may see them; `numbers` is empty for who sees only masks."""

    organisation: str
    name: str
    places: list[str]
    own: bool
    payee: Payee | None
    numbers: dict[int, str]
    shared_with: dict[int, list[str]]
    hours: int
    programme: str


@dataclass(frozen=True)
class _Place:
    """Where somebody acts on an organisation's bank details."""

    id: str
    name: str
    programme: str
    role: str
    places: list[str]


def _place(connection: Connection, who: Identity, action: str, organisation: str) -> _Place:
    """Return in which role and programme `who` may do `action`; raises NotFoundError for who may not know of it."""
    POLICY.require(action, who)
    found = stored.find_organisation(connection, organisation[:MAX_REFERENCE])
    if found is None:
        raise NotFoundError("There is no such record")
    own, places = owns(who, found["id"]), stored.places(connection, found["id"])
    here = next((place for place in places if place in who.programmes), None)
    role = POLICY.role_for(action, who, own=own, programme=here)
    programme = here or next(iter(places or who.programmes), "")
    return _Place(found["id"], found["name"], programme, role, places)


def _acting(uow: UnitOfWork, who: Identity, place: _Place, reason: str | None = None) -> Person:
    """Return who acts; everybody who stands in for them anywhere now, or did on this payee, counts as them."""
    stand(uow, who, place.programme, f"payee:{place.id}")
    by = act_as(uow, place.role, reason)
    return by.model_copy(update={"as_one": by.as_one | {f"user:{tie.user}" for tie in ties_of(who)}})


def hours_of(connection: Connection, programme: str) -> int:
    """Return the cooling-off of a programme's newest pack, in hours."""
    pack = Packs(connection, programme).newest if programme else None
    rules = pack.payments.payee if pack else None
    return (rules or PayeeRules()).cooling_off_hours


def seen(uow: UnitOfWork, who: Identity, organisation: str, vault: Vault) -> Seen:
    """Return an organisation's bank details; whole numbers to finance, whose look is recorded, and to the owner."""
    place = _place(uow.connection, who, READ, organisation)
    payee, own = stored.find(uow.connection, place.id), owns(who, place.id)
    whole = _may(who, REVEAL, place)
    if whole and not own and payee:
        _looked(uow, who, place, "bank details")
    return Seen(
        organisation=place.id,
        name=place.name,
        places=place.places,
        own=own,
        payee=payee,
        numbers=stored.numbers(uow.connection, vault, place.id) if whole else {},
        shared_with={} if own else stored.others_with(uow.connection, vault, place.id),
        hours=hours_of(uow.connection, place.programme),
        programme=place.programme,
    )


def _may(who: Identity, action: str, place: _Place) -> bool:
    here = next((name for name in place.places if name in who.programmes), None)
    try:
        POLICY.role_for(action, who, own=owns(who, place.id), programme=here)
    except (ForbiddenError, NotFoundError):
        return False
    return True


def may(who: Identity, action: str, seen: Seen) -> bool:
    """Return whether `who` may try an act on these bank details."""
    return _may(who, action, _Place(seen.organisation, seen.name, seen.programme, "", seen.places))


def _looked(uow: UnitOfWork, who: Identity, place: _Place, what: str) -> None:
    act_as(uow, POLICY.role_for(REVEAL, who, own=owns(who, place.id), programme=place.programme))
    event = RecordViewed(record=f"payee:{place.id}", what=what)
    uow.record(event, entity=f"record:{uow.ids()}", programme=place.programme)


def enter(
    uow: UnitOfWork,
    who: Identity,
    organisation: str,
    command: EnterDetails,
    *,
    vault: Vault,
    store: DocumentStore,
    name: str,
    content: BinaryIO | None,
) -> Payee:
    """Enter bank details with the bank's letter that shows them; they wait for another person."""
    place = _place(uow.connection, who, ENTER, organisation)
    account = _read(command)
    if not place.programme:
        raise ConflictError("Bank details are asked for when there is something to pay: apply first")
    letter = _letter(uow.connection, store, vault, name, content)
    stored.lock(uow.connection, place.id)
    repository = stored.payees(uow)
    payee = repository.find(place.id, expected=command.version, for_update=True)
    if payee is None:
        payee = repository.add(Payee(id=place.id, name=place.name, programme=place.programme))
    _unused(uow, vault, payee, account.value)
    payee.name = place.name
    item = payee.enter(
        _acting(uow, who, place),
        uow.now(),
        place.programme,
        kind=account.kind,
        country=account.country,
        masked=bank_account.masked(account.value),
        bic=account.bic,
        bank=command.bank,
        holder=command.holder,
        resembles=round(fuzz.token_sort_ratio(folded(command.holder), folded(place.name))),
        letter=letter,
    )
    stored.keep_number(uow.connection, vault, place.id, item.number, account.value)
    return payee


def _letter(connection: Connection, store: DocumentStore, vault: Vault, name: str, content: BinaryIO | None) -> Letter:
    """Keep the bank's letter sealed, because it shows the whole number."""
    if content is None or not name:
        raise InvalidError({"file": "is required: the bank's letter or a statement that shows the account"})
    found, read = store.checked(name, content)
    secrets.keep(connection, store, vault, read)
    return Letter.model_validate(found.model_dump())


def _read(command: EnterDetails) -> bank_account.Read:
    wrong: dict[str, str] = {}
    if not command.holder:
        wrong["holder"] = "is required: the name on which the account is"
    if command.account and not command.bank:
        wrong["bank"] = "is required with an account number of a country without IBAN"
    try:
        return_ = bank_account.read(**command.model_dump(include={"iban", "bic", "country", "account"}))
    except InvalidError as error:
        raise InvalidError({**error.fields, **wrong}) from error
    if wrong:
        raise InvalidError(wrong)
    return return_


def _unused(uow: UnitOfWork, vault: Vault, payee: Payee, value: str) -> None:
    """Refuse the account that is in use already: there is nothing to change."""
    current = payee.current
    if current and stored.numbers(uow.connection, vault, payee.id).get(current.number) == value:
        raise ConflictError("The account %(masked)s is in use already: nothing changes", masked=current.masked)


def _payee(uow: UnitOfWork, place: _Place, version: int) -> Payee:
    return stored.payees(uow).get(place.id, expected=version)


def doubts(item: Details, shared_with: list[str]) -> list[Rule]:
    """Return what whoever confirms has to make sure of."""
    found = []
    if item.name_differs:
        found.append(Rule("the account is on the name “%(holder)s”", holder=item.holder))
    if shared_with:
        found.append(Rule("%(names)s gave the same account", names=", ".join(shared_with)))
    return found


def _not_theirs(who: Identity, place: _Place) -> None:
    if owns(who, place.id):
        raise ForbiddenError("You belong to the recipient's organisation; another person must do this")


def confirm(  # noqa: PLR0917 - whose, which and with which keys, beside what every act has
    uow: UnitOfWork, who: Identity, organisation: str, number: int, command: Confirmation, vault: Vault
) -> Payee:
    """Confirm bank details that another person entered, and who is not of that organisation."""
    place = _place(uow.connection, who, CONFIRM, organisation)
    _not_theirs(who, place)
    payee = _payee(uow, place, command.version)
    item = payee.entry(number)
    about = doubts(item, stored.others_with(uow.connection, vault, place.id).get(number, []))
    hours = hours_of(uow.connection, place.programme)
    by = _acting(uow, who, place, command.note or None)
    payee.confirm(number, by, uow.now(), note=command.note, doubts=about, programme=place.programme, hours=hours)
    return payee


def refuse(uow: UnitOfWork, who: Identity, organisation: str, number: int, command: Because) -> Payee:
    """Do not confirm; the organisation's own people, and who entered them, take details back so."""
    place = _place(uow.connection, who, REFUSE, organisation)
    payee = _payee(uow, place, command.version)
    by = _acting(uow, who, place, command.why or None)
    if place.role == "officer" and not by.is_one_of(payee.entry(number).entered_by):
        raise ForbiddenError("Finance decides about bank details that others entered")
    payee.refuse(number, by, uow.now(), why=command.why, programme=place.programme)
    return payee


def lift(uow: UnitOfWork, who: Identity, organisation: str, number: int, command: Because) -> Payee:
    """Let payments begin before the cooling-off is over: a manager, with the password given again and the reason."""
    place = _place(uow.connection, who, LIFT, organisation)
    _not_theirs(who, place)
    must_have_confirmed(who, uow.now())
    payee = _payee(uow, place, command.version)
    hours = hours_of(uow.connection, place.programme)
    by = _acting(uow, who, place, command.why or None)
    payee.lift(number, by, uow.now(), why=command.why, programme=place.programme, hours=hours)
    return payee


def block(uow: UnitOfWork, who: Identity, organisation: str, number: int, command: Because) -> Payee:
    """Pay no more to an account in use: the organisation itself or staff, at once."""
    place = _place(uow.connection, who, BLOCK, organisation)
    payee = _payee(uow, place, command.version)
    payee.block(number, _acting(uow, who, place, command.why), uow.now(), why=command.why, programme=place.programme)
    return payee


def letter(  # noqa: PLR0917 - what opens a letter, beside what every act has
    uow: UnitOfWork, who: Identity, organisation: str, number: int, store: DocumentStore, vault: Vault
) -> tuple[Letter, bytes]:
    """Return the bank's letter; it shows the number, so it is for those who may see that."""
    place = _place(uow.connection, who, REVEAL, organisation)
    payee = stored.find(uow.connection, place.id)
    if payee is None:
        raise NotFoundError("There is no such record")
    found = payee.entry(number).letter
    _looked(uow, who, place, f"bank letter {number}")
    return found, secrets.get(uow.connection, store, vault, found.sha256)


def listed(connection: Connection, who: Identity, *, waiting: bool) -> list[Payee]:
    """Return the payees of one's programmes, those that changed last first."""
    wide = "all" in POLICY.require(LIST, who).values()
    return stored.listed(connection, None if wide else who.programmes, waiting=waiting)


def must_be_payable(uow: UnitOfWork, organisation: str, name: str, programme: str, rules: PayeeRules | None) -> None:
    """Raise ConflictError with the reason when a programme may not pay to an organisation now."""
    if rules is None:
        return
    payee = stored.find(uow.connection, organisation)
    if payee is None:
        raise no_account(name)
    payee.must_be_payable(uow.now(), hours=rules.cooling_off_hours, programme=programme)
