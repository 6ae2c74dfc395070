"""Delegations: made by who will be away or by the programme manager, ended before their day."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, RowMapping

from services.grants.domain.delegation import Delegation
from services.grants.handlers.base import MAX_REFERENCE, STAFF, Command, act_as
from services.grants.handlers.standing import LENDABLE, Acting
from services.grants.handlers.tasks import calendar_of
from services.grants.policy import POLICY
from services.grants.storage import delegations as stored
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.web.identity import Identity

READ, MAKE = "grants.delegation.read", "grants.delegation.make"


class MakeDelegation(Command):
    """From the first day to the last, `delegate` acts for `delegator` ("" for oneself) in a role of a programme."""

    programme: str = ""
    role: str
    delegator: str = ""
    delegate: str
    first_day: date
    last_day: date
    why: str = ""


class EndDelegation(Command):
    """A delegation is to end now."""

    version: int


def make(uow: UnitOfWork, who: Identity, command: MakeDelegation) -> Delegation:
    """Let somebody stand in; for another person it takes the programme manager, in their own right."""
    programme = command.programme or (who.programmes[0] if who.programmes else "")
    role = POLICY.role_for(MAKE, who, programme=programme)
    away = command.delegator or who.user
    if away != who.user and not _manages(who, programme):
        raise ForbiddenError("Only the programme manager lets people stand in for others than themselves")
    if command.role == "reviewer":
        raise InvalidError({"role": "A review is personal: nobody stands in for it. An officer asks another reviewer"})
    if command.role not in LENDABLE:
        raise InvalidError({"role": Rule("must be one of: %(names)s", names=", ".join(LENDABLE))})
    delegator = _person(uow.connection, away, programme, "delegator")
    if command.role not in delegator["roles"]:
        raise InvalidError({"role": Rule("%(name)s does not have this role", name=delegator["name"])})
    delegate = _person(uow.connection, command.delegate, programme, "delegate")
    _reach(delegate, command.role, programme)
    act = act_as(uow, role, command.why)
    calendar, today = calendar_of(uow.connection, programme, uow.now())
    made = Delegation.make(
        id=str(uow.ids()),
        programme=programme,
        role=command.role,
        delegator=delegator["id"],
        delegator_name=delegator["name"],
        delegate=delegate["id"],
        delegate_name=delegate["name"],
        first_day=command.first_day,
        last_day=command.last_day,
        why=command.why,
        made_by_name=act.name,
        today=today,
        calendar=calendar,
    )
    stored.lock(uow.connection, programme)
    _alone(uow.connection, made)
    return stored.delegations(uow).add(made)


def _manages(who: Identity, programme: str) -> bool:
    own = who.own_roles if isinstance(who, Acting) else who.roles
    return "programme_manager" in own and programme in who.programmes


def _person(connection: Connection, user: str, programme: str, field: str) -> RowMapping:
    person = reads.find_person(connection, user[:MAX_REFERENCE])
    fits = person is not None and person["active"] and programme in person["programmes"]
    if person is None or not fits or not set(STAFF) & set(person["roles"]):
        raise InvalidError({field: "is nobody of this programme's staff"})
    return person


def _reach(delegate: RowMapping, role: str, programme: str) -> None:
    """Refuse a role that would reach further than it is lent for."""
    others = sorted(set(delegate["programmes"]) - {programme})
    if role not in delegate["roles"] and others:
        message = "%(name)s works in %(others)s too, where this role would count as well: choose somebody who has it"
        raise InvalidError({"delegate": Rule(message, name=delegate["name"], others=", ".join(others))})


def _alone(connection: Connection, made: Delegation) -> None:
    """Refuse a second one across the same days, and one that leans on somebody who is away or stands in themselves."""
    for row in stored.overlapping(connection, made):
        other = Delegation.stored(row["state"], row["version"])
        raise ConflictError(
            "%(delegate)s acts for %(delegator)s from %(first)s to %(last)s already: nobody stands in at second hand",
            delegate=other.delegate_name,
            delegator=other.delegator_name,
            first=other.first_day,
            last=other.last_day,
        )


def end(uow: UnitOfWork, who: Identity, delegation_id: str, command: EndDelegation) -> Delegation:
    """End a delegation: who was away, who stands in, or the programme manager."""
    seen = stored.find(uow.connection, delegation_id[:MAX_REFERENCE])
    if seen is None or not may_end(who, seen):
        POLICY.require(MAKE, who)
        raise NotFoundError("There is no such record")
    act = act_as(uow, POLICY.role_for(MAKE, who, programme=seen.programme))
    delegation = stored.delegations(uow).get(seen.id, expected=command.version)
    delegation.end(act, uow.now())
    return delegation


def may_end(who: Identity, delegation: Delegation) -> bool:
    """Return whether `who` may end it."""
    return who.user in {delegation.delegator, delegation.delegate} or _manages(who, delegation.programme)


def seen(connection: Connection, who: Identity) -> list[Delegation]:
    """Return one's own delegations; of one's programmes all, for who manages them."""
    POLICY.require(READ, who)
    managed = [programme for programme in who.programmes if _manages(who, programme)]
    if "auditor" in who.roles:
        managed = reads.programmes(connection)
    return stored.of_people(connection, who.user, managed)
