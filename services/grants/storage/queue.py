"""The officers' queue in SQL: its orders, pages by key, columns by stage, every row in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Select,
    String,
    Text,
    column,
    func,
    lateral,
    literal,
    not_,
    select,
    text,
    true,
    tuple_,
    values,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.grants.domain.search import WORDS, Search
from services.grants.storage import tables as t
from services.grants.storage.conditions import Asking, condition
from services.grants.storage.reads import LISTED

CHUNK = 500
MOST_COUNTED = 1_000
NEAR = 3_000
c = t.application.c
# The order of a list: columns of the sort, of which the last is unique.
ORDERS: dict[str, tuple[Any, ...]] = {
    "due": (c.due_order, c.id),
    "updated": (c.updated_at, c.id),
    "since": (c.since, c.id),
    "amount": (c.currency, c.amount, c.id),  # currencies stay apart in every order
}

_EACH_ITS_PLAN = text("SET LOCAL plan_cache_mode = force_custom_plan")


def page(
    connection: Connection,
    programme: str,
    search: Search,
    asking: Asking,
    *,
    sort: str,
    after: Sequence[Any] | None = None,
    limit: int = 50,
) -> list[RowMapping]:
    """Return `limit + 1` rows in the order `sort` ("-" before it turns it round); `after` is the last row's key."""
    query = _ordered(_asked(programme, search, asking), sort)
    if after is not None:
        query = query.where(_beyond(sort, after))
    worded = bool(search.of(WORDS) or search.of("org"))
    if worded:
        # How many rows words have differs a thousandfold, so one plan for all words is a bad one for most: the driver
        # prepares what it sends often, and the server would settle on such a plan after ten times.
        connection.execute(_EACH_ITS_PLAN)
    if worded and _walked(search, sort):
        # How many cases have some words together can't be foretold: the index of words may give a tenth of them all.
        # So they are first looked for among the next few in the order; rare ones have to be asked of the index.
        end = connection.execute(_end_of_near(programme, search, sort, after)).one_or_none()
        if end is not None:
            near = query.where(not_(_beyond(sort, end))).limit(limit + 1)
            found = list(connection.execute(near).mappings())
            if len(found) > limit:
                return found
    return list(connection.execute(query.limit(limit + 1)).mappings())


def _beyond(sort: str, key: Sequence[Any]) -> ColumnElement[bool]:
    here, there = tuple_(*order_of(sort)), tuple_(*key)
    return here < there if sort.startswith("-") else here > there


def _walked(search: Search, sort: str) -> bool:
    """Return whether an index has the rows in this order."""
    return only_open(search) or sort.removeprefix("-") in {"due", "updated"}


def _end_of_near(programme: str, search: Search, sort: str, after: Sequence[Any] | None) -> Select[Any]:
    query = _ordered(select(*order_of(sort)).where(c.programme == programme), sort).offset(NEAR).limit(1)
    query = query.where(c.is_open) if only_open(search) else query
    return query if after is None else query.where(_beyond(sort, after))


def order_of(sort: str) -> tuple[Any, ...]:
    """Return the columns of an order."""
    return ORDERS[sort.removeprefix("-")]


def every(
    connection: Connection, programme: str, search: Search, asking: Asking, *, sort: str
) -> Iterator[Sequence[RowMapping]]:
    """Give all rows by the chunk, through a cursor in the database: memory does not grow with their number."""
    query = _ordered(_asked(programme, search, asking), sort)
    streaming = {"stream_results": True, "max_row_buffer": CHUNK}
    with connection.execute(query, execution_options=streaming) as result:
        yield from result.mappings().partitions(CHUNK)


def columns(
    connection: Connection, programme: str, search: Search, asking: Asking, stages: Sequence[str], *, most: int
) -> list[RowMapping]:
    """Return of each stage how many cases there are (counted up to MOST_COUNTED) and the `most` oldest, in one go."""
    if not stages:
        return []
    names = values(column("name", String), column("place", Integer), name="stages").data(
        [(name, place) for place, name in enumerate(stages)]
    )
    here = _asked(programme, search, asking).where(c.stage == names.c.name)
    some = select(literal(1)).where(*here.whereclause.clauses).limit(MOST_COUNTED)  # type: ignore[union-attr]
    counted = lateral(select(func.count().label("count")).select_from(some.correlate(names).subquery()), name="counted")
    # Where nobody is, nobody is looked for: a stage may have many that are not open, and all of them would be passed.
    there = here.where(counted.c.count > 0)
    cards = lateral(there.order_by(c.since, c.id).limit(most), name="cards")
    joined = names.join(counted, true()).outerjoin(cards, true())
    query = select(names.c.name.label("column"), counted.c.count.label("count"), *cards.c).select_from(joined)
    return list(connection.execute(query.order_by(names.c.place, cards.c.since, cards.c.id)).mappings())


def details(
    connection: Connection, references: Sequence[str], without: Sequence[str] = ("answers",)
) -> dict[str, dict[str, Any]]:
    """Return what applications are, `without` what was written into them, by reference."""
    state = c.state.op("-", return_type=JSONB)(literal([*without], ARRAY(Text))).label("state")
    query = select(c.id, state).where(c.id.in_(references))
    return {row.id: row.state for row in connection.execute(query)}


def _asked(programme: str, search: Search, asking: Asking) -> Select[Any]:
    query = select(*LISTED).where(c.programme == programme, *(condition(term, asking) for term in search.terms))
    return query.where(c.is_open) if only_open(search) else query


def only_open(search: Search) -> bool:
    """Return whether open applications alone are meant: neither a state nor a stage is named."""
    return not search.of("state") and all(term.negated for term in search.of("stage"))


def _ordered(query: Select[Any], sort: str) -> Select[Any]:
    down = sort.startswith("-")
    return query.order_by(*(column.desc() if down else column for column in order_of(sort)))
