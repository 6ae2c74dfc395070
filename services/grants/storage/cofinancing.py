"""Tables and queries of co-financing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    delete,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from services.grants.domain.cofinancing import CoFinancing
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

FAR = "9999-12-31"

cofinancing = entity_table(
    "cofinancing",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("kind", String(60), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("stage", String(60), nullable=False),
    Column("holder", String(40)),
    Column("currency", String(3), nullable=False),
    Column("programme_share", Numeric(22, 3)),
    Column("matched", Numeric(22, 3), nullable=False),
    Column("released", Numeric(22, 3), nullable=False),
    # Contributions to verify, and releases to settle: what waits for somebody.
    Column("to_verify", Integer, nullable=False),
    Column("to_release", Integer, nullable=False),
    Column("due", Date),
    # The day by which a list is sorted: far away for what has no due day, so that keyset pages need no nulls.
    Column("due_order", Date, nullable=False),
    Index("cofinancing_programme", "programme", "due_order", "id"),
    Index("cofinancing_organisation", "organisation", "due_order", "id"),
)

# One invoice counts once, whatever the case or the programme.
claim = Table(
    "cofinancing_claim",
    metadata,
    Column("key", String(600), primary_key=True),
    Column("case", String(80), nullable=False),
    Column("contribution", Integer, nullable=False),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
)


def _columns(case: CoFinancing) -> dict[str, Any]:
    position, facts = case.position(), case.values()
    return {
        "programme": case.programme,
        "kind": case.kind,
        "organisation": case.organisation,
        "organisation_name": case.organisation_name,
        "title": case.title,
        "stage": case.stage,
        "holder": case.holder,
        "currency": case.currency,
        "programme_share": case.terms.programme_share if case.terms else None,
        "matched": position.match,
        "released": position.released,
        "to_verify": facts["pending_contributions"],
        "to_release": facts["pending_releases"],
        "due": case.due,
        "due_order": case.due or FAR,
    }


def cases(uow: UnitOfWork) -> Repository[CoFinancing]:
    """Return the co-financings of this transaction."""
    return Repository(uow, cofinancing, CoFinancing, _columns)


def find_case(connection: Connection, reference: str) -> CoFinancing | None:
    """Return a co-financing to look at."""
    row = connection.execute(select(cofinancing).where(cofinancing.c.id == reference)).mappings().one_or_none()
    return None if row is None else CoFinancing.stored(row["state"], row["version"])


def listed(
    connection: Connection,
    *,
    organisation: str | None = None,
    programmes: Sequence[str] | None = None,
    stage: str | None = None,
    after: Sequence[Any] | None = None,
    limit: int = 50,
) -> list[Any]:
    """Return `limit + 1` rows by due day, of one organisation, of some programmes, or of all of them."""
    c = cofinancing.c
    query = select(*(column for column in c if column.name not in {"state", "last_changes"}))
    if organisation is not None:
        query = query.where(c.organisation == organisation)
    if programmes is not None:
        query = query.where(c.programme.in_(programmes))
    if stage:
        query = query.where(c.stage == stage)
    if after is not None:
        query = query.where(tuple_(c.due_order, c.id) > tuple_(after[0], after[1]))
    return list(connection.execute(query.order_by(c.due_order, c.id).limit(limit + 1)).mappings())


def take_claim(connection: Connection, key: str, case: str, contribution: int, at: Any) -> bool:
    """Return whether this invoice was free, and take it for `contribution` of `case`."""
    values = {"key": key, "case": case, "contribution": contribution, "claimed_at": at}
    statement = insert(claim).values(**values).on_conflict_do_nothing().returning(claim.c.key)
    return connection.execute(statement).first() is not None


def meet_claims(connection: Connection, keys: list[str], case: str, contribution: int, at: Any) -> dict[str, Any]:
    """Return {key: {case, contribution}} of those who had a key before, and take the others for `contribution`."""
    if not keys:
        return {}
    values = [{"key": key, "case": case, "contribution": contribution, "claimed_at": at} for key in keys]
    connection.execute(insert(claim).values(values).on_conflict_do_nothing())
    query = select(claim.c.key, claim.c.case, claim.c.contribution).where(claim.c.key.in_(keys))
    rows = connection.execute(query).mappings()
    met = {row["key"]: {"case": row["case"], "contribution": row["contribution"]} for row in rows}
    return {key: by for key, by in met.items() if by != {"case": case, "contribution": contribution}}


def free_claims(connection: Connection, keys: list[str], case: str, contribution: int) -> None:
    """Let what a contribution had claimed be counted elsewhere: it does not count here."""
    own = (claim.c.key.in_(keys), claim.c.case == case, claim.c.contribution == contribution)
    connection.execute(delete(claim).where(*own))
