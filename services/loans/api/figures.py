"""JSON API of what can be computed from terms alone: nothing is kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.loans.domain.schedule.asked import Asked, answer_to
from shared.web.dependencies import allowed

router = APIRouter(prefix="/api", tags=["figures"])


@router.post("/schedules", dependencies=[allowed("loans.schedule.preview")])
def schedule(asked: Asked) -> dict[str, Any]:
    """Return rows, sums and the effective annual rate; every amount is text."""
    return answer_to(asked)
