"""Reads of success fees: lists and sums by adviser and currency, and whose fee a proposal is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from services.loans.domain.fee import Fee
from services.loans.storage.queries import light_columns, newest_first
from services.loans.storage.repositories import fees
from services.loans.storage.tables import fee
from services.loans.storage.tables import supporter as supporters_table
from shared.database import UnitOfWork
from shared.web.paging import Page

SUMS = ("earned", "lost", "approved", "paid", "returned")


def _seen(programmes: Sequence[str] | None, adviser: str) -> list[ColumnElement[bool]]:
    """Return the conditions of a list: of the programmes given, unless these are None, and of one adviser if given."""
    found: list[ColumnElement[bool]] = []
    if programmes is not None:
        found.append(fee.c.programme.in_(programmes))
    if adviser or programmes is None:
        found.append(fee.c.organisation == adviser)
    return found


def fee_rows(
    connection: Connection, programmes: Sequence[str] | None, adviser: str, cursor: str | None = None, limit: int = 50
) -> Page[Row[Any]]:
    """Return fees, newest change first: of the programmes, or of one adviser alone."""
    return newest_first(connection, select(*light_columns(fee)).where(*_seen(programmes, adviser)), fee, cursor, limit)


def fee_sums(connection: Connection, programmes: Sequence[str] | None, adviser: str) -> list[Row[Any]]:
    """Return the statement of each adviser: sums by currency."""
    key = (fee.c.organisation, fee.c.organisation_name, fee.c.currency)
    sums = [func.sum(fee.c[name]).label(name) for name in SUMS]
    query = select(*key, func.count().label("fees"), *sums).where(*_seen(programmes, adviser)).group_by(*key)
    return list(connection.execute(query.order_by(fee.c.organisation_name, fee.c.organisation, fee.c.currency)))


def fee_of(connection: Connection, proposal: str) -> Any:
    """Return whose the fee of a proposal is."""
    query = select(fee.c.id, fee.c.organisation_name).where(fee.c.proposal == proposal)
    return connection.execute(query).one_or_none()


def fees_of(uow: UnitOfWork, proposals: Collection[str]) -> list[Fee]:
    """Return the fees of these proposals, locked, in one order for everybody."""
    query = select(fee.c.id).where(fee.c.proposal.in_(proposals)).order_by(fee.c.id)
    found = list(uow.connection.execute(query).scalars())
    return [fees(uow).get(reference) for reference in found]


def adviser_names(connection: Connection, programme: str) -> dict[str, str]:
    """Return {organisation: name} of those who hold an award in the programme and so may advise."""
    c = supporters_table.c
    query = select(c.organisation, c.name).where(c.programme == programme).order_by(c.name)
    return {row.organisation: row.name for row in connection.execute(query)}
