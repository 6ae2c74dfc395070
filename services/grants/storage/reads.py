"""Queries for pages and for the JSON API: each a fixed number of statements, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, RowMapping, Select, Text, func, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.review import Review
from services.grants.storage import tables as t
from services.grants.storage.base import metadata

outbox = metadata.tables["outbox"]
TIMELINE = 200
LETTERS = 1000
ALL_CALLS = 200
LISTED = [column for column in t.application.c if column.name not in {"state", "words", "last_changes"}]


def find_application(connection: Connection, reference: str) -> Application | None:
    """Return an application to look at."""
    row = connection.execute(select(t.application).where(t.application.c.id == reference)).mappings().one_or_none()
    return None if row is None else Application.stored(row["state"], row["version"])


def find_award(connection: Connection, reference: str) -> Award | None:
    """Return an award to look at."""
    row = connection.execute(select(t.award).where(t.award.c.id == reference)).mappings().one_or_none()
    return None if row is None else Award.stored(row["state"], row["version"])


def find_review(connection: Connection, review_id: str) -> Review | None:
    """Return a review to look at."""
    row = connection.execute(select(t.review).where(t.review.c.id == review_id)).mappings().one_or_none()
    return None if row is None else Review.stored(row["state"], row["version"])


def reviews_of(connection: Connection, reference: str) -> list[Review]:
    """Return the reviews of an application, in the order in which they were asked for."""
    query = select(t.review).where(t.review.c.application == reference).order_by(t.review.c.id)
    rows = connection.execute(query).mappings()
    return [Review.stored(row["state"], row["version"]) for row in rows]


def of_organisation(
    connection: Connection, organisation: str, *, q: str = "", after: Sequence[Any] | None = None, limit: int = 50
) -> list[RowMapping]:
    """Return `limit + 1` rows of an organisation's own applications; `q` stands in reference or title."""
    c = t.application.c
    query = select(*LISTED).where(c.organisation == organisation)
    if q:
        query = query.where(or_(c.id.icontains(q, autoescape=True), c.title.icontains(q, autoescape=True)))
    return _page(connection, query, after, limit)


def _page(connection: Connection, query: Select[Any], after: Sequence[Any] | None, limit: int) -> list[RowMapping]:
    c = t.application.c
    if after is not None:
        query = query.where(tuple_(c.due_order, c.id) > tuple_(after[0], after[1]))
    return list(connection.execute(query.order_by(c.due_order, c.id).limit(limit + 1)).mappings())


def reviews_for(
    connection: Connection, reviewer: str, *, q: str = "", after: Sequence[Any] | None = None, limit: int = 50
) -> list[Review]:
    """Return `limit + 1` of a reviewer's reviews, those to do first; `q` stands in reference, title or organisation."""
    c = t.review.c
    query = select(t.review).where(c.reviewer == reviewer)
    if q:
        named = (c.application, c.state["title"].astext, c.state["organisation_name"].astext)
        query = query.where(or_(*(place.icontains(q, autoescape=True) for place in named)))
    if after is not None:
        query = query.where(tuple_(c.status, c.id) > tuple_(after[0], after[1]))
    rows = connection.execute(query.order_by(c.status, c.id).limit(limit + 1)).mappings()
    return [Review.stored(row["state"], row["version"]) for row in rows]


def awards_for_finance(
    connection: Connection, programme: str, *, only_waiting: bool, after: str | None = None, limit: int = 50
) -> list[Award]:
    """Return `limit + 1` awards of a programme, by reference."""
    c = t.award.c
    query = select(t.award).where(c.programme == programme, c.concluded_at.is_not(None))
    if only_waiting:
        query = query.where(c.waits_for_finance)
    if after is not None:
        query = query.where(c.id > after)
    rows = connection.execute(query.order_by(c.id).limit(limit + 1)).mappings()
    return [Award.stored(row["state"], row["version"]) for row in rows]


def timeline(connection: Connection, case: str, most: int = TIMELINE) -> list[RowMapping]:
    """Return the latest acts of a case, newest first."""
    c = outbox.c
    query = select(c.id, c.type, c.time, c.body, c.outcome).where(c.case == case).order_by(c.row.desc())
    return list(connection.execute(query.limit(most)).mappings())


def letters(connection: Connection, case: str, organisation: str | None = None) -> list[RowMapping]:
    """Return what is known of the letters of a case, newest first; only those to one organisation's people if given."""
    c = t.letter.c
    columns = (c.event, c.to, c.channel, c.subject.label("title"), c.state, c.about, c.at)
    query = select(*columns).where(c.case == case)
    if organisation is not None:
        query = query.where(c.recipient.in_(select(t.person.c.id).where(t.person.c.organisation == organisation)))
    return list(connection.execute(query.order_by(c.at.desc()).limit(LETTERS)).mappings())


def calls(connection: Connection) -> list[RowMapping]:
    """Return the calls of all programmes, newest first."""
    query = select(t.call).order_by(t.call.c.opens_on.desc(), t.call.c.id)
    return list(connection.execute(query.limit(ALL_CALLS)).mappings())


def find_calls(connection: Connection, call_id: str) -> list[RowMapping]:
    """Return the calls of that id; two programmes may have one each."""
    query = select(t.call).where(t.call.c.id == call_id).order_by(t.call.c.programme)
    return list(connection.execute(query).mappings())


def pack_hash(connection: Connection, programme: str, version: int) -> str | None:
    """Return the hash of one version of a pack, None when there is no such version."""
    query = select(t.pack.c.sha256).where(t.pack.c.programme == programme, t.pack.c.version == version)
    return connection.execute(query).scalar_one_or_none()


def pack_content(connection: Connection, programme: str, version: int) -> dict[str, Any]:
    """Return one version of a pack."""
    query = select(t.pack.c.content).where(t.pack.c.programme == programme, t.pack.c.version == version)
    content: dict[str, Any] = connection.execute(query).scalar_one()
    return content


def pack_hashes(connection: Connection, programme: str) -> dict[int, str]:
    """Return the hashes of all versions of a programme's pack."""
    query = select(t.pack.c.version, t.pack.c.sha256).where(t.pack.c.programme == programme)
    return {row.version: row.sha256 for row in connection.execute(query)}


def reviews_by_case(connection: Connection, references: Sequence[str]) -> dict[str, list[Review]]:
    """Return the reviews of several applications in the order in which they were asked for, without their texts."""
    c = t.review.c
    state = c.state.op("-", return_type=JSONB)(literal(["scores", "summary"], ARRAY(Text))).label("state")
    query = select(c.application, c.version, state).where(c.application.in_(references)).order_by(c.id)
    found: dict[str, list[Review]] = {}
    for row in connection.execute(query):
        found.setdefault(row.application, []).append(Review.stored(row.state, row.version))
    return found


def awards_by_case(connection: Connection, references: Sequence[str]) -> dict[str, Award]:
    """Return the awards of several applications."""
    query = select(t.award.c.id, t.award.c.version, t.award.c.state).where(t.award.c.id.in_(references))
    return {row.id: Award.stored(row.state, row.version) for row in connection.execute(query)}


def latest_pack(connection: Connection, programme: str) -> int | None:
    """Return the newest version of a programme's pack."""
    query = select(func.max(t.pack.c.version)).where(t.pack.c.programme == programme)
    version: int | None = connection.execute(query).scalar_one()
    return version


def programmes(connection: Connection) -> list[str]:
    """Return the programmes that are known here."""
    return list(connection.execute(select(t.pack.c.programme).distinct().order_by(t.pack.c.programme)).scalars())


def people_with(connection: Connection, role: str, programme: str | None = None) -> list[RowMapping]:
    """Return the active people who hold a role, of one programme when it is named."""
    c = t.person.c
    query = select(t.person).where(c.active, c.roles.contains([role]))
    if programme is not None:
        query = query.where(c.programmes.contains([programme]))
    return list(connection.execute(query.order_by(c.name).limit(500)).mappings())


def find_person(connection: Connection, person_id: str) -> RowMapping | None:
    """Return what is known of a person."""
    return connection.execute(select(t.person).where(t.person.c.id == person_id)).mappings().one_or_none()


def find_organisation(connection: Connection, organisation_id: str) -> RowMapping | None:
    """Return what is known of an organisation."""
    query = select(t.organisation).where(t.organisation.c.id == organisation_id)
    return connection.execute(query).mappings().one_or_none()


def last_change(connection: Connection, reference: str) -> RowMapping:
    """Return who changed an application last, and when."""
    c = t.application.c
    query = select(c.updated_by_name, c.updated_at).where(c.id == reference)
    return connection.execute(query).mappings().one()
