"""What an operator asks for: written as it has to be, and there at all. A slip of the pen would look like good news."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import Engine, text

from shared.database import reading
from shared.errors import InvalidError, NotFoundError
from shared.events.base import event_types

_ENTITY = re.compile(r"(?:([a-z]+)/)?([a-z][a-z0-9_]*:\S+)")
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\.?")
# Where a value is looked for: in what was published, and in what came and could not be handled.
_PUBLISHED = {
    "case": 'SELECT 1 FROM outbox WHERE "case" = :value LIMIT 1',
    "entity": "SELECT 1 FROM outbox WHERE entity = :bare LIMIT 1",
    "type": "SELECT 1 FROM outbox WHERE starts_with(type, :value) LIMIT 1",
}
_HELD = {
    "entity": "SELECT 1 FROM quarantine WHERE entity = :value OR entity LIKE '%/' || :value LIMIT 1",
    "type": "SELECT 1 FROM quarantine WHERE starts_with(type, :value) LIMIT 1",
    "fingerprint": "SELECT 1 FROM quarantine WHERE fingerprint = :value LIMIT 1",
}
_OLDER = ", or its events are older than what is kept"
_NO_SUCH = {
    "case": f"There is no case %(value)s here{_OLDER}",
    "entity": f"There is no entity %(value)s here{_OLDER}",
    "type": "No type of event begins with %(value)s",
    "fingerprint": "Nothing has ever failed with the fingerprint %(value)s here",
}


def as_entity(value: str | None) -> str | None:
    """Return an entity as it was typed; refuses what is not written like one."""
    if value is not None and not _ENTITY.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is not written kind:id, such as application:BSO-2026-0001")
    return value


def as_moment(value: str) -> datetime:
    """Return a day or a moment, which is in UTC where it names no zone; refuses anything else."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is neither a day (2026-11-22) nor a moment (2026-11-22T14:30)") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_id(value: str) -> UUID:
    """Return the id of an event or of a row; refuses anything else."""
    try:
        return UUID(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is not an id, such as 01a20221-a3b4-743c-8b8e-62531f951473") from error


def parted(entity: str | None) -> tuple[str | None, str | None]:
    """Return (source, kind:id) of an entity that may be named with its source ("portal/user:a")."""
    found = _ENTITY.fullmatch(entity or "")
    return (found[1], found[2]) if found else (None, entity)


def as_type(value: str | None) -> str | None:
    """Return the beginning of a type as it was typed; refuses what no type begins with."""
    if value is not None and not _TYPE.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is not the beginning of a type, such as grants.application.")
    return value


def one_of(known: Iterable[str], service: str | None, option: str) -> None:
    """Raise InvalidError when `service` is none of those known."""
    if service is not None and service not in (services := list(known)):
        names = ", ".join(services)
        raise InvalidError({f"--{option}": f"is one of {names}"}, "There is no such service: %(name)s", name=service)


def known(engines: Mapping[str, Engine], **asked: str | None) -> None:
    """Raise NotFoundError for a case, entity, type or fingerprint that no service has ever heard of.

    Asked only when there is nothing to show, to tell "nothing there" from "no such thing".
    """
    for what, value in asked.items():
        if value is not None and not _is_known(engines, what, value):
            raise NotFoundError(_NO_SUCH[what], value=value)


def _is_known(engines: Mapping[str, Engine], what: str, value: str) -> bool:
    if what == "type" and any(kind.startswith(value) for kind, _ in event_types()):
        return True
    facts = {"value": value, "bare": parted(value)[1]}
    return any(_has(engine, table, query, facts) for engine in engines.values() for table, query in _places(what))


def _places(what: str) -> list[tuple[str, str]]:
    places = (("outbox", _PUBLISHED.get(what)), ("quarantine", _HELD.get(what)))
    return [(table, query) for table, query in places if query]


def _has(engine: Engine, table: str, query: str, facts: dict[str, Any]) -> bool:
    with reading(engine) as connection:
        there = connection.execute(text("SELECT to_regclass(:table) IS NOT NULL"), {"table": table}).scalar_one()
        return bool(there) and connection.execute(text(query), facts).first() is not None


Kind = Annotated[str | None, typer.Option("--type", help="Beginning of the type.", callback=as_type)]
Since = Annotated[
    datetime | None, typer.Option(parser=as_moment, metavar="MOMENT", help="At or after; UTC if it names no zone.")
]
Id = Annotated[UUID, typer.Argument(parser=as_id, metavar="ID", help="One event, by its id or row.")]
Entity = Annotated[str | None, typer.Option(help="kind:id, also with its source before it.", callback=as_entity)]
