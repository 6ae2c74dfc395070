"""Panels in SQL: their records, and the applications of a call that lie before one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, Index, Numeric, RowMapping, String, func, select, tuple_

from services.grants.domain.application import Application
from services.grants.domain.panel import Panel
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

MOST = 500  # applications before one panel
LATEST = 200  # panels on a list
panel = entity_table(
    "panel",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("call", String(80), nullable=False),
    Column("status", String(20), nullable=False),
    Index("panel_call", "programme", "call", "id"),
)
p, a = panel.c, t.application.c


def panels(uow: UnitOfWork) -> Repository[Panel]:
    """Return the panels of this transaction."""
    columns = {"programme", "call", "status"}
    return Repository(uow, panel, Panel, lambda item: item.model_dump(include=columns))


def find_panel(connection: Connection, panel_id: str) -> Panel | None:
    """Return a panel to look at."""
    row = connection.execute(select(panel).where(p.id == panel_id)).mappings().one_or_none()
    return None if row is None else Panel.stored(row["state"], row["version"])


def panels_of(connection: Connection, programme: str, call: str) -> list[RowMapping]:
    """Return the panels of a call, newest first."""
    query = select(p.id, p.status, p.created_at, p.updated_at).where(p.programme == programme, p.call == call)
    return list(connection.execute(query.order_by(p.id.desc()).limit(50)).mappings())


def of_programmes(connection: Connection, programmes: Collection[str]) -> list[RowMapping]:
    """Return the newest panels of these programmes."""
    query = select(p.id, p.programme, p.call, p.status, p.updated_at).where(p.programme.in_(list(programmes)))
    return list(connection.execute(query.order_by(p.id.desc()).limit(LATEST)).mappings())


def waiting(connection: Connection, stages: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """Return how many applications of each call lie at the panel's stage; `stages` names it by programme."""
    here = tuple_(a.programme, a.stage).in_(list(stages.items()))
    query = select(a.programme, a.call, func.count()).where(here).group_by(a.programme, a.call)
    return {(programme, call): count for programme, call, count in connection.execute(query)}


def before(connection: Connection, programme: str, call: str, stage: str) -> list[Application]:
    """Return the applications of a call at a stage, without what was written into them."""
    state = t.application.c.state.op("-")("answers").label("state")
    query = select(a.version, state).where(a.programme == programme, a.call == call, a.stage == stage)
    rows = connection.execute(query.order_by(a.id).limit(MOST + 1))
    return [Application.stored(row.state, row.version) for row in rows]


def committed(connection: Connection, programme: str, call: str, but: Collection[str]) -> Decimal:
    """Return what is recommended or awarded in a call, but for the applications at these stages."""
    awarded = a.state["awarded"]["amount"].astext
    recommended = a.state["recommended"]["amount"]["amount"].astext
    amount = func.coalesce(awarded, recommended).cast(Numeric)
    query = select(func.coalesce(func.sum(amount), 0)).where(a.programme == programme, a.call == call)
    return Decimal(connection.execute(query.where(a.stage.not_in(list(but)))).scalar_one())


def people(connection: Connection, users: Sequence[str]) -> dict[str, RowMapping]:
    """Return what is known of these people."""
    query: Any = select(t.person).where(t.person.c.id.in_(users))
    return {row["id"]: row for row in connection.execute(query).mappings()}
