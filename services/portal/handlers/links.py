"""Links by which a person chooses a password: for the first sign-in, and for whoever has forgotten theirs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.portal import storage
from services.portal.domain import User, check_password, normal_email
from services.portal.handlers.accounts import NewUser, add_user, set_password
from services.portal.handlers.sessions import SignedIn, hash_of, open_session
from shared.database import UnitOfWork
from shared.errors import ConflictError, NotFoundError
from shared.events.portal import LinkIssued

LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Link:
    """A link that was just made: what it carries is shown this once."""

    user: User
    token: str
    until: datetime


def issue(uow: UnitOfWork, user: User) -> Link:
    """Make a link for a person; an earlier one works no more."""
    if not user.active:
        raise ConflictError("%(name)s is deactivated", name=user.name)
    token, until, link_id = secrets.token_urlsafe(32), uow.now() + LIFETIME, str(uow.ids())
    storage.keep_link(uow.connection, hash_of(token), user.id, until)
    uow.record(LinkIssued(link_id=link_id, user_id=user.id, good_until=until), entity=f"link:{link_id}")
    return Link(user, token, until)


def issue_first(uow: UnitOfWork, email: str) -> Link | None:
    """Make the link of a new house's first operator, who is added if need be; None once an operator has signed in."""
    if storage.operators_have_signed_in(uow.connection):
        return None
    user = storage.user_by_email(uow, normal_email(email))
    if user is None:
        user, _ = add_user(uow, NewUser(name=email.partition("@")[0], email=email, roles=["operator"]))
    elif "operator" not in user.roles:
        user.grant_role("operator")
    return issue(uow, user)


def owner(uow: UnitOfWork, token: str) -> User:
    """Return whose link this is; raises NotFoundError for one that was used, is too old, or never was."""
    user_id = storage.link_owner(uow.connection, hash_of(token), uow.now())
    if user_id is None:
        raise NotFoundError("This link has been used or is too old: ask for a new one")
    return storage.users(uow).get(user_id)


def use(uow: UnitOfWork, token: str, password: str, *, address: str, agent: str) -> SignedIn:
    """Set the password that a link's owner chose, and sign them in; the link works no more."""
    user = owner(uow, token)
    check_password(password, about=[user.name, user.email])  # before anything changes: the page asks again
    # Of two who use it at once one finds it gone.
    if not storage.drop_links(uow.connection, user.id):
        raise NotFoundError("This link has been used or is too old: ask for a new one")
    session = open_session(uow, user, address, agent)
    set_password(uow, user, password, session_id=hash_of(session))
    return SignedIn(session, user)
