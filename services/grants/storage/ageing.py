"""The open cases of a programme by stage, holder and the day since when: one statement, whatever their number."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, Date, RowMapping, func, select

from services.grants.storage import tables as t

Counted = tuple[str, str, date, int, int, int]
c = t.application.c


def counted(
    connection: Connection, programme: str, zone: str, today: date
) -> list[tuple[str, str, date, int, int, int]]:
    """Return (stage, holder, day since, cases, late, paused) of the open cases."""
    day = func.timezone(zone, c.since).cast(Date)
    late = func.count().filter((c.due_order < today) & ~c.paused)
    paused = func.count().filter(c.paused)
    query = select(c.stage, func.coalesce(c.holder, ""), day, func.count(), late, paused)
    found = connection.execute(query.where(c.programme == programme, c.is_open).group_by(c.stage, c.holder, day))
    return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in found]


def oldest(connection: Connection, programme: str, limit: int) -> list[RowMapping]:
    """Return the open cases that are longest at their stage."""
    columns = [column for column in t.application.c if column.name not in {"state", "words", "last_changes"}]
    query = select(*columns).where(c.programme == programme, c.is_open).order_by(c.since, c.id).limit(limit)
    return list(connection.execute(query).mappings())
