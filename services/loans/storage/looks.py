"""Looks of banks at referrals: what was shown to whom, through which way, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, tuple_

from services.loans.storage.tables import look
from shared.database import UnitOfWork
from shared.web.paging import Page, decode_cursor, page_of


def keep_look(uow: UnitOfWork, **values: Any) -> None:
    """Keep a look; its time is now."""
    uow.connection.execute(insert(look).values(id=str(uow.ids()), at=uow.now(), **values))


def look_rows(
    connection: Connection, proposal: str, *, referral: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Row[Any]]:
    """Return the looks at a proposal's referrals, or at one of them, the newest first."""
    query = select(look).where(look.c.proposal == proposal)
    if referral:
        query = query.where(look.c.referral == referral)
    seen = decode_cursor(cursor, 2)
    if seen is not None:
        query = query.where(tuple_(look.c.at, look.c.id) < tuple_(datetime.fromisoformat(seen[0]), seen[1]))
    rows = connection.execute(query.order_by(look.c.at.desc(), look.c.id.desc()).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: (row.at.isoformat(), row.id))


def looks_by_bank(connection: Connection, proposal: str) -> list[Row[Any]]:
    """Return a row a referral: its bank, how often it was looked at, by how many people, how often in vain, when last.

    The most looked at comes first.
    """
    key = (look.c.referral, look.c.bank, look.c.bank_name)
    counts = (
        func.count().label("looks"),
        func.count(look.c.person.distinct()).label("people"),
        func.count().filter(~look.c.live).label("in_vain"),
        func.max(look.c.at).label("last"),
    )
    query = select(*key, *counts).where(look.c.proposal == proposal).group_by(*key)
    return list(connection.execute(query.order_by(func.count().desc(), look.c.referral)))
