"""Links of letters: which may still be used, by whom and for what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, literal, select
from sqlalchemy.dialects.postgresql import insert

from services.loans.storage.tables import action_link, link_use, person, referral


def usable_link(connection: Connection, hashed: str, now: datetime) -> Row[Any] | None:
    """Return the link of that hash with its person and its referral's bank, stage and programme, while it is good.

    It is good until its time, while nobody has used it, and while its person is active and still of that bank.
    """
    used = select(link_use.c.id).where(link_use.c.id == action_link.c.id)
    query = (
        select(
            action_link,
            person.c.name,
            referral.c.bank,
            referral.c.bank_name,
            referral.c.stage,
            referral.c.programme,
        )
        .join(person, person.c.id == action_link.c.person)
        .join(referral, referral.c.id == action_link.c.referral)
        .where(
            action_link.c.id == hashed,
            action_link.c.good_until > now,
            ~used.exists(),
            person.c.active,
            person.c.organisation == referral.c.bank,
        )
    )
    return connection.execute(query).one_or_none()


def mark_used(connection: Connection, hashed: str, now: datetime) -> bool:
    """Let a link work no more; tells whether it was this call that did it."""
    query = insert(link_use).values(id=hashed, used_at=now).on_conflict_do_nothing()
    return connection.execute(query.returning(link_use.c.id)).one_or_none() is not None


def end_links(connection: Connection, person_id: str, now: datetime) -> None:
    """Let no link of a person work any more."""
    held = select(action_link.c.id, literal(now)).where(action_link.c.person == person_id)
    connection.execute(insert(link_use).from_select(["id", "used_at"], held).on_conflict_do_nothing())
