"""Products of banks: their versions, the catalogue, and those that can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select

from services.loans.domain.product import Product, sha256_of
from services.loans.storage.queries import light_columns, newest_first, says
from services.loans.storage.tables import product, product_version
from shared.database import UnitOfWork
from shared.entity import STORED
from shared.events.product_rules import ProductTerms
from shared.web.paging import Page

MOST_OPEN = 400
_NAMES = product.c.state["terms"]["name"].label("names")  # by language


def keep_version(uow: UnitOfWork, item: Product, by: str) -> None:
    """Keep the version that was published; it is never changed."""
    uow.flush()  # the product's own row comes first
    values = {"product": item.id, "number": item.number, "terms": item.terms.model_dump(mode="json")}
    by_whom = {"published_at": uow.now(), "published_by": by, "sha256": sha256_of(item.terms)}
    uow.connection.execute(insert(product_version).values(**values, **by_whom))


def versions(connection: Connection, reference: str) -> list[Row[Any]]:
    """Return when each version was published and by whom, newest first."""
    c = product_version.c
    query = select(c.number, c.sha256, c.published_at, c.published_by).where(c.product == reference)
    return list(connection.execute(query.order_by(c.number.desc()).limit(200)))


def version_terms(connection: Connection, reference: str, number: int) -> ProductTerms | None:
    """Return the terms of a version."""
    query = select(product_version.c.terms).where(product_version.c.product == reference)
    found = connection.execute(query.where(product_version.c.number == number)).scalar_one_or_none()
    return ProductTerms.model_validate(found, context=STORED) if found else None


def product_rows(
    connection: Connection,
    *,
    bank: str | None = None,
    programmes: Sequence[str] | None = None,
    stage: str = "",
    instrument: str = "",
    amount: Decimal | None = None,
    months: int | None = None,
    q: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Row[Any]]:
    """Return products, newest change first: of a bank, or of programmes; those that lend an amount for so long."""
    c = product.c
    query = select(*light_columns(product), _NAMES)
    if bank is not None:
        query = query.where(c.bank == bank)
    if programmes is not None:
        query = query.where(c.programme.in_(programmes))
    for column, value in ((c.stage, stage), (c.instrument, instrument)):
        if value:
            query = query.where(column == value)
    if amount is not None:
        query = query.where(c.amount_min <= amount, c.amount_max >= amount)
    if months is not None:
        query = query.where(c.term_min <= months, c.term_max >= months)
    if q:
        query = query.where(says(q, c.id, c.name, c.bank_name))
    return newest_first(connection, query, product, cursor, limit)


def product_names(connection: Connection, programme: str) -> set[tuple[str, str]]:
    """Return (bank, name) of every product that a programme has or had."""
    found = connection.execute(select(product.c.bank, product.c.name).where(product.c.programme == programme))
    return {(row.bank, row.name) for row in found}


def open_products(connection: Connection, programme: str, day: date) -> list[Product]:
    """Return the products that can be asked for on that day, the first MOST_OPEN by number."""
    query = select(product.c.state, product.c.version).where(*_open(programme, day))
    found = connection.execute(query.order_by(product.c.id).limit(MOST_OPEN))
    return [Product.stored(row.state, row.version) for row in found]


def open_left_out(connection: Connection, programme: str, day: date) -> int:
    """Return how many products that can be asked for on that day `open_products` leaves out."""
    query = select(func.count()).select_from(product).where(*_open(programme, day))
    return max(0, connection.execute(query).scalar_one() - MOST_OPEN)


def _open(programme: str, day: date) -> tuple[ColumnElement[bool], ...]:
    c = product.c
    until = or_(c.valid_until.is_(None), c.valid_until >= day)
    return c.programme == programme, c.stage == "published", c.valid_from <= day, until
