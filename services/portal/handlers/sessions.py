"""Signing in and out, sessions, API keys: opaque references that the portal alone can read."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import RowMapping

from services.portal import passwords, storage
from services.portal.domain import ABSOLUTE, User, account_hash, normal_email, waiting_time
from shared.database import UnitOfWork
from shared.errors import InvalidError, NotFoundError, Rule
from shared.events import Actor
from shared.events.portal import KeyIssued, KeyRevoked, SessionClosed, SessionOpened, SignInRefused
from shared.web.identity import Identity
from shared.web.scopes import SCOPES

KEY_PREFIX = "tmg_"
KEY_LIFETIME = timedelta(days=365)
# So many wrong tries cost nothing: of one account from one address, and from one address altogether.
FREE_PER_ACCOUNT, FREE_PER_ADDRESS = 5, 50


@dataclass(frozen=True)
class SignedIn:
    """A sign-in that succeeded: the session's secret for the cookie, and who it is."""

    token: str
    user: User


@dataclass(frozen=True)
class Refused:
    """A sign-in that failed; `wait` is set when tries are refused for a while without being looked at."""

    wait: timedelta | None = None


def hash_of(token: str) -> str:
    """Return what is stored of a secret reference."""
    return hashlib.sha256(token.encode()).hexdigest()


def sign_in(
    uow: UnitOfWork, email: str, password: str, *, address: str, agent: str, former: str | None = None
) -> SignedIn | Refused:
    """Open a session for the right address and password; the session of the token `former` ends.

    Returns a refusal instead of raising one, because counting the failure must be committed.
    """
    keys = {
        hash_of(f"{normal_email(email)}|{address}"): FREE_PER_ACCOUNT,
        hash_of(f"address|{address}"): FREE_PER_ADDRESS,
    }
    now = uow.now()
    if until := storage.blocked_until(uow.connection, list(keys), now):
        return Refused(wait=until - now)
    user = storage.user_by_email(uow, normal_email(email))
    stored = storage.password_hash(uow.connection, user.id) if user else None
    if not passwords.matches(password, stored) or user is None or stored is None or not user.active:
        return _refuse(uow, keys, email, user)
    storage.forgive(uow.connection, next(iter(keys)))
    if passwords.outdated(stored):
        storage.store_password_hash(uow.connection, user.id, passwords.hashed(password), now)
    if former:
        sign_out(uow, former, "signed in anew")
    return SignedIn(open_session(uow, user, address, agent), user)


def _refuse(uow: UnitOfWork, keys: dict[str, int], email: str, user: User | None) -> Refused:
    waits = []
    for key, free in keys.items():
        wait = waiting_time(storage.count_failure(uow.connection, key, uow.now()), free=free)
        if wait:
            storage.block(uow.connection, key, uow.now() + wait)
        waits.append(wait)
    reason = "wrong password" if user and user.active else "deactivated" if user else "unknown account"
    event = SignInRefused(account_hash=account_hash(email), user_id=user.id if user else None, reason=reason)
    uow.record(event, entity=f"signin:{uow.ids()}", outcome="refused")
    return Refused(wait=max(waits) or None)


def open_session(uow: UnitOfWork, user: User, address: str, agent: str) -> str:
    """Begin a session of a person, who is the one who acts from here on; returns its secret for the cookie."""
    token, now = secrets.token_urlsafe(32), uow.now()
    session_id = hash_of(token)
    uow.connection.execute(
        storage.session.insert().values(
            id=session_id,
            user_id=user.id,
            csrf=secrets.token_urlsafe(24),
            opened_at=now,
            last_seen_at=now,
            expires_at=now + ABSOLUTE,
            confirmed_at=now,  # who signs in has just given their password
            address=address[:64],
            agent=agent[:300],
        )
    )
    _act_as(uow, user.id, user.name, user.roles[0], session_id)
    uow.record(SessionOpened(user_id=user.id), entity=f"session:{session_id}")
    return token


def _act_as(uow: UnitOfWork, user_id: str, name: str, role: str | None, session_id: str) -> None:
    actor = Actor(id=f"user:{user_id}", name=name, role=role, session=session_id)
    uow.context = replace(uow.context, actor=actor)


def sign_out(uow: UnitOfWork, token: str, reason: str = "signed out") -> None:
    """End the session of a token; a session that has ended already is left as it is."""
    row = storage.live_session(uow.connection, hash_of(token), uow.now())
    if row is not None:
        ended = storage.close_sessions(uow.connection, row["user"], uow.now(), reason, only=row["session"])
        record_closed(uow, row["user"], ended, reason)


def close_session(uow: UnitOfWork, user_id: str, session_id: str) -> None:
    """End one of a person's own sessions; raises NotFoundError for anybody else's."""
    ended = storage.close_sessions(uow.connection, user_id, uow.now(), "ended by the person", only=session_id)
    if not ended:
        raise NotFoundError("There is no such session")
    record_closed(uow, user_id, ended, "ended by the person")


def record_closed(uow: UnitOfWork, user_id: str, ended: list[str], reason: str) -> None:
    """Record that these sessions of a person ended."""
    for session_id in ended:
        uow.record(SessionClosed(user_id=user_id, reason=reason), entity=f"session:{session_id}")


def issue_key(
    uow: UnitOfWork, user_id: str, label: str, scopes: Sequence[str] = (), days: int = KEY_LIFETIME.days
) -> str:
    """Return a new API key of a person, shown this once; with scopes it is limited to what these permit."""
    wrong: dict[str, str] = {}
    if not 1 <= len(label.strip()) <= 120:
        wrong["label"] = "must have 1 to 120 letters"
    if unknown := sorted(set(scopes) - SCOPES.keys()):
        wrong["scopes"] = Rule("%(name)s is no scope", name=unknown[0])
    if not 1 <= days <= KEY_LIFETIME.days:
        wrong["days"] = Rule("must be 1 to %(most)s days", most=KEY_LIFETIME.days)
    if wrong:
        raise InvalidError(wrong)
    key, key_id, now = KEY_PREFIX + secrets.token_urlsafe(32), str(uow.ids()), uow.now()
    row = {"id": key_id, "key_hash": hash_of(key), "user_id": user_id, "label": label.strip()}
    limits: dict[str, object] = {"scopes": sorted(set(scopes)) or None, "start": key[: len(KEY_PREFIX) + 6]}
    uow.connection.execute(
        storage.api_key.insert().values(row | limits | {"issued_at": now, "expires_at": now + timedelta(days=days)})
    )
    issued = KeyIssued(key_id=key_id, user_id=user_id, label=label.strip(), scopes=sorted(set(scopes)))
    uow.record(issued, entity=f"key:{key_id}")
    return key


def revoke_key(uow: UnitOfWork, user_id: str, key_id: str) -> None:
    """End one of a person's own API keys; raises NotFoundError for anybody else's."""
    table = storage.api_key.c
    mine = (table.id == key_id, table.user_id == user_id, table.revoked_at.is_(None))
    if uow.connection.execute(storage.api_key.update().where(*mine).values(revoked_at=uow.now())).rowcount != 1:
        raise NotFoundError("There is no such key")
    uow.record(KeyRevoked(key_id=key_id, user_id=user_id), entity=f"key:{key_id}")


def identity_of(row: RowMapping) -> Identity:
    """Return the identity that a live session's or key's row stands for."""
    return Identity(
        user=row["user"],
        name=row["name"],
        roles=tuple(row["roles"]),
        organisation=row["organisation"],
        organisation_name=row["organisation_name"],
        programmes=tuple(row["programmes"]),
        locale=row["locale"],
        session=row["session"],
        scopes=tuple(row.get("scopes") or ()),
        csrf=row.get("csrf") or "",
        confirmed_at=int(row["confirmed_at"].timestamp()) if row["confirmed_at"] else None,
    )
