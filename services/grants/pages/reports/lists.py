"""Lists of reports: of a case, of one's organisation, of the programme; and the programme's indicators."""

from __future__ import annotations

import csv
import io
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.grants.api.reports import today
from services.grants.handlers import viewing
from services.grants.handlers.reporting import listing, scheduling
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.pages.reports.common import KINDS, path_of, state_of
from services.grants.pages.table import harmless
from services.grants.storage.reports import STATES, rows_of
from shared.i18n import translate
from shared.money import Money
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.workflow.model import say

router = APIRouter()
STATE_NAMES = {
    "review": "To review",
    "overdue": "Late",
    "due": "Due",
    "accepted": "Accepted",
    "all": "All",
}


def _shown(request: Request, rows: Any) -> list[dict[str, Any]]:
    """Return rows of lists in words."""
    day, found = today(request), []
    for row in rows:
        word, tone = state_of(row, day)
        about = {"path": path_of(row["id"]), "state_name": word, "tone": tone, "kind_name": KINDS[row["kind"]]}
        money = {name: Money.of(row[name], row["currency"]) for name in ("claimed", "accepted")}
        found.append(dict(row) | about | money | {"days": (row["act_on"] - day).days})
    return found


def case_reports(request: Request, reference: str, who: Who, uow: Uow, **more: Any) -> HTMLResponse:
    """Show the reports of a case."""
    page = CasePage(request, uow, who, viewing.application_seen(uow, who, reference))
    rows = _shown(request, rows_of(uow.connection, page.application.id))
    held = scheduling.held_by_report(uow, page.application)
    may = not rows and page.award is not None and page.award.concluded_at is not None
    may = may and page.frame.call.reporting is not None and bool({"officer", "programme_manager"} & set(page.roles))
    context: dict[str, Any] = {"rows": rows, "held": held, "may_schedule": may, "status_code": 200}
    return show(request, "reports/case.html", **(page.context("reports") | context | more))


@router.get("/applications/{reference}/reports", dependencies=[allowed("grants.report.read")])
def of_case(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the reports of a case, when each is due and how it stands."""
    return case_reports(request, reference, who, uow)


def _stays(request: Request, uow: Any, who: Any, problem: Any) -> HTMLResponse:
    reference = request.path_params["reference"]
    return case_reports(request, reference, who, uow, conflict=problem, status_code=409)


@router.post("/applications/{reference}/reports", dependencies=[stay(_stays), allowed("grants.report.schedule")])
def schedule(reference: str, who: Who, uow: Uow) -> Response:
    """Write down the reports of a grant that was concluded before its call asked for any."""
    scheduling.schedule_now(uow, who, reference)
    return back(case_path(reference, "reports"))


@router.get("/reports", dependencies=[allowed("grants.report.list")])
def listed(  # noqa: PLR0917 - a query as long as its filters
    request: Request,
    who: Who,
    connection: Reader,
    state: str = "review",
    programme: str = "",
    cursor: str | None = None,
) -> HTMLResponse:
    """Show the reports of the programmes: what waits for review, what is late, what is due."""
    day = today(request)
    page = listing.listed(connection, who, day, state=state, programme=programme, cursor=cursor)
    counts = listing.counts(connection, who, day)
    tabs = [(name, STATE_NAMES[name], counts.get(name)) for name in STATES]
    return show(
        request,
        "reports/list.html",
        rows=_shown(request, page.items),
        page=page,
        tabs=tabs,
        state=state,
        review_late=counts["review_late"],
    )


@router.get("/reports/mine", dependencies=[allowed("grants.report.mine")])
def mine(request: Request, who: Who, connection: Reader, cursor: str | None = None) -> HTMLResponse:
    """Show one's own organisation's reports, what is due first."""
    page = listing.mine(connection, who, today(request), state="all", cursor=cursor)
    return show(request, "reports/mine.html", rows=_shown(request, page.items), page=page)


# The picture of an indicator: its width, its height, and where its axis begins.
WIDTH, HEIGHT, LEFT, TOP = 560, 190, 60, 14


def _picture(item: listing.Series) -> dict[str, Any]:
    """Return the bars of an indicator over its quarters, and the line of its target, as places in the picture."""
    values = [value for value in item.values if value is not None]
    top = max([*values, item.target or 0, 1])
    room, step = HEIGHT - TOP - 26, (WIDTH - LEFT) / max(len(item.quarters), 1)

    def height(value: Any) -> float:
        return round(float(value) / float(top) * room, 1)

    bars = [
        {
            "x": round(LEFT + index * step + step * 0.2, 1),
            "y": round(TOP + room - height(value or 0), 1),
            "width": round(min(step * 0.6, 90), 1),
            "height": height(value or 0),
            "value": value,
            "quarter": quarter,
        }
        for index, (quarter, value) in enumerate(zip(item.quarters, item.values, strict=True))
    ]
    line = None if item.target is None else round(TOP + room - height(item.target), 1)
    return {"series": item, "bars": bars, "line": line, "base": TOP + room, "width": WIDTH, "height": HEIGHT}


@router.get("/indicators", dependencies=[allowed("grants.indicator.read")])
def indicators(request: Request, who: Who, connection: Reader, programme: str = "") -> HTMLResponse:
    """Show a programme's indicators over time, from accepted reports: pictures with a table beside each."""
    chosen, found = listing.series(connection, who, programme)
    pictures = [_picture(item) for item in found]
    return show(request, "reports/indicators.html", pictures=pictures, programme=chosen, value_of=listing.shown)


@router.get("/indicators.csv", dependencies=[allowed("grants.indicator.read")])
def indicators_csv(request: Request, who: Who, connection: Reader, programme: str = "") -> Response:
    """Give the same figures as a table: one line per indicator, quarter and part."""
    chosen, found = listing.series(connection, who, programme)
    text = io.StringIO()
    writer, locale = csv.writer(text), request.state.locale
    writer.writerow([translate("grants", heading, locale=locale) for heading in CSV_HEADINGS])
    for item in found:
        for quarter, figure in zip(item.quarters, item.stands, strict=True):
            if figure is None:
                continue
            name = harmless(say(item.indicator.name, locale))
            counts = [("", "", figure.total)]
            counts += [(dim, part, count) for dim, parts in figure.parts.items() for part, count in parts.items()]
            for dimension, part, count in counts:
                cells = [item.indicator.id, name, quarter, dimension, part, listing.shown(count), count.value]
                writer.writerow([*cells, "" if count.of is None else count.of, "" if dimension else item.target])
    headers = {"content-disposition": f'attachment; filename="indicators-{chosen or "none"}.csv"'}
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


CSV_HEADINGS = ("Id", "Indicator", "Quarter", "Broken down by", "Part", "Figure", "Numerator", "Denominator", "Target")
