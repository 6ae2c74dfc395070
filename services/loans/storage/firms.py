"""Profiles of firms: how they are stored, whose they are, and the lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, exists, func, select

from services.loans.domain.facts import Staff
from services.loans.domain.firm import Firm
from services.loans.storage.firm_tables import firm
from services.loans.storage.queries import light_columns, newest_first, says
from services.loans.storage.tables import organisation, proposal
from shared.database import Repository, UnitOfWork
from shared.web.paging import Page


def _firm(item: Firm) -> dict[str, Any]:
    staff, accounts = item.latest("staff"), item.accounts()
    return {name: getattr(item, name) for name in ("programme", "name", "currency")} | {
        "entries": item.number,
        "employees": staff.read(Staff).total() if staff else None,
        "turnover": accounts[-1][1].sales if accounts else None,
        "women_percent": item.women_share(),
    }


def firms(uow: UnitOfWork) -> Repository[Firm]:
    return Repository(uow, firm, Firm, _firm)


def firm_place(connection: Connection, reference: str) -> Any | None:
    """Return an MSME's id and name, and the programme of its profile or else of its newest proposal."""
    newest = select(proposal.c.programme).where(proposal.c.organisation == organisation.c.id)
    newest = newest.order_by(proposal.c.updated_at.desc()).limit(1)
    own = select(firm.c.programme).where(firm.c.id == organisation.c.id)
    programme = func.coalesce(own.scalar_subquery(), newest.scalar_subquery()).label("programme")
    query = select(organisation.c.id, organisation.c.name, programme)
    query = query.where(organisation.c.id == reference, organisation.c.kind == "msme")
    return next(iter(connection.execute(query)), None)


def advises(connection: Connection, adviser: str, reference: str) -> bool:
    """Tell whether a firm has chosen an organisation to support one of its proposals."""
    asked = exists().where(proposal.c.supporter == adviser, proposal.c.organisation == reference)
    return bool(connection.execute(select(asked)).scalar_one())


def advisers_of(connection: Connection, reference: str) -> list[Row[Any]]:
    """Return who reads a firm's profile as its adviser, each once, with how many of its proposals it supports."""
    c = proposal.c
    query = select(c.supporter.label("id"), func.min(c.supporter_name).label("name"), func.count().label("proposals"))
    query = query.where(c.organisation == reference, c.supporter.is_not(None)).group_by(c.supporter)
    return list(connection.execute(query.order_by("name", c.supporter)))


def advised_by(connection: Connection, adviser: str, reference: str) -> list[str]:
    """Return a firm's proposals that an adviser reads, oldest first."""
    c = proposal.c
    query = select(c.id).where(c.supporter == adviser, c.organisation == reference).order_by(c.id)
    return list(connection.execute(query).scalars())


def firm_rows(
    connection: Connection, programmes: Sequence[str], *, q: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Row[Any]]:
    """Return the profiles of programmes, newest change first."""
    query = select(*light_columns(firm)).where(firm.c.programme.in_(programmes))
    if q:
        query = query.where(says(q, firm.c.id, firm.c.name))
    return newest_first(connection, query, firm, cursor, limit)
