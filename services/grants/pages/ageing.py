"""The ageing report as a page with bars, and as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from services.grants.domain.ageing import CLASSES, Age
from services.grants.handlers import ageing
from services.grants.handlers.listing import programme_of, programmes_of
from services.grants.pages.common import HOLDERS, case_path, show
from services.grants.pages.table import harmless
from shared.database import reading
from shared.i18n import current_zone, translate
from shared.web.dependencies import Reader, Who, allowed
from shared.web.identity import Identity

router = APIRouter()
HEADINGS = (
    "Case",
    "Organisation",
    "Stage",
    "Officer",
    "Whose turn",
    "Since",
    "Working days used",
    "Working days given",
    "Working days paused",
    "Due",
    "Late",
)


def _classes(locale: str) -> list[str]:
    starts = [0, *(last + 1 for last in CLASSES)]
    names = [f"{start}–{last}" for start, last in zip(starts, CLASSES, strict=False)]
    more = translate("grants", "%(days)s or more", {"days": CLASSES[-1] + 1}, locale=locale)
    return [*names, more]


@router.get("/ageing", dependencies=[allowed(ageing.READ)])
def page(request: Request, who: Who, connection: Reader, programme: str = "") -> HTMLResponse:
    """Show the open cases of a programme by stage and holder, by how long they are there."""
    found = ageing.report(connection, who, programme, request.app.state.clock())
    locale = request.state.locale
    context: dict[str, Any] = {"report": found, "classes": _classes(locale), "bars": [], "oldest": [], "programmes": []}
    if found:
        current_zone.set(found.pack.calendar.zone)
        labels = {s.id: f.label(s.id, locale) for f in found.pack.workflows.values() for s in f.stages}
        most = max((row.count for row in found.rows), default=1)
        context |= {
            "bars": [
                {"row": row, "stage": labels.get(row.stage, row.stage), "parts": _parts(row.classes, most)}
                for row in found.rows
            ],
            "oldest": [
                {"row": row, "age": age, "stage": frame.workflow.label(age.stage, locale), "path": case_path(row["id"])}
                for row, age, frame in found.oldest
            ],
            "programmes": programmes_of(connection, who, ageing.READ),
        }
    return show(request, "ageing.html", **context)


def _parts(classes: tuple[int, ...], most: int) -> list[tuple[int, float, float]]:
    """Return (class, start, width) of a bar's parts, of 300 for the longest bar."""
    found, start = [], 0.0
    for number, count in enumerate(classes):
        width = round(count * 300 / most, 1)
        if count:
            found.append((number, round(start, 1), width))
        start += width
    return found


@router.get("/ageing.csv", dependencies=[allowed(ageing.READ)])
def file(request: Request, who: Who, connection: Reader, programme: str = "") -> StreamingResponse:
    """Give every open case with its age and its pauses as comma-separated values, the oldest first."""
    programme_of(connection, who, ageing.READ, programme)  # refused before anything is sent
    headers = {"content-disposition": 'attachment; filename="ageing.csv"', "cache-control": "private, no-store"}
    pieces = _lines(request, who, programme)
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)


def _lines(request: Request, who: Identity, programme: str) -> Iterator[str]:
    locale, now = request.state.locale, request.app.state.clock()
    yield "\ufeff" + _written([[translate("grants", name, locale=locale) for name in HEADINGS]])
    with reading(request.app.state.engine) as connection:
        for chunk in ageing.every(connection, who, programme, now):
            yield _written(
                [_cells(row, age, frame.workflow.label(age.stage, locale), locale) for row, age, frame in chunk]
            )


def _written(rows: list[list[Any]]) -> str:
    piece = io.StringIO()
    csv.writer(piece).writerows([[harmless(cell) for cell in row] for row in rows])
    return piece.getvalue()


def _cells(row: Any, age: Age, stage: str, locale: str) -> list[Any]:
    since: datetime = age.since
    return [
        row["id"],
        row["organisation_name"],
        stage,
        row["officer_name"],
        translate("grants", HOLDERS.get(age.holder or "", age.holder or "–"), locale=locale),
        since.isoformat(timespec="minutes"),
        age.used,
        age.given,
        sum(pause.working_days for pause in age.pauses),
        age.due.isoformat() if age.due else "",
        translate("grants", "yes" if age.late else "no", locale=locale),
    ]
