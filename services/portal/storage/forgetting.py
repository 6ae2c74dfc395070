"""Forgetting who somebody was who may be forgotten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, update

from services.portal.storage import api_key, credential, drop_links, session


def forget(connection: Connection, user_id: str, now: datetime) -> None:
    """Forget how somebody let themselves in: password, links, what their keys were called, and from where they came."""
    drop_links(connection, user_id)
    connection.execute(credential.delete().where(credential.c.user_id == user_id))
    connection.execute(update(session).where(session.c.user_id == user_id).values(address="", agent=""))
    revoked = func.coalesce(api_key.c.revoked_at, now)
    connection.execute(update(api_key).where(api_key.c.user_id == user_id).values(label="", revoked_at=revoked))
