"""Giving one's password again before an act that asks for it: a release of money, the approval of an award."""

from __future__ import annotations

import secrets

from services.portal import passwords, storage
from services.portal.domain import waiting_time
from services.portal.handlers.sessions import FREE_PER_ACCOUNT, Refused, hash_of
from shared.database import UnitOfWork
from shared.events.portal import SessionConfirmed, SignInRefused
from shared.web.identity import Identity


def confirm(uow: UnitOfWork, who: Identity, password: str, *, address: str) -> str | Refused:
    """Note that a person gave their password now; returns the new secret of their session, "" for an API key.

    The session goes on under the new secret and the old one opens nothing (ASVS 5.0, 7.2.4). Wrong tries are slowed
    down as at sign-in; the refusal is returned, because counting it must be committed.
    """
    key, now = hash_of(f"confirm|{who.user}|{address}"), uow.now()
    if until := storage.blocked_until(uow.connection, [key], now):
        return Refused(wait=until - now)
    if not passwords.matches(password, storage.password_hash(uow.connection, who.user)):
        wait = waiting_time(storage.count_failure(uow.connection, key, now), free=FREE_PER_ACCOUNT)
        if wait:
            storage.block(uow.connection, key, now + wait)
        event = SignInRefused(account_hash=hash_of(who.user), user_id=who.user, reason="wrong password")
        uow.record(event, entity=f"signin:{uow.ids()}", outcome="refused")
        return Refused(wait=wait or None)
    storage.forgive(uow.connection, key)
    token = secrets.token_urlsafe(32) if who.csrf else ""
    session = storage.confirm(uow.connection, who.session, hash_of(token) if token else None, now)
    uow.record(SessionConfirmed(user_id=who.user), entity=f"session:{session}")
    return token
