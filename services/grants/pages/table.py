"""The queue as a table: every row of the list, streamed, safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from sqlalchemy import Engine

from services.grants.handlers import queue
from services.grants.pages.common import HOLDERS
from services.grants.pages.rows import cases_shown
from shared.database import reading
from shared.exports.tables import Column, Kind, Row, Table, harmless
from shared.i18n import translate
from shared.web.identity import Identity

__all__ = ["HEADINGS", "harmless", "table_of"]
HEADINGS: dict[str, Kind] = {
    "Case": "text",
    "Title": "text",
    "Organisation": "text",
    "Stage": "text",
    "Officer": "text",
    "Whose turn": "text",
    "Since": "moment",
    "Working days used": "number",
    "Working days given": "number",
    "Amount": "money",
    "Currency": "text",
    "Due": "day",
    "Next step": "text",
    "What it needs": "text",
    "Changed": "moment",
}


def table_of(request: Request, engine: Engine, who: Identity, query: queue.Query, zone: ZoneInfo | None) -> Table:
    """Return the list as a table out of one snapshot of the database; memory does not grow with the rows."""
    locale = request.state.locale

    def rows() -> Iterator[Row]:
        with reading(engine) as connection:
            listing = queue.understood(queue.asked(connection, who, query, request.app.state.clock))
            for chunk in queue.every(connection, listing):
                standings = queue.standings(connection, who, listing, chunk)
                for row in cases_shown(request, listing, chunk, standings):
                    yield _cells(row, locale)

    columns = [Column(translate("grants", name, locale=locale), kind) for name, kind in HEADINGS.items()]
    return Table("applications", columns, rows(), zone)


def _cells(row: dict[str, Any], locale: str) -> list[Any]:
    holder = HOLDERS.get(row["holder"] or "", row["holder"] or "")
    return [
        row["id"],
        row["title"],
        row["organisation_name"],
        row["stage_name"],
        row["officer_name"],
        translate("grants", holder, locale=locale) if holder else "",
        row["since"],
        row["used"],
        row["given"],
        row["money"].amount,
        row["currency"],
        row["due"],
        row["next_name"],
        row["conflict"] or "; ".join(row["next_needs"]),
        row["updated_at"],
    ]
