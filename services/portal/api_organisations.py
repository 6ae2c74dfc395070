"""JSON: the register of organisations."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.portal.domain.organisation import Organisation
from services.portal.handlers import organisations as act
from services.portal.storage import register as stored
from shared.database import UnitOfWork
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.paging import decode_cursor, page_of

router = APIRouter(prefix="/api/organisations", tags=["organisations"])
PAGE = 50


def _view(uow: UnitOfWork, who: Identity, item: Organisation) -> dict[str, Any]:
    uow.flush()  # so that the answer carries the version that the next act must name
    return act.view(act.seen(uow, who, item.id))


@router.get("", dependencies=[allowed(act.LIST)])
def listed(
    reader: Reader,
    q: Annotated[str, Query(max_length=200)] = "",
    kind: Annotated[str, Query(max_length=40)] = "",
    country: Annotated[str, Query(max_length=2)] = "",
    *,
    waiting: bool = False,
    cursor: str = "",
) -> dict[str, Any]:
    """Return organisations by name: those of these words (name, id, number), type and country; `waiting` to confirm."""
    chosen = {"words": q.strip(), "kind": kind, "country": country.upper(), "waiting": waiting}
    rows = stored.listed(reader, **chosen, after=decode_cursor(cursor, 2), limit=PAGE)  # type: ignore[arg-type]
    page = page_of(rows, PAGE, lambda row: (row["name"], row["id"]))
    return {"items": [dict(row) for row in page.items], "next": page.next}


@router.post("", status_code=201, dependencies=[allowed(act.REGISTER)])
def register(command: act.RegisterOrganisation, who: Who, uow: Uow) -> dict[str, Any]:
    """Register an organisation as staff."""
    return _view(uow, who, act.register(uow, who, command))


@router.post("/mine", status_code=201, dependencies=[allowed(act.FOUND)])
def found(command: act.OrganisationFacts, who: Who, uow: Uow) -> dict[str, Any]:
    """Enter the organisation that one belongs to; staff confirm it."""
    return _view(uow, who, act.found(uow, who, command))


@router.get("/{organisation_id}", dependencies=[allowed(act.READ)])
def one(organisation_id: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return an organisation; `checked_by` says by which rule each number is, "format" where there is none."""
    return act.view(act.seen(uow, who, organisation_id))


@router.put("/{organisation_id}", dependencies=[allowed(act.CHANGE)])
def change(organisation_id: str, command: act.ChangeOrganisation, who: Who, uow: Uow) -> dict[str, Any]:
    """Change what is known; name, type, country and numbers wait in `proposal` for another person."""
    return _view(uow, who, act.change(uow, who, organisation_id, command))


@router.post("/{organisation_id}/decision", dependencies=[allowed(act.CHANGE)])
def decide(organisation_id: str, command: act.Decision, who: Who, uow: Uow) -> dict[str, Any]:
    """Confirm or refuse what waits; whoever entered it can take it back with `confirm` false."""
    item = act.decide(uow, who, organisation_id, command)
    return _view(uow, who, item)
