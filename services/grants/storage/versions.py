"""Under which version of their workflow cases live."""

from __future__ import annotations

from sqlalchemy import Connection, Integer, RowMapping, func, or_, select

from services.grants.storage import tables as t


def living(connection: Connection, programme: str) -> list[RowMapping]:
    """Return how many cases are not at their end, by call, versions, workflow and stage."""
    c = t.application.c
    pack, moved = c.state["pack_version"].astext, c.state["workflow_pack"].astext
    columns = (
        c.call,
        pack.cast(Integer).label("pack_version"),
        func.coalesce(moved, pack).cast(Integer).label("workflow_pack"),
        c.state["workflow"].astext.label("workflow"),
        c.stage,
    )
    query = (
        select(*columns, func.count().label("cases"))
        .where(c.programme == programme, or_(c.is_open, c.submitted_at.is_(None)))
        .where(c.state["terminal"].astext == "false")
        .group_by(*columns)
        .order_by(c.call, columns[2], c.stage)
    )
    return list(connection.execute(query).mappings())
