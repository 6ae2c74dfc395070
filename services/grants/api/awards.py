"""JSON: agreement, milestones, tranches, payments. `version` in the commands is that of the award."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.grants.api.applications import store
from services.grants.domain.award import Award
from services.grants.handlers import awarding, listing, viewing
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["awards"])
_CASE = "/applications/{reference}/award"


class AwardPage(BaseModel):
    """Some awards and the cursor of those after them."""

    items: list[dict[str, Any]]
    next: str | None


def _view(uow: UnitOfWork, award: Award) -> dict[str, Any]:
    uow.flush()  # so that the answer carries the version that the next act must name
    return award_view(award)


def award_view(award: Award) -> dict[str, Any]:
    """Return an award with what has been released and paid of it."""
    sums = {"released": award.released().model_dump(mode="json"), "paid": award.paid().model_dump(mode="json")}
    return award.model_dump(mode="json") | sums


@router.get(_CASE, dependencies=[allowed("grants.award.read")])
def award(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return the award of an application."""
    viewing.application_seen(uow, who, reference)
    found = reads.find_award(uow.connection, reference)
    if found is None:
        raise NotFoundError("There is no award yet")
    return award_view(found)


@router.post(_CASE, status_code=201, dependencies=[allowed("grants.award.offer")])
def offer(request: Request, reference: str, command: awarding.OfferAgreement, who: Who, uow: Uow) -> dict[str, Any]:
    """Draw up the agreement; here `version` is the application's."""
    return _view(uow, awarding.offer(uow, who, reference, command, store=store(request)))


@router.post(_CASE + "/acceptance", dependencies=[allowed("grants.award.accept")])
def accept(reference: str, command: awarding.AcceptAgreement, who: Who, uow: Uow) -> dict[str, Any]:
    """Accept the agreement for one's side; the second acceptance concludes it."""
    return _view(uow, awarding.accept(uow, who, reference, command))


@router.post(_CASE + "/milestones/{number}/evidence", dependencies=[allowed("grants.milestone.evidence")])
def evidence(reference: str, number: int, command: awarding.ShowEvidence, who: Who, uow: Uow) -> dict[str, Any]:
    """Show a document of the case as evidence of a milestone."""
    return _view(uow, awarding.evidence(uow, who, reference, number, command))


@router.post(_CASE + "/milestones/{number}/verification", dependencies=[allowed("grants.milestone.verify")])
def settle(reference: str, number: int, command: awarding.SettleMilestone, who: Who, uow: Uow) -> dict[str, Any]:
    """Verify a milestone, or return its evidence."""
    return _view(uow, awarding.settle(uow, who, reference, number, command))


@router.get("/payments", dependencies=[allowed("grants.payment.list")])
def payments(
    who: Who, connection: Reader, programme: str = "", every: bool = False, cursor: str | None = None
) -> AwardPage:
    """Return awards with something to pay, or all of a programme."""
    page = listing.payments(connection, who, programme=programme, every=every, cursor=cursor)
    return AwardPage(items=[award_view(item) for item in page.items], next=page.next)
