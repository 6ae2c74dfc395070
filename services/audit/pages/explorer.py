"""The auditor's explorer, an event with its proof, and the timeline of a case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from services.audit import labels, search_views, views
from services.audit.domain.cases import named
from services.audit.handlers import proofs, reading, saved
from services.audit.keys import Keys
from services.audit.pages.purpose import purpose_of
from services.audit.query import SearchQuery, before
from services.audit.storage import facets, search, signing, tree, verifications
from services.audit.storage.facets import Overview
from services.audit.storage.opening import Opener
from services.audit.storage.search import Looked
from services.audit.storage.subjects import subjects_of
from services.audit.telling import Teller, ids_in, say
from shared.database import UnitOfWork
from shared.web.dependencies import Uow, Who, allowed
from shared.web.pages import render
from shared.web.paging import Page, decode_cursor

router = APIRouter()
Search = Annotated[SearchQuery, Query()]
Cursor = Annotated[str, Query(max_length=200)]


def keys_of(request: Request) -> Keys:
    """Return the log's keys."""
    return Keys.of(request.app.state.settings)


def teller(request: Request, names: dict[str, str] | None = None) -> Teller:
    """Return what says values to this reader."""
    opener = Opener(subjects_of(request.app.state.settings), say("[erased on %(at)s by %(by)s]"))
    return Teller(request.app.state.pages, names, opener)


def called(request: Request, ids: Iterable[str]) -> dict[str, str]:
    """Return what applicants' people are called, by user id: the log itself has their names sealed."""
    found = subjects_of(request.app.state.settings).names([f"user:{item}" for item in ids])
    return {who.removeprefix("user:"): name for who, name in found.items()}


def _labelled(request: Request, overview: Overview) -> Overview:
    """Return the counts with the people in them called by their names."""
    names = subjects_of(request.app.state.settings).names([who for who, _, _ in overview.facets["person"]])
    people = [(who, names.get(who, label), count) for who, label, count in overview.facets["person"]]
    return replace(overview, facets=overview.facets | {"person": people})


def trust(uow: UnitOfWork) -> dict[str, Any]:
    """Return what a page says about whether the log can be trusted."""
    latest = verifications.latest(uow.connection, 1)
    return {
        "size": tree.head(uow.connection).size,
        "checkpoint": tree.latest_checkpoint(uow.connection),
        "unsigned": signing.present(uow.connection),
        "verification": latest[0] if latest else None,
    }


@router.get("/", dependencies=[allowed("audit.log.search")])
def explorer(request: Request, query: Search, who: Who, uow: Uow) -> HTMLResponse:
    """Search the log."""
    asked = query.search()
    purpose = purpose_of(request)
    context: dict[str, Any] = {
        "asks_purpose": purpose == "",
        "search": asked,
        "form": search_views.form(query, asked),
        "chips": search_views.chips(asked),
        "mistakes": search_views.mistakes(asked),
        "trust": trust(uow),
        "saved": saved.seen(uow.connection, who),
        "me": who.user,
        "labels": labels,
        "address": search_views.address,
    }
    if asked.mistakes or purpose == "":
        return render(request, "explorer.html", **context)
    filters = query.filters(request)
    found = reading.find(uow, filters, before=query.before(), through="page", counts=True, purpose=purpose)
    overview = _labelled(request, found.overview or facets.counted(Looked([])))
    zone = ZoneInfo(request.app.state.settings.time_zone)
    return render(
        request,
        "explorer.html",
        found=found,
        page=found.page,
        acts=[views.act(row, teller(request)) for row in found.page.items],
        overview=overview,
        facets=search_views.facets(overview, asked),
        histogram=search_views.histogram(overview, found.spread, asked, zone),
        **context,
    )


@router.get("/events/{event_id}", dependencies=[allowed("audit.event.read")])
def event(request: Request, event_id: UUID, uow: Uow) -> HTMLResponse:
    """Show one event: who did what, what changed, what belongs to it, and its proof."""
    row = reading.open_event(uow, event_id)
    body = teller(request).body(row)
    proof, problem = _proof(request, uow, event_id)
    ids = set(ids_in([body["data"], body["changes"]]))
    known = search.names(uow.connection, ids) | called(request, ids)
    say = teller(request, known)
    return render(
        request,
        "event.html",
        row=row,
        act=views.act(row, say),
        body=body,
        changes=say.changes(body["changes"]),
        data=say.data(body["data"]),
        related=views.tree(search.correlated(uow.connection, row.correlation_id), say),
        proof=proof,
        problem=problem,
        picture=proof and views.ladder(proof.steps(), proof.leaf_hash.hex(), proof.root.hex(), proof.index),
        labels=labels,
        views=views,
    )


def _proof(request: Request, uow: UnitOfWork, event_id: UUID) -> tuple[proofs.Proof | None, str]:
    try:
        return proofs.prove(uow.connection, event_id, keys_of(request), clock=uow.clock), ""
    except proofs.UnprovableError as error:
        return None, str(error)


@router.get("/cases/{case}", dependencies=[allowed("audit.timeline.read")])
def case_page(request: Request, case: str, who: Who, uow: Uow, cursor: Cursor = "") -> HTMLResponse:
    """Show a case over all services."""
    page = reading.open_case(uow, who, case, before=before(decode_cursor(cursor, 1)))
    acts = _acts(request, uow, case, page)
    return render(request, "case.html", case=named(case), page=page, acts=acts, auditor="auditor" in who.roles)


def _acts(request: Request, uow: UnitOfWork, case: str, page: Page[Any]) -> list[dict[str, Any]]:
    runs = {row.correlation_id for row in page.items if not views.is_letter(row)}
    return views.with_letters(page.items, search.letters(uow.connection, named(case), runs), teller(request))


@router.get("/timeline/{case}", dependencies=[allowed("audit.timeline.read")])
def timeline(request: Request, case: str, who: Who, uow: Uow) -> HTMLResponse:
    """Give the newest acts of a case to another service's page."""
    page = reading.open_case(uow, who, case, before=None, limit=20)
    acts = _acts(request, uow, case, page)
    return render(request, "timeline_part.html", case=named(case), page=page, acts=acts, auditor="auditor" in who.roles)
