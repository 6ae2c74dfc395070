"""Reading the log leaves a trace in it: who searched for what, who opened which record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.audit.policy import POLICY
from services.audit.storage import search
from services.audit.storage.search import Filters
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.events.audit import RecordViewed, SearchPerformed
from shared.web.identity import Identity
from shared.web.paging import Page, page_of

LIMIT = 50


def find(uow: UnitOfWork, filters: Filters, *, before: int | None, through: str, limit: int = LIMIT) -> Page[Any]:
    """Return a page of matches and record the search."""
    rows = search.search(uow.connection, filters, before=before, limit=limit)
    page = page_of(rows, limit, lambda row: [row.leaf_index])
    event = SearchPerformed(filters=filters.recorded(), found=len(page.items), through=through)
    uow.record(event, entity=f"search:{uow.ids()}", programme=filters.programme or None)
    return page


def open_event(uow: UnitOfWork, event_id: UUID) -> Any:
    """Return a stored event and record that it was opened; raises NotFoundError."""
    row = search.event(uow.connection, event_id)
    if row is None:
        raise NotFoundError("There is no such record")
    viewed(uow, f"event:{event_id}", "event", case=row.case, programme=row.programme)
    return row


def open_case(uow: UnitOfWork, who: Identity, case: str, *, before: int | None, limit: int = LIMIT) -> Page[Any]:
    """Return a page of a case's acts over all services, as far as this person may see them."""
    reference = case.upper()
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
