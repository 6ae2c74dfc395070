"""JSON: the result of a case's due diligence, its capacity assessment, and its taking over."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.grants.domain.capacity import Capacity
from services.grants.handlers import capacity as diligence
from shared.database import UnitOfWork
from shared.web.dependencies import Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["due diligence"])
_CASE = "/applications/{reference}/capacity"


def _view(uow: UnitOfWork, made: Capacity) -> dict[str, Any]:
    uow.flush()
    return made.model_dump(mode="json")


@router.get(_CASE, dependencies=[allowed("grants.capacity.read")])
def seen(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return what is asked, what was answered, earlier assessments, and the special conditions that follow."""
    return diligence.view(diligence.seen(uow, who, reference))


@router.put(_CASE, dependencies=[allowed("grants.capacity.assess")])
def assess(reference: str, command: diligence.Assess, who: Who, uow: Uow) -> dict[str, Any]:
    """Keep the answers {question: {option, note}}; `finish` counts them, which needs all of them."""
    return _view(uow, diligence.assess(uow, who, reference, command))


@router.post(_CASE + "/taking-over", dependencies=[allowed("grants.capacity.assess")])
def take_over(reference: str, command: diligence.TakeOver, who: Who, uow: Uow) -> dict[str, Any]:
    """Take over an earlier assessment of the organisation that is still valid."""
    return _view(uow, diligence.take_over(uow, who, reference, command))
