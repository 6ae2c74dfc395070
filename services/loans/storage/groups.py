"""Groups of firms in the database: of which proposal, of which members, and what was locked of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    bindparam,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.loans.domain.group import Group
from services.loans.storage.queries import light_columns, newest_first
from services.loans.storage.tables import metadata
from shared.database import Repository, UnitOfWork, entity_table
from shared.web.paging import Page

group = entity_table(
    "group_of_firms",
    metadata,
    # One group a proposal, whatever the code does.
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False, unique=True),
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("members", JSONB, nullable=False),  # ids of the members' organisations
    Index("group_own", "organisation", "updated_at", "id"),
    Index("group_programme", "programme", "updated_at", "id"),
    Index("group_members", "members", postgresql_using="gin"),
)
group_version = Table(
    "group_version",
    metadata,
    Column("proposal", String(80), ForeignKey("proposal.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", JSONB, nullable=False),
    PrimaryKeyConstraint("proposal", "number"),
)


def _columns(item: Group) -> dict[str, Any]:
    names = ("proposal", "programme", "organisation", "organisation_name", "title")
    waiting = any(member.stage != "accepted" for member in item.members)
    return {name: getattr(item, name) for name in names} | {
        "stage": "dissolved" if item.dissolved else "waiting" if waiting else "accepted",
        "members": [member.organisation for member in item.members],
    }


def groups(uow: UnitOfWork) -> Repository[Group]:
    return Repository(uow, group, Group, _columns)


def group_standing(connection: Connection, reference: str) -> Any:
    """Return whose a group is, without locking it."""
    c = group.c
    query = select(c.id, c.proposal, c.programme, c.organisation, c.members, c.stage).where(c.id == reference)
    return connection.execute(query).one_or_none()


def group_of(connection: Connection, proposal: str) -> str | None:
    """Return the id of a proposal's group."""
    return connection.execute(select(group.c.id).where(group.c.proposal == proposal)).scalar_one_or_none()


def group_rows(
    connection: Connection, firm: str | None, programmes: tuple[str, ...], cursor: str | None = None, limit: int = 50
) -> Page[Any]:
    """Return groups, newest change first: those a firm applies for or is asked into, or of programmes."""
    query, c = select(*light_columns(group)), group.c
    if firm is None:
        query = query.where(c.programme.in_(programmes))
    else:
        inside = c.members.contains(bindparam(None, [firm], type_=JSONB))
        query = query.where(or_(c.organisation == firm, inside))
    return newest_first(connection, query, group, cursor, limit)


def keep_group(uow: UnitOfWork, item: Group, number: int) -> None:
    """Keep what the members said with the proposal's locked version; it is never changed."""
    uow.flush()
    values = {"proposal": item.proposal, "number": number, "content": item.content()}
    uow.connection.execute(insert(group_version).values(**values))


def kept_group(connection: Connection, proposal: str, number: int) -> dict[str, Any] | None:
    """Return what was agreed and what the members of a locked version said; None where that version had no group."""
    c = group_version.c
    query = select(c.content).where(c.proposal == proposal, c.number == number)
    found: dict[str, Any] | None = connection.execute(query).scalar_one_or_none()
    return found
