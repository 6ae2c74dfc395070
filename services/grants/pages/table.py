"""The queue as a table of comma-separated values: every row of the list, streamed, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import Request
from sqlalchemy import Engine

from services.grants.handlers import queue
from services.grants.pages.common import HOLDERS
from services.grants.pages.rows import cases_shown
from shared.database import reading
from shared.i18n import translate
from shared.web.identity import Identity

HEADINGS = (
    "Case",
    "Title",
    "Organisation",
    "Stage",
    "Officer",
    "Whose turn",
    "Since",
    "Working days used",
    "Working days given",
    "Amount",
    "Currency",
    "Due",
    "Next step",
    "What it needs",
    "Changed",
)
# What a spreadsheet takes for a formula when a cell begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def harmless(value: Any) -> str:
    """Return a cell that no spreadsheet executes: an apostrophe before what could be a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def lines(request: Request, engine: Engine, who: Identity, query: queue.Query) -> Iterator[str]:
    """Give the file in pieces, from one snapshot of the database; memory does not grow with the rows."""
    locale = request.state.locale
    with reading(engine) as connection:
        listing = queue.understood(queue.asked(connection, who, query, request.app.state.clock))
        yield "\ufeff" + _written([[translate("grants", name, locale=locale) for name in HEADINGS]])
        for rows in queue.every(connection, listing):
            standings = queue.standings(connection, who, listing, rows)
            yield _written([_cells(row, locale) for row in cases_shown(request, listing, rows, standings)])


def _written(rows: Sequence[Sequence[Any]]) -> str:
    piece = io.StringIO()
    csv.writer(piece).writerows([[harmless(cell) for cell in row] for row in rows])
    return piece.getvalue()


def _cells(row: dict[str, Any], locale: str) -> list[Any]:
    holder = HOLDERS.get(row["holder"] or "", row["holder"] or "")
    return [
        row["id"],
        row["title"],
        row["organisation_name"],
        row["stage_name"],
        row["officer_name"],
        translate("grants", holder, locale=locale) if holder else "",
        row["since"].isoformat(timespec="minutes"),
        row["used"],
        row["given"],
        f"{row['money'].amount:f}",
        row["currency"],
        row["due"].isoformat() if row["due"] else "",
        row["next_name"],
        "; ".join(row["next_needs"]),
        row["updated_at"].isoformat(timespec="minutes"),
    ]
