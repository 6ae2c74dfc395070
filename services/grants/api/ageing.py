"""JSON: the ageing report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from services.grants.domain.ageing import CLASSES
from services.grants.handlers import ageing
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Who, allowed

router = APIRouter(prefix="/api", tags=["ageing"])


@router.get("/ageing", dependencies=[allowed(ageing.READ)])
def report(request: Request, who: Who, connection: Reader, programme: str = "") -> dict[str, Any]:
    """Return the open cases by stage and holder with their ages in working days, and the oldest with their pauses."""
    found = ageing.report(connection, who, programme, request.app.state.clock())
    if found is None:
        raise NotFoundError("There is no such programme")
    return {
        "programme": found.programme,
        "today": found.today,
        "classes": CLASSES,
        "rows": [asdict(row) for row in found.rows],
        "oldest": [
            {"reference": row["id"], "officer": row["officer_name"]} | asdict(age) for row, age, _ in found.oldest
        ],
    }
