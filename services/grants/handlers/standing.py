"""Who stands in for whom right now: what an identity may do for others, and with whom it counts as one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from services.grants.storage import delegations as stored
from shared.database import Standing, UnitOfWork
from shared.web.identity import Identity

LENDABLE = ("officer", "programme_manager", "finance_officer")


class Tie(BaseModel):
    """One delegation in force: I act for `user` (`lent`), or `user` acts for me."""

    model_config = ConfigDict(frozen=True)

    programme: str
    role: str
    user: str
    name: str
    lent: bool


class Acting(Identity):
    """A person with the roles that others lend them: `roles` are their own and the lent ones."""

    own_roles: tuple[str, ...]
    ties: tuple[Tie, ...]


def acting(connection: Connection, who: Identity, now: datetime) -> Identity:
    """Return `who` with what delegations in force give; the very same when there is none.

    A role that they do not hold is lent only where it would reach no further than it was lent for: each of their
    programmes must be among those for which somebody lends it.
    """
    if not set(LENDABLE) & set(who.roles):
        return who
    ties = []
    for programme, role, delegator, theirs, delegate, name in stored.in_force(connection, who.user, now):
        lent = delegate == who.user
        user, called = (delegator, theirs) if lent else (delegate, name)
        ties.append(Tie(programme=programme, role=role, user=user, name=called, lent=lent))
    if not ties:
        return who
    lent_for: dict[str, set[str]] = {}
    for tie in ties:
        if tie.lent:
            lent_for.setdefault(tie.role, set()).add(tie.programme)
    new = [role for role, places in lent_for.items() if role not in who.roles and set(who.programmes) <= places]
    about = who.model_dump() | {"roles": (*who.roles, *new), "own_roles": who.roles, "ties": tuple(ties)}
    return Acting.model_validate(about)


def ties_of(who: Identity, programme: str | None = None) -> list[Tie]:
    """Return the delegations in force of a person, of one programme when it is named."""
    ties = who.ties if isinstance(who, Acting) else ()
    return [tie for tie in ties if programme is None or tie.programme == programme]


def stands_for(who: Identity, role: str = "officer") -> dict[str, str]:
    """Return {user id: name} of those for whom `who` acts in a role now."""
    return {tie.user: tie.name for tie in ties_of(who) if tie.lent and tie.role == role}


def as_one(connection: Connection, who: Identity, programme: str, case: str) -> frozenset[str]:
    """Return the actors that count as `who` where two persons are needed on a case.

    Those with whom a delegation is in force now, and those who acted for `who` on this case, or for whom `who` did.
    """
    return one_with(who, programme, stored.one_on_case(connection, case, who.user))


def one_with(who: Identity, programme: str, on_case: Collection[str]) -> frozenset[str]:
    """Return the same when it is known already who acted for whom on the case."""
    return frozenset(f"user:{user}" for user in {tie.user for tie in ties_of(who, programme)} | {*on_case})


def stand(  # noqa: PLR0917 - a case has as many sides
    uow: UnitOfWork,
    who: Identity,
    programme: str,
    case: str,
    officer: str | None = None,
    on_case: Collection[str] | None = None,
) -> None:
    """Let this transaction know in which roles `who` acts for somebody on a case.

    In a role of another's only; in a role that both hold, on the cases that are the other's (`officer`). `on_case` are
    those who acted for `who` on this case, or for whom `who` did, where that is at hand.
    """
    own = who.own_roles if isinstance(who, Acting) else who.roles
    lent: dict[str, tuple[str, str]] = {}
    for tie in ties_of(who, programme):
        if tie.lent and (tie.role not in own or (tie.role == "officer" and officer == tie.user)):
            lent.setdefault(tie.role, (tie.user, tie.name))
    known = stored.one_on_case(uow.connection, case, who.user) if on_case is None else on_case
    one = one_with(who, programme, known)
    uow.context = replace(uow.context, standing=Standing(case=case, name=who.name, lent=lent, as_one=one))


def act_for(uow: UnitOfWork, role: str) -> frozenset[str]:
    """Name in whose place this act is done, if it is, and remember it; returns who counts as one with the actor."""
    standing = uow.context.standing
    if standing is None:
        return frozenset()
    behalf, name = standing.lent.get(role, (None, ""))
    told = f"{standing.name} (for {name})" if behalf else standing.name
    about = {"name": told, "on_behalf_of": f"user:{behalf}" if behalf else None}
    uow.context = replace(uow.context, actor=uow.context.actor.model_copy(update=about))
    if behalf:
        delegate = uow.context.actor.id.removeprefix("user:")
        stored.note_acted(uow.connection, standing.case, delegate, behalf, uow.now())
    return standing.as_one
