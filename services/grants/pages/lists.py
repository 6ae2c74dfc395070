"""Pages of lists: the officers' queue, an organisation's own applications, calls, payments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import RowMapping

from services.grants.domain.mainline import main_line
from services.grants.domain.pack import Pack
from services.grants.handlers import applying, listing
from services.grants.pages.common import HOLDERS, back, case_path, show
from services.grants.storage import reads
from shared.money import Money
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.workflow import Workflow, working_days
from shared.workflow.model import say

router = APIRouter()


def _rows(request: Request, rows: list[RowMapping], pack: Pack | None, *, public: bool) -> list[dict[str, Any]]:
    today = _today(request, pack)
    return [dict(row) | _shown(request, row, pack, today, public=public) for row in rows]


def _today(request: Request, pack: Pack | None) -> date:
    moment: datetime = request.app.state.clock()
    return moment.astimezone(ZoneInfo(pack.calendar.zone if pack else "UTC")).date()


def _shown(request: Request, row: RowMapping, pack: Pack | None, today: date, *, public: bool) -> dict[str, Any]:
    call = pack.calls.get(row["call"]) if pack else None
    workflow = pack.workflows.get(call.workflow) if pack and call else None
    known = workflow is not None and any(stage.id == row["stage"] for stage in workflow.stages)
    stage = workflow.label(row["stage"], request.state.locale, public=public) if workflow and known else row["stage"]
    due, country = row["due"], pack.calendar.country if pack else "MK"
    days = None if due is None else working_days(today, due, country) - working_days(due, today, country)
    return {
        "stage_name": stage,
        "money": Money.of(row["amount"], row["currency"]),
        "days": days,
        "tone": "late" if days is not None and due < today else "soon" if days is not None and days <= 2 else "",
        "stage_tone": _tone(row, workflow if known else None, late=due is not None and due < today),
        "path": case_path(row["id"]),
    }


def _tone(row: RowMapping, workflow: Workflow | None, *, late: bool) -> str:
    """Return the tone of a stage's tag: staff's turn "go", late or asked of the applicant "warn", done "good".

    Refused is "bad". An applicant at work without a day to answer by (implementation) keeps nobody waiting, nor does
    one who stepped back.
    """
    if row["is_open"]:
        asked = row["holder"] == "applicant" and (row["due"] is not None or row["paused"])
        return "warn" if late or asked else "" if row["holder"] in {None, "applicant"} else "go"
    if workflow is None or row["stage"] == main_line(workflow)[-1]:
        return "good"
    into = [move for move in workflow.transitions if move.to == row["stage"]]
    return "" if any("applicant" in move.roles for move in into) else "bad"


@router.get("/", dependencies=[allowed("grants.application.queue")])
def queue(request: Request, who: Who, connection: Reader, query: Annotated[listing.Query, Query()]) -> HTMLResponse:
    """Show a programme's applications by due day, with the filters of the address."""
    page, pack = listing.queue(connection, who, query, request.app.state.clock)
    return show(
        request,
        "queue.html",
        rows=_rows(request, page.items, pack, public=False),
        page=page,
        query=query,
        chips=_chips(request, query, pack),
        stages=_stages(request, pack),
        programmes=who.programmes,
    )


def _stages(request: Request, pack: Pack | None) -> list[tuple[str, str]]:
    locale = request.state.locale
    used = {call.workflow for call in pack.calls.values()} if pack else set()
    found = [stage for name, flow in pack.workflows.items() if name in used for stage in flow.stages] if pack else []
    return [(stage.id, say(stage.name, locale)) for stage in found]


def _chips(request: Request, query: listing.Query, pack: Pack | None) -> list[tuple[str, str]]:
    """Return (what is filtered, the address without that filter)."""
    names = dict(_stages(request, pack))
    shown = {
        "stage": names.get(query.stage, query.stage),
        "holder": HOLDERS.get(query.holder, query.holder),
        "officer": query.officer,
        "call": query.call,
        "q": query.q,
        "late": "late" if query.late else "",
        "state": "all" if query.state == "all" else "",
    }
    given = {name: value for name, value in request.query_params.items() if name != "cursor" and value}
    return [
        (f"{name}: {text}", "/grants/?" + urlencode({k: v for k, v in given.items() if k != name}))
        for name, text in shown.items()
        if text
    ]


@router.get("/mine", dependencies=[allowed("grants.application.mine")])
def mine(request: Request, who: Who, connection: Reader, cursor: str | None = None) -> HTMLResponse:
    """Show one's own organisation's applications in plain words."""
    page = listing.mine(connection, who, cursor)
    packs = {name: listing.latest(connection, name) for name in {row["programme"] for row in page.items}}
    rows = [item for row in page.items for item in _rows(request, [row], packs[row["programme"]], public=True)]
    return show(request, "mine.html", rows=rows, page=page)


@router.get("/calls", dependencies=[allowed("grants.call.read")])
def calls(request: Request, connection: Reader) -> HTMLResponse:
    """Show the calls."""
    return show(request, "calls.html", calls=reads.calls(connection), today=_today(request, None))


@router.get("/calls/{call}", dependencies=[allowed("grants.call.read")])
def call(request: Request, call: str, who: Who, connection: Reader) -> HTMLResponse:
    """Show one call: what it is for, what it asks, and the way to apply."""
    found, pack = listing.call_seen(connection, call)
    may = "applicant" in who.roles and who.organisation is not None
    return show(
        request,
        "call.html",
        call=found,
        programme_name=pack.name,
        is_open=found.is_open(_today(request, pack)),
        may=may,
    )


@router.post("/calls/{call}/applications", dependencies=[allowed("grants.application.start")])
def start(call: str, _form: Annotated[FormModel, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Start a draft and go to its form."""
    application = applying.start(uow, who, applying.StartApplication(call=call))
    return back(case_path(application.id, "form"))


@router.get("/payments", dependencies=[allowed("grants.payment.list")])
def payments(  # noqa: PLR0917 - a query as long as its filters
    request: Request, who: Who, connection: Reader, every: bool = False, programme: str = "", cursor: str | None = None
) -> HTMLResponse:
    """Show tranches that wait for finance."""
    page = listing.payments(connection, who, programme=programme, every=every, cursor=cursor)
    return show(request, "payments.html", awards=page.items, page=page, every=every)
