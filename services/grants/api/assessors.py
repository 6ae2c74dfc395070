"""JSON: one's own expertise and interests; recusals from cases."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.grants.handlers import assessing, viewing
from services.grants.storage import judging
from shared.database import UnitOfWork
from shared.entity import Entity
from shared.web.dependencies import Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["reviewers"])
OWN = [allowed("grants.assessor.own")]


def _view(uow: UnitOfWork, entity: Entity) -> dict[str, Any]:
    uow.flush()
    return entity.model_dump(mode="json")


@router.get("/assessor", dependencies=OWN)
def own(who: Who, uow: Uow) -> dict[str, Any]:
    """Return what I said of myself; version 0 when nothing yet."""
    return assessing.own(uow, who).model_dump(mode="json")


@router.put("/assessor", dependencies=OWN)
def keep(command: assessing.KeepProfile, who: Who, uow: Uow) -> dict[str, Any]:
    """Keep my expertise, languages, most open reviews and absence."""
    return _view(uow, assessing.keep_profile(uow, who, command))


@router.post("/assessor/interests", status_code=201, dependencies=OWN)
def declare(command: assessing.DeclareInterest, who: Who, uow: Uow) -> dict[str, Any]:
    """Declare a tie to an organisation: its applications are closed to me from now on."""
    return _view(uow, assessing.declare_interest(uow, who, command))


@router.post("/assessor/interests/{place}/end", dependencies=OWN)
def end(place: int, command: assessing.EndInterest, who: Who, uow: Uow) -> dict[str, Any]:
    """Say that a tie (by its place from 1) has ended; it counts for three more years."""
    return _view(uow, assessing.end_interest(uow, who, place, command))


@router.get("/applications/{reference}/recusals", dependencies=[allowed("grants.review.assign")])
def recusals(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return who is or was out of a case."""
    application = viewing.application_seen(uow, who, reference)
    return [item.model_dump(mode="json") for item in judging.recusals_of(uow.connection, application.id)]


@router.post("/applications/{reference}/recusals", status_code=201, dependencies=[allowed("grants.recusal.declare")])
def step_back(reference: str, command: assessing.StepBack, who: Who, uow: Uow) -> dict[str, Any]:
    """Declare a conflict of interest in a case; `version` is the application's."""
    return _view(uow, assessing.step_back(uow, who, reference, command)[1])


@router.post("/recusals/{recusal_id}/lifting", dependencies=[allowed("grants.recusal.lift")])
def lift(recusal_id: str, command: assessing.LiftRecusal, who: Who, uow: Uow) -> dict[str, Any]:
    """Lift another person's recusal, with a reason."""
    return _view(uow, assessing.lift(uow, who, recusal_id, command))
