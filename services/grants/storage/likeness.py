"""Tables and queries of applications that look alike: candidates by the index of words, never the whole programme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Index, RowMapping, String, func, or_, select, text

from services.grants.domain.likeness import Likeness
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

MOST = 500
likeness = entity_table(
    "likeness",
    metadata,
    Column("one", String(80), nullable=False),
    Column("other", String(80), nullable=False),
    Index("likeness_one", "one"),
    Index("likeness_other", "other"),
)
a = t.application.c


def likenesses(uow: UnitOfWork) -> Repository[Likeness]:
    """Return the decisions of this transaction."""
    return Repository(uow, likeness, Likeness, lambda item: {"one": item.one, "other": item.other})


def decided(connection: Connection, reference: str) -> dict[str, Likeness]:
    """Return what was decided about a case and others, by the other's reference."""
    c = likeness.c
    query = select(likeness).where(or_(c.one == reference, c.other == reference)).limit(MOST)
    rows = connection.execute(query).mappings()
    return {
        row["other"] if row["one"] == reference else row["one"]: Likeness.stored(row["state"], row["version"])
        for row in rows
    }


def same_number(connection: Connection, organisation: str) -> list[str]:
    """Return the organisations that are registered under the same number, this one among them."""
    o = t.organisation.c
    number = select(o.registration_number).where(o.id == organisation).scalar_subquery()
    query = select(o.id).where(o.registration_number == number).limit(50)
    return list(dict.fromkeys([organisation, *connection.execute(query).scalars()]))


def candidates(
    connection: Connection, reference: str, programme: str, organisations: Sequence[str], words: Sequence[str]
) -> list[RowMapping]:
    """Return applications that were handed in, of these organisations or with some of these words, the newest first."""
    alike = [a.organisation.in_(organisations)]
    if words:
        alike.append(a.words.bool_op("@@")(func.to_tsquery(text("'simple'"), " | ".join(f"'{w}'" for w in words))))
    columns = (a.id, a.organisation, a.organisation_name, a.title, a.stage, a.call, a.submitted_at)
    query = select(*columns).where(
        a.programme == programme, a.id != reference, a.submitted_at.is_not(None), or_(*alike)
    )
    return list(connection.execute(query.order_by(a.id.desc()).limit(MOST)).mappings())


def answers(connection: Connection, references: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the answers of some applications."""
    query = select(a.id, a.state["answers"].label("answers")).where(a.id.in_(references))
    return {row.id: row.answers for row in connection.execute(query)}
