"""Reading the log leaves a trace in it: who searched for what, who opened which record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.audit.domain.cases import named
from services.audit.policy import POLICY
from services.audit.storage import facets, search, searches
from services.audit.storage import spread as spreads
from services.audit.storage.facets import Overview
from services.audit.storage.search import Filters
from services.audit.storage.spread import Spread
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.events.audit import RecordViewed, SearchPerformed
from shared.web.identity import Identity
from shared.web.paging import Page, encode_cursor, page_of

LIMIT = 50
# The same search again within this time is the same look at the same thing.
ROLLED_UP = timedelta(minutes=1)


@dataclass(frozen=True)
class Found:
    """A page of matches; `reached` is the leaf down to which was looked when the time was up before the page was full.

    `overview` counts the newest matches by facet and over time; `spread` is how all spread over the time, where there
    are more and enough were met to tell. `punctual` is said in `storage.search.Looked`.
    """

    page: Page[Any]
    reached: int | None
    punctual: bool
    overview: Overview | None = None
    spread: Spread | None = None


def find(
    uow: UnitOfWork,
    filters: Filters,
    *,
    before: int | None,
    through: str,
    limit: int = LIMIT,
    counts: bool = False,
    budget: float = search.BUDGET,
    purpose: str | None = None,
) -> Found:
    """Return a page of matches, looked for within `budget` seconds, and record the search and what it is for."""
    found = _counted(uow, filters, before, limit) if counts else _looked(uow, filters, before, limit, budget)
    noted(uow, filters, len(found.page.items), through, purpose)
    return found


def _looked(uow: UnitOfWork, filters: Filters, before: int | None, limit: int, budget: float = search.BUDGET) -> Found:
    looked = search.look(uow.connection, filters, before=before, limit=limit + 1, budget=budget)
    return _found(looked, looked.rows, limit)


def _counted(uow: UnitOfWork, filters: Filters, before: int | None, limit: int) -> Found:
    """Count the newest matches, and take the first page from what was counted: it is looked for once."""
    sample = search.look(uow.connection, filters, before=None, limit=facets.SAMPLE + 1, columns=search.FACETS)
    overview = facets.counted(sample)
    spread = spreads.spread(uow.connection, filters) if overview.more else None
    if before is not None:
        return replace(_looked(uow, filters, before, limit), overview=overview, spread=spread)
    shown = search.brief(uow.connection, [row.leaf_index for row in sample.rows[: limit + 1]])
    return replace(_found(sample, shown, limit), overview=overview, spread=spread)


def _found(looked: search.Looked, rows: list[Any], limit: int) -> Found:
    page = page_of(rows, limit, lambda row: [row.leaf_index])
    if page.next is None and looked.reached is not None:
        return Found(Page(page.items, encode_cursor([looked.reached])), looked.reached, looked.punctual)
    return Found(page, None, looked.punctual)


def noted(uow: UnitOfWork, filters: Filters, found: int, through: str, purpose: str | None) -> None:
    """Record a search, unless this person searched for the same less than a minute ago."""
    event = SearchPerformed(filters=filters.recorded(), found=found, through=through, purpose=purpose)
    actor = uow.context.actor
    if not searches.repeated(uow.connection, actor.id, event.model_dump(mode="json"), uow.now() - ROLLED_UP):
        uow.record(event, entity=f"search:{uow.ids()}", programme=filters.programme or None)


def open_event(uow: UnitOfWork, event_id: UUID) -> Any:
    """Return a stored event and record that it was opened; raises NotFoundError."""
    row = search.event(uow.connection, event_id)
    if row is None:
        raise NotFoundError("There is no such record")
    viewed(uow, f"event:{event_id}", "event", case=row.case, programme=row.programme)
    return row


def open_case(uow: UnitOfWork, who: Identity, case: str, *, before: int | None, limit: int = LIMIT) -> Page[Any]:
    """Return a page of a case's acts over all services, as far as this person may see them."""
    reference = named(case)
    rows = _timeline(uow, who, reference, before, limit)
    if "auditor" in who.roles:
        viewed(uow, f"case:{reference}", "timeline", case=reference)
    return page_of(rows, limit, lambda row: [row.leaf_index])


def _timeline(uow: UnitOfWork, who: Identity, case: str, before: int | None, limit: int) -> list[Any]:
    programmes = search.programmes_of(uow.connection, case)
    if "all" not in POLICY.require("audit.timeline.read", who).values() and not programmes & set(who.programmes):
        raise NotFoundError("There is no such record")
    rows = list(search.timeline(uow.connection, case, before=before, limit=limit))
    if not rows and before is None:
        raise NotFoundError("There is no such record")
    return rows


def viewed(uow: UnitOfWork, record: str, what: str, *, case: str | None = None, programme: str | None = None) -> None:
    """Record that somebody read this."""
    uow.record(RecordViewed(record=record, what=what), entity=f"record:{uow.ids()}", case=case, programme=programme)
