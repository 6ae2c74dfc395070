"""What somebody looks for in the log, and the conditions on its rows that say so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, and_, cast, func, literal, text
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, TSQUERY

from services.audit.domain.cases import named
from services.audit.storage.tables import STRETCH, events
from shared.settings import SERVICES

MAX_PEOPLE = 50
_FOLLOWS = ("actors", "meant")
# As their indexes have them.
_FOUND = func.log_words(events.c.leaf_index, events.c.summary)
_CHANGES = func.log_changes(events.c.leaf_index, events.c.body, type_=JSONB)
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True)
class Filters:
    """What somebody looks for; empty means all."""

    q: str = ""
    person: str = ""
    case: str = ""
    kind: str = ""  # an event type, or the beginning of one that ends at a dot
    organisation: str = ""
    role: str = ""
    programme: str = ""
    outcome: str = ""
    service: str = ""
    entity: str = ""  # a kind of entity, or one entity as kind:id
    changed: str = ""  # a field that the act changed
    old: str = ""  # what that field was: an amount in any spelling, or a word
    new: str = ""
    since: datetime | None = None
    until: datetime | None = None
    size: int | None = None  # the log as it was when it had so many leaves
    # Which people the names in `person` and in `q` stand for, where these are sealed: ids of actors, and the opaque ids
    # by word. They follow from what is looked for.
    actors: tuple[str, ...] = ()
    meant: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def recorded(self) -> dict[str, str]:
        """Return the filters as they are put on record: who was looked for by a sealed name stands there as sealed."""
        given = self.given()
        for word, ids in self.meant:
            for name in {"q", "person"} & given.keys():
                given[name] = re.sub(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", "|".join(ids[:3]), given[name])
        return given

    def given(self) -> dict[str, str]:
        """Return the filters that are set, as text."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _FOLLOWS}
        return {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in values.items()
            if value not in ("", None)
        }


def acting(connection: Connection, filters: Filters) -> tuple[str, ...]:
    """Return the ids of those whom these filters look for as persons."""
    return (*people(connection, filters.person), *filters.actors) if filters.person else ()


def conditions(
    filters: Filters, actors: tuple[str, ...], *, by_leaf: bool = False, judged: bool = False
) -> list[ColumnElement[bool]]:
    """Return the conditions on a row that these filters are; `actors` are those who are `acting` by them.

    `by_leaf`: whoever asks goes through stretches of leaves, and no index that is in another order shall tempt the
    planner: it would read a year of it for a page. `judged`: rows are found by something else, no index but those of
    words and changes shall be asked.
    """
    names = {"organisation": "organisation", "role": "role", "programme": "programme"}
    found: list[ColumnElement[bool]] = [
        (events.c[column].concat("") if judged else events.c[column]) == value
        for name, column in names.items()
        if (value := getattr(filters, name))
    ]
    if filters.outcome:
        # As the partial index of what was refused says it.
        found.append(events.c.outcome == filters.outcome)
        found += [events.c.outcome != "success"] if filters.outcome != "success" else []
    if filters.case:
        found.append(events.c["case"] == named(filters.case))
    if filters.person:
        found.append(events.c.actor_id.concat("").in_(actors) if judged else by(*actors))
    kinds: list[ColumnElement[bool]] = (
        [events.c.type.concat("") == filters.kind] if judged and filters.kind[-1:] not in {"", "."} else []
    )
    found += [*(kinds or _kind(filters.kind)), *_entity(filters.entity), *_changed(filters)]
    if filters.service:
        found.append((events.c.source.concat("") if by_leaf or judged else events.c.source) == filters.service)
    occurred = events.c.occurred_at.op("+")(text("interval '0'")) if by_leaf or judged else events.c.occurred_at
    found += [occurred >= filters.since] if filters.since else []
    found += [occurred < filters.until] if filters.until else []
    if filters.q:
        found.append(_FOUND.bool_op("@@")(_words(filters)))
    if filters.size is not None:
        found.append(events.c.leaf_index < filters.size)
    return found


def facets(filters: Filters, actors: tuple[str, ...]) -> list[ColumnElement[bool]]:
    """Return those conditions of which an index tells in a moment how many rows they have, each by itself."""
    found: list[ColumnElement[bool]] = [_hashed().in_([_hash(actor) for actor in actors])] if filters.person else []
    found += [events.c.organisation == filters.organisation] if filters.organisation else []
    return found + (_kind(filters.kind) if filters.kind[-1:] != "." else [])


def between(filters: Filters, low: int, high: int) -> list[ColumnElement[bool]]:
    """Return the conditions for leaves [low, high), said to each index that these filters ask."""
    if not filters.q and not filters.changed:
        return [events.c.leaf_index >= low, events.c.leaf_index < high]
    # As a sum, so that the primary key is not asked for the same again.
    found = [events.c.leaf_index + 0 >= low, events.c.leaf_index + 0 < high]
    stretches = range(low >> STRETCH, ((high - 1) >> STRETCH) + 1)
    if filters.q:
        wanted = " | ".join(f"' {stretch}'" for stretch in stretches)
        found.append(_FOUND.bool_op("@@")(cast(literal(wanted, Text), TSQUERY)))
    if filters.changed:
        tests = " || ".join(f"@ == {stretch}" for stretch in stretches)
        found.append(_CHANGES.path_exists(cast(literal(f'$."" ? ({tests})', Text), JSONPATH)))
    return found


def _words(filters: Filters) -> ColumnElement[Any]:
    """Return what full text search looks for: each word itself or, where it is a sealed name, those it stands for."""
    rest = filters.q
    found: list[ColumnElement[Any]] = []
    for word, ids in filters.meant:
        rest = re.sub(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", " ", rest)
        sealed = func.to_tsquery(text("'simple'"), " | ".join(ids))
        found.append(_plain(word).op("||")(sealed))
    if rest.strip() or not found:
        found.append(_plain(rest))
    return reduce(lambda one, other: one.op("&&")(other), found)


def _plain(words: str) -> ColumnElement[Any]:
    return func.websearch_to_tsquery(text("'simple'"), words)


def by(*actors: str) -> ColumnElement[bool]:
    """Return the condition that one of these acted, as the index of actors has it: by the hash of the id."""
    if len(actors) == 1:
        return and_(_hashed() == _hash(actors[0]), events.c.actor_id == actors[0])
    return and_(_hashed().in_([_hash(actor) for actor in actors]), events.c.actor_id.in_(actors))


def _hashed() -> ColumnElement[int]:
    return _hash(events.c.actor_id)


def _hash(actor: Any) -> ColumnElement[int]:
    return func.hashtextextended(actor, text("0"))


def _kind(kind: str) -> list[ColumnElement[bool]]:
    if kind.endswith("."):
        return [events.c.type.startswith(kind, autoescape=True)]
    return [events.c.type == kind] if kind else []


def _entity(entity: str) -> list[ColumnElement[bool]]:
    if ":" in entity:  # the index begins with the service
        return [events.c.source.in_(SERVICES), events.c.entity == entity]
    return [events.c.entity.startswith(f"{entity}:", autoescape=True)] if entity else []


def _changed(filters: Filters) -> list[ColumnElement[bool]]:
    """Return what the index of changes answers: the field, and what it was or became as a JSON path."""
    if not filters.changed:
        return []
    changes, field = _CHANGES, filters.changed
    sides = [(side, value) for side, value in enumerate((filters.old, filters.new)) if value]
    if not sides:
        return [changes.contains({"": [field]})]
    paths = [f"$.{json.dumps(field)}[{side}] ? ({_any_of(value)})" for side, value in sides]
    return [changes.path_exists(cast(literal(path, Text), JSONPATH)) for path in paths]


def _any_of(value: str) -> str:
    """Return the test of a JSON path whether something is this value, alone or as an amount of money."""
    tests = [
        f"@.amount == {json.dumps(spelling['amount'])}"
        if isinstance(spelling, dict)
        else f"@ == {json.dumps(spelling)}"
        for spelling in _spellings(value)
    ]
    return " || ".join(tests)


def _spellings(value: str) -> Iterator[Any]:
    """Yield the JSON values that this may be: amounts have up to three decimals, and money is a pair."""
    plain = "".join(value.replace(",", "").split())
    if value in ("true", "false", "yes", "no"):
        yield value in ("true", "yes")
    if not _NUMBER.fullmatch(plain):
        yield value
        return
    number = Decimal(plain)
    short = f"{number.normalize():f}" if number else "0"
    own = len(short.partition(".")[2])
    for places in range(own, max(own, 3) + 1):
        written = f"{number:.{places}f}"
        yield written
        yield {"amount": written}
    yield json.loads(short)


_ACTORS = text("""
WITH RECURSIVE actor AS (
  (SELECT actor_id, actor_name FROM event ORDER BY hashtextextended(actor_id, 0) DESC, leaf_index DESC LIMIT 1)
  UNION ALL
  SELECT next.actor_id, next.actor_name FROM actor, LATERAL (
    SELECT actor_id, actor_name FROM event
    WHERE hashtextextended(event.actor_id, 0) < hashtextextended(actor.actor_id, 0)
    ORDER BY hashtextextended(actor_id, 0) DESC, leaf_index DESC LIMIT 1) AS next
)
SELECT actor_id FROM actor WHERE strpos(lower(actor_name), lower(CAST(:given AS text))) > 0 LIMIT :limit
""")
_ACTED = text("""
SELECT id FROM (VALUES (CAST(:given AS text)), ('user:' || CAST(:given AS text))) AS given(id), LATERAL (
  SELECT FROM event WHERE hashtextextended(actor_id, 0) = hashtextextended(given.id, 0) LIMIT 1) AS acted
""")


def people(connection: Connection, given: str) -> list[str]:
    """Return the ids of actors with that id, or with that text in the name they had last."""
    acted = list(connection.execute(_ACTED, {"given": given}).scalars())
    return acted or list(connection.execute(_ACTORS, {"given": given, "limit": MAX_PEOPLE}).scalars())
