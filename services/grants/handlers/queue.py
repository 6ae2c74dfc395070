"""The officers' queue: what is asked for, who asks, and how each case on the list stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application
from services.grants.domain.mainline import main_line
from services.grants.domain.pack import Pack
from services.grants.domain.search import MAX_TEXT, Known, Search, parse, quoted
from services.grants.handlers.base import Frame, Packs, roles_on
from services.grants.handlers.conflicts import barred_by, barred_by_partners, conflicts_on
from services.grants.handlers.listing import QUEUE, programmes_of
from services.grants.handlers.moving import facts_for
from services.grants.handlers.standing import stands_for
from services.grants.policy import POLICY
from services.grants.storage import judging, reads
from services.grants.storage import queue as stored
from services.grants.storage.conditions import Asking
from shared.clock import Clock, utc_now
from shared.errors import InvalidError, NotFoundError
from shared.web.identity import Identity
from shared.web.paging import MAX_LIMIT, Page, decode_cursor, page_of
from shared.workflow import Move, Workflow
from shared.workflow.requirements import Sentence

CARDS, MOST_COUNTED = 10, stored.MOST_COUNTED


class Query(BaseModel):
    """The address of the queue: a search in `q`, an order, a page; the other filters are terms of the search too."""

    model_config = ConfigDict(extra="ignore", str_max_length=200, str_strip_whitespace=True)

    programme: str = ""
    state: str = ""
    stage: str = ""
    holder: str = ""
    officer: str = ""  # me, none, or a user id
    call: str = ""
    late: bool = False
    q: str = Field(default="", max_length=20 * MAX_TEXT)
    sort: str = "due"
    cursor: str | None = Field(default=None, max_length=500)
    limit: int = Field(default=50, ge=1, le=MAX_LIMIT)

    def text(self) -> str:
        """Return the whole search as one text."""
        named = {name: getattr(self, name) for name in ("state", "stage", "holder", "officer", "call")}
        terms = [f"{name}:{quoted(value)}" for name, value in named.items() if value]
        return " ".join([self.q, *terms, *(["overdue:yes"] if self.late else [])]).strip()


@dataclass(frozen=True)
class Listing:
    """What was asked for, understood: `programme` is None for who has none."""

    programme: str | None
    programmes: tuple[str, ...]
    packs: Packs
    search: Search
    asking: Asking
    sort: str

    @property
    def zone(self) -> str:
        """Return the time zone of the programme, "" without one."""
        return self.packs.newest.calendar.zone if self.packs.newest else ""

    @property
    def pack(self) -> Pack | None:
        """Return the programme's newest pack: it names stages and calls."""
        return self.packs.newest


@dataclass(frozen=True)
class Standing:
    """How a case stands: working days used, of how many; the move that carries it on, if it is this person's."""

    days_used: int
    days_given: int | None
    frame: Frame
    next: Move | None
    conflict: Sentence | None = None  # why this person may not judge it


def asked(connection: Connection, who: Identity, query: Query, clock: Clock = utc_now) -> Listing:
    """Return what the address asks for; mistakes in the search are among it, other wrong parameters are refused."""
    if query.sort.removeprefix("-") not in stored.ORDERS:
        raise InvalidError({"sort": f"is none of {', '.join(stored.ORDERS)}, with or without -"})
    mine = tuple(programmes_of(connection, who, QUEUE))
    text = query.text()
    named = [str(term.values[0]) for term in parse(text).of("programme")]
    wanted = next((name for name in named if name in mine), query.programme)
    if wanted and wanted not in mine:
        raise NotFoundError("There is no such programme")
    programme = wanted or (mine[0] if mine else None)
    packs = Packs(connection, programme)
    search = parse(text, _known(packs.newest, mine, scores=_may_see_scores(who)))
    zone = ZoneInfo(packs.newest.calendar.zone if packs.newest else "UTC")
    asking = Asking(user=who.user, roles=who.roles, now=clock(), zone=zone, also=tuple(stands_for(who)))
    if search.of("score"):
        out = judging.recused_from(connection, who.user)
        out |= barred_by_partners(connection, who, programme) if programme else frozenset()
        asking = replace(asking, out=tuple(sorted(out)), barred=barred_by(connection, who))
    return Listing(programme, mine, packs, search, asking, query.sort)


def _may_see_scores(who: Identity) -> bool:
    return bool(POLICY.scopes("grants.review.read", who).keys() - {"reviewer"})


def _known(pack: Pack | None, programmes: tuple[str, ...], *, scores: bool) -> Known:
    if pack is None:
        return Known(programmes=programmes, scores=scores)
    currencies = dict.fromkeys(call.currency for call in pack.calls.values())
    stages = dict.fromkeys(stage.id for flow in workflows(pack) for stage in flow.stages)
    return Known(tuple(stages), tuple(pack.calls), programmes, tuple(currencies), scores)


def workflows(pack: Pack) -> list[Workflow]:
    """Return the workflows of a pack's calls."""
    used = {call.workflow for call in pack.calls.values()}
    return [flow for name, flow in pack.workflows.items() if name in used]


def understood(listing: Listing) -> Listing:
    """Return what was asked for; raises InvalidError that names the place of each mistake in it."""
    if listing.search.mistakes:
        said = [
            f"at {wrong.start + 1}, {listing.search.text[wrong.start : wrong.end]}: {wrong.rule}"
            + (f"; perhaps {wrong.fix}" if wrong.fix else "")
            for wrong in listing.search.mistakes
        ]
        raise InvalidError({"q": ". ".join(said)})
    return listing


def page(connection: Connection, listing: Listing, query: Query) -> Page[RowMapping]:
    """Return a page of what was asked for."""
    after = _after(query.cursor, listing.sort)
    if listing.programme is None or listing.search.mistakes:
        return Page([], None)
    rows = stored.page(
        connection,
        listing.programme,
        listing.search,
        listing.asking,
        sort=listing.sort,
        after=after,
        limit=query.limit,
    )
    names = [column.name for column in stored.order_of(listing.sort)]
    return page_of(rows, query.limit, lambda row: [listing.sort, *(_plain(row[name]) for name in names)])


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _after(cursor: str | None, sort: str) -> list[Any] | None:
    columns = stored.order_of(sort)
    values = decode_cursor(cursor, len(columns) + 1)
    if values is None:
        return None
    if values[0] == sort:
        with suppress(ValueError, InvalidOperation):
            return [
                _READ[column.type.python_type](str(value)) for column, value in zip(columns, values[1:], strict=True)
            ]
    raise InvalidError({"cursor": "is not a cursor that this list gave"})


_READ: dict[type, Any] = {date: date.fromisoformat, datetime: datetime.fromisoformat, Decimal: Decimal, str: str}


def every(connection: Connection, listing: Listing) -> Iterator[Sequence[RowMapping]]:
    """Give all rows that were asked for, by the chunk, in the order of the list."""
    if listing.programme is None or listing.search.mistakes:
        return
    yield from stored.every(connection, listing.programme, listing.search, listing.asking, sort=listing.sort)


def board(connection: Connection, listing: Listing) -> list[tuple[str, int, list[RowMapping]]]:
    """Return (stage, how many cases, the oldest of them) of each stage that has some, along the workflow."""
    if listing.programme is None or listing.search.mistakes or listing.pack is None:
        return []
    open_alone = stored.only_open(listing.search)  # then nothing can be at a terminal stage, and nobody looks there
    every_stage = [stage for flow in workflows(listing.pack) for stage in flow.stages]
    stages = list(dict.fromkeys(stage.id for stage in every_stage if not (open_alone and stage.terminal)))
    found: dict[str, tuple[int, list[RowMapping]]] = {}
    for row in stored.columns(connection, listing.programme, listing.search, listing.asking, stages, most=CARDS):
        if row["count"]:
            found.setdefault(row["column"], (row["count"], []))[1].append(row)
    return [(stage, count, rows) for stage, (count, rows) in found.items()]


def standings(
    connection: Connection, who: Identity, listing: Listing, rows: Sequence[RowMapping]
) -> dict[str, Standing]:
    """Return how each open case stands, in four statements for all of them; drafts and ended cases wait for nobody."""
    rows = [row for row in rows if row["is_open"]]
    references = [row["id"] for row in rows]
    states = stored.details(connection, references, ("answers", "handed", "eligibility"))
    reviews = reads.reviews_by_case(connection, references)
    awards = reads.awards_by_case(connection, references)
    conflicts = conflicts_on(connection, who, rows)
    lines: dict[int, list[str]] = {}
    found = {}
    for row in rows:
        application = Application.stored(states[row["id"]], row["version"])
        frame = Frame.of(listing.packs, application)
        facts = facts_for(who, application, frame, reviews.get(row["id"], []), awards.get(row["id"]))
        used = application.turn(frame.workflow, frame.calendar, listing.asking.now).days_used
        sla = frame.workflow.stage(application.stage).sla
        moves = frame.workflow.moves(application.stage, roles_on(who, application), facts)
        line = lines.get(id(frame.workflow)) or lines.setdefault(id(frame.workflow), main_line(frame.workflow))
        conflict = conflicts.get(application.id)
        step = None if conflict else _ahead(application, line, moves)
        found[application.id] = Standing(used, sla.working_days if sla else None, frame, step, conflict)
    return found


def _ahead(application: Application, line: list[str], moves: Sequence[Move]) -> Move | None:
    """Return the move that carries the case on along the main line, one that is possible now before others."""
    if application.stage not in line:
        return None
    ahead = set(line[line.index(application.stage) + 1 :])
    found = [move for move in moves if move.transition.to in ahead]
    return next((move for move in found if move.allowed), found[0] if found else None)
