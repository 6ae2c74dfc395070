"""Tables and queries of those who judge cases: what they said of themselves, and the cases they are out of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Index, RowMapping, String, and_, func, or_, select

from services.grants.domain.assessor import Assessor, Interest
from services.grants.domain.conflict import Firm, Recusal
from services.grants.domain.moderation import Moderation
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

assessor = entity_table("assessor", metadata, Column("name", String(200), nullable=False))
recusal = entity_table(
    "recusal",
    metadata,
    Column("application", String(80), nullable=False),
    Column("person", String(80), nullable=False),
    Column("status", String(20), nullable=False),
    Index("recusal_case", "application"),
)
moderation = entity_table("moderation", metadata, Column("programme", String(80), nullable=False))
_OPEN = ("assigned", "open")


def assessors(uow: UnitOfWork) -> Repository[Assessor]:
    """Return those who judge cases."""
    return Repository(uow, assessor, Assessor, lambda item: {"name": item.name})


def recusals(uow: UnitOfWork) -> Repository[Recusal]:
    """Return the recusals of this transaction."""
    return Repository(
        uow,
        recusal,
        Recusal,
        lambda item: {"application": item.application, "person": item.person, "status": item.status},
    )


def moderations(uow: UnitOfWork) -> Repository[Moderation]:
    """Return what was done about reviews that are too far apart."""
    return Repository(uow, moderation, Moderation, lambda item: {"programme": item.programme})


def find_moderation(connection: Connection, reference: str) -> Moderation | None:
    """Return what was done about a case's reviews that are too far apart."""
    row = connection.execute(select(moderation).where(moderation.c.id == reference)).mappings().one_or_none()
    return Moderation.stored(row["state"], row["version"]) if row else None


def _assessor(row: RowMapping) -> Assessor:
    return Assessor.stored(row["state"], row["version"])


def find_assessor(connection: Connection, user: str) -> Assessor | None:
    """Return what somebody said of themselves."""
    row = connection.execute(select(assessor).where(assessor.c.id == user)).mappings().one_or_none()
    return _assessor(row) if row else None


def assessors_by_id(connection: Connection, users: Sequence[str]) -> dict[str, Assessor]:
    """Return what several people said of themselves."""
    rows = connection.execute(select(assessor).where(assessor.c.id.in_(users))).mappings()
    return {row["id"]: _assessor(row) for row in rows}


def find_recusal(connection: Connection, reference: str, user: str) -> Recusal | None:
    """Return a person's recusal from a case."""
    found = connection.execute(select(recusal).where(recusal.c.id == f"{reference}:{user}")).mappings().one_or_none()
    return Recusal.stored(found["state"], found["version"]) if found else None


def recusals_of(connection: Connection, reference: str) -> list[Recusal]:
    """Return who is or was out of a case."""
    query = select(recusal).where(recusal.c.application == reference).order_by(recusal.c.id)
    rows = connection.execute(query).mappings()
    return [Recusal.stored(row["state"], row["version"]) for row in rows]


def people_around(connection: Connection, users: Sequence[str], organisation: str) -> list[RowMapping]:
    """Return these people, and the applicants of an organisation."""
    c = t.person.c
    theirs = and_(c.organisation == organisation, c.roles.contains(["applicant"]))
    return list(connection.execute(select(t.person).where(or_(c.id.in_(users), theirs))).mappings())


def organisations_by_id(connection: Connection, ids: Sequence[str]) -> dict[str, RowMapping]:
    """Return what is known of several organisations."""
    rows = connection.execute(select(t.organisation).where(t.organisation.c.id.in_(ids))).mappings()
    return {row["id"]: row for row in rows}


def recused_from(connection: Connection, user: str) -> frozenset[str]:
    """Return the cases that a person is out of, by their own word on the case or on a review of it."""
    r, v = recusal.c, t.review.c
    said = select(r.application).where(r.person == user, r.status == "standing")
    reviewed = select(v.application).where(v.reviewer == user, v.status == "recused")
    return frozenset(connection.execute(said.union(reviewed)).scalars())


def domains_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the domains from which those who act for these organisations write."""
    c = t.person.c
    query = select(c.organisation, c.email_domain).distinct()
    query = query.where(c.organisation.in_(ids), c.roles.contains(["applicant"]), c.email_domain.is_not(None))
    found: dict[str, list[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.organisation, []).append(row.email_domain)
    return found


def organisations_near(connection: Connection, own: Firm, ties: Sequence[Interest]) -> list[str]:
    """Return organisations that may have to do with a person: by the domain of mail, a number, or a declared tie.

    Names are compared as `shared.names` folds them, which no index knows: with a tie, or a number of one's own
    organisation, every organisation is looked at.
    """
    o, p = t.organisation.c, t.person.c
    if ties or own.number:
        return list(connection.execute(select(o.id)).scalars())
    by_mail = select(p.organisation).where(p.email_domain.in_(sorted(own.domains)), p.organisation.is_not(None))
    return list(connection.execute(by_mail.distinct()).scalars())


def open_reviews(connection: Connection, users: Sequence[str]) -> dict[str, int]:
    """Return how many reviews each of these people has before them."""
    c = t.review.c
    query = select(c.reviewer, func.count()).where(c.reviewer.in_(users), c.status.in_(_OPEN)).group_by(c.reviewer)
    return {row[0]: row[1] for row in connection.execute(query)}


def reviews_due(connection: Connection, day: str, limit: int = 200) -> list[str]:
    """Return reviews that are due by that day, or were, and nobody was reminded of yet."""
    c = t.review.c
    due = c.state["due"].astext
    query = select(c.id).where(c.status.in_(_OPEN), due.is_not(None), due <= day)
    query = query.where(func.coalesce(c.state["reminded_for"].astext, "") < due)
    return list(connection.execute(query.order_by(c.id).limit(limit)).scalars())


def organisations_named(connection: Connection, limit: int = 500) -> list[tuple[str, str]]:
    """Return the organisations that can be chosen, by name."""
    c = t.organisation.c
    rows = connection.execute(select(c.id, c.name).order_by(c.name).limit(limit))
    return [(row.id, row.name) for row in rows]
