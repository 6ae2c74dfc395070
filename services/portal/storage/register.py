"""Queries of the register of organisations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select, tuple_

from services.portal.domain.numbers import key_of
from services.portal.domain.organisation import Facts
from services.portal.storage import account, organisation

o = organisation.c
_LOCK = "organisation numbers"


def lock(connection: Connection) -> None:
    """Let one person at a time give organisations their numbers, until this transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(_LOCK, 0))))


def with_number(connection: Connection, facts: Facts, but: str) -> dict[str, RowMapping]:
    """Return {field: another organisation of the same country that has this number already}."""
    found = {}
    for field, column in (("registration_number", o.registration), ("tax_number", o.tax)):
        key = key_of(facts.get(field))
        if key is None:
            continue
        query = select(o.id, o.name).where(o.country == facts.get("country"), column == key, o.id != but)
        row = connection.execute(query.order_by(o.id).limit(1)).mappings().one_or_none()
        if row is not None:
            found[field] = row
    return found


def listed(
    connection: Connection,
    *,
    words: str = "",
    kind: str = "",
    country: str = "",
    waiting: bool = False,
    after: list[Any] | None = None,
    limit: int = 50,
) -> list[RowMapping]:
    """Return `limit` + 1 organisations by name: of these words (name, id or number), type and country."""
    columns = (o.id, o.name, o.standing, o.waits, o.updated_at, o.updated_by_name)
    numbers = (o.state["registration_number"].astext, o.state["tax_number"].astext)
    query = select(
        *columns,
        o.state["kind"].astext.label("kind"),
        o.state["country"].astext.label("country"),
        numbers[0].label("registration_number"),
        numbers[1].label("tax_number"),
    )
    if words:
        named = (o.name, o.id, *numbers, o.state["proposal"]["facts"]["name"].astext)
        query = query.where(or_(*(column.icontains(words, autoescape=True) for column in named)))
    if kind:
        query = query.where(o.state["kind"].astext == kind)
    if country:
        query = query.where(o.state["country"].astext == country)
    if waiting:
        query = query.where(o.waits)
    if after:
        query = query.where(tuple_(o.name, o.id) > tuple_(*after))
    return list(connection.execute(query.order_by(o.name, o.id).limit(limit + 1)).mappings())


def countries(connection: Connection) -> list[str]:
    """Return the countries in which organisations are."""
    query = select(o.state["country"].astext.label("country")).distinct().order_by("country")
    return [country for country in connection.execute(query).scalars() if country]


def people_of(connection: Connection, organisation_id: str) -> list[RowMapping]:
    """Return who acts for an organisation, by name."""
    c = account.c
    query = select(c.id, c.name, c.active).where(c.organisation == organisation_id).order_by(c.name, c.id)
    return list(connection.execute(query.limit(200)).mappings())


def founded_by(connection: Connection, user_id: str) -> str | None:
    """Return the organisation that somebody entered as theirs and that is not confirmed."""
    founder = o.state["proposal"]["founder"].astext == user_id
    query = select(o.id).where(o.waits, o.standing == "waits", founder).limit(1)
    return connection.execute(query).scalar_one_or_none()


def free_id(connection: Connection, wanted: str) -> str:
    """Return an id that no organisation has: the wanted one, or with a number behind it."""
    query = select(o.id).where(or_(o.id == wanted, o.id.startswith(f"{wanted}-", autoescape=True)))
    taken = set(connection.execute(query).scalars())
    return next(name for name in (wanted, *(f"{wanted}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)
