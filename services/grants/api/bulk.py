"""JSON: acts on many cases: a dry run that is kept as a plan, its start, and what came of each row."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import Connection, RowMapping

from services.grants.domain.bulk import Bulk, Sayable
from services.grants.handlers import bulk as handlers
from services.grants.storage import bulk as stored
from shared.i18n import translate
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.paging import MAX_LIMIT

router = APIRouter(prefix="/api/bulk", tags=["bulk"])


class BulkView(BaseModel):
    """An act on many cases: how many the dry run expects to follow, how many did, were refused, and still wait."""

    id: str
    version: int
    programme: str
    act: str
    query: str
    owner_name: str
    status: str
    planned_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    total: int
    expected: int
    done: int
    refused: int
    waiting: int


class RowView(BaseModel):
    """A case of it: `foreseen` is what the dry run found in the way, `said` why it was refused when it was tried."""

    number: int
    reference: str
    version: int
    state: str
    foreseen: list[str]
    said: list[str]
    codes: list[str]
    at: datetime | None


class RowPage(BaseModel):
    """Some rows and the number after which the next ones come."""

    items: list[RowView]
    next: int | None


@router.post("", status_code=201, dependencies=[allowed(handlers.BULK)])
def plan(command: handlers.PlanBulk, who: Who, uow: Uow) -> BulkView:
    """Try out an act on `references`, or on all that `q` finds, and keep it as a plan; no case is changed."""
    made = handlers.plan(uow, who, command)
    uow.flush()
    return view(uow.connection, made)


@router.get("/{bulk}", dependencies=[allowed(handlers.READ)])
def seen(bulk: str, who: Who, connection: Reader) -> BulkView:
    """Return how it stands."""
    return view(connection, handlers.seen(connection, who, bulk))


@router.get("/{bulk}/rows", dependencies=[allowed(handlers.READ)])
def rows(
    bulk: str,
    who: Who,
    connection: Reader,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> RowPage:
    """Return its rows, those first that the dry run found something in the way of."""
    found = stored.rows_of(connection, handlers.seen(connection, who, bulk).id, after=after, limit=limit)
    more = found[limit - 1]["number"] if len(found) > limit else None
    return RowPage(items=[_row(row) for row in found[:limit]], next=more)


@router.post("/{bulk}/start", status_code=202, dependencies=[allowed(handlers.BULK)])
def start(bulk: str, command: handlers.StartBulk, who: Who, uow: Uow) -> BulkView:
    """Let it be done in the background, each case in its own transaction; only who planned it may."""
    held = handlers.start(uow, who, bulk, command)
    uow.flush()
    return view(uow.connection, held)


@router.post("/{bulk}/discard", dependencies=[allowed(handlers.BULK)])
def discard(bulk: str, command: handlers.StartBulk, who: Who, uow: Uow) -> BulkView:
    """Throw the plan away."""
    held = handlers.discard(uow, who, bulk, command)
    uow.flush()
    return view(uow.connection, held)


def view(connection: Connection, bulk: Bulk) -> BulkView:
    """Return an act on many cases with its present counts."""
    counts = stored.counts(connection, bulk.id)
    own = {name: getattr(bulk, name) for name in BulkView.model_fields if name not in {"done", "refused", "waiting"}}
    return BulkView(
        **own, done=counts.get("done", 0), refused=counts.get("refused", 0), waiting=counts.get("waiting", 0)
    )


def _row(row: RowMapping) -> RowView:
    kept = [Sayable.model_validate(one) for one in [*row["foreseen"], *row["said"]]]
    return RowView(
        **{name: row[name] for name in ("number", "reference", "version", "state", "at")},
        foreseen=[_text(Sayable.model_validate(one)) for one in row["foreseen"]],
        said=[_text(Sayable.model_validate(one)) for one in row["said"]],
        codes=list(dict.fromkeys(one.code for one in kept)),
    )


def _text(one: Sayable) -> str:
    return one.names.get("en", "") or translate("grants", one.message, one.params or None)
