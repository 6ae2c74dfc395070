"""What the home page says about grants: what waits for this person, by each of their roles."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from services.grants.handlers import listing, panels, tasks
from services.grants.pages.common import case_path
from services.grants.storage import figures
from services.grants.storage import reports as stored_reports
from shared.web.dependencies import Reader, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render
from shared.web.parts import Figure, Line

router = APIRouter()
NEWEST = 3


@router.get("/fragments/home", dependencies=[allowed("grants.home.read")])
def home(request: Request, who: Who, connection: Reader) -> HTMLResponse:
    """Give the counts and cases of this person's roles."""
    found = [figure for role in who.roles for figure in _figures(request, connection, who, role)]
    found += _reports(request, connection, who)
    if {"officer", "programme_manager", "finance_officer"} & set(who.roles):
        found = [*_tasks(request, connection, who), *found, *_decisions(connection, who)]
    lines = _own(request, connection, who) if "applicant" in who.roles else []
    return render(request, "home_part.html", figures=list(dict.fromkeys(found)), cases=lines)


def _figures(request: Request, connection: Connection, who: Identity, role: str) -> list[Figure]:
    if role in ("officer", "programme_manager"):
        today = _today(request)
        return _of_staff(figures.cases(connection, who.programmes, role, who.user, today), role)
    if role == "reviewer":
        return [Figure("Reviews to do", figures.reviews(connection, who.user), "/grants/reviews", "go")]
    if role == "finance_officer":
        count = figures.payments(connection, who.programmes)
        return [Figure("Grants with money to release or confirm", count, "/grants/payments", "go")]
    return []


def _today(request: Request) -> date:
    """Return today in the time zone of this person's pages."""
    moment: datetime = request.app.state.clock()
    zone: ZoneInfo = request.app.state.pages.zone
    return moment.astimezone(zone).date()


def _tasks(request: Request, connection: Connection, who: Identity) -> list[Figure]:
    programme = who.programmes[0] if who.programmes else ""
    day = tasks.day_of(connection, [who.user], programme, request.app.state.clock())
    return [
        Figure("Your overdue tasks", len(day.overdue), "/grants/day", "bad"),
        Figure("Your tasks for today", len(day.now), "/grants/day", "warn"),
        Figure("Your tasks until Sunday", len(day.week), "/grants/day"),
    ]


def _decisions(connection: Connection, who: Identity) -> list[Figure]:
    """Return what else waits for a word of this person: nothing that is at nought."""
    office = bool({"officer", "programme_manager"} & set(who.roles))
    counts = figures.decisions(connection, who.programmes, who.roles, who.user)
    found = [Figure("Amendments to decide about", counts["amendments"], "/grants/?q=has:amendment", "go")]
    if office:
        laid = sum(sitting.waiting for sitting in panels.sittings(connection, who))
        found.append(Figure("Cases before a panel", laid, "/grants/panels", "go"))
        found.append(Figure("Hits on exclusion lists to settle", counts["hits"], "/grants/?q=has:hit", "warn"))
    if "programme_manager" in who.roles:
        link = "/grants/?q=has:appeal+state:all"
        found.append(Figure("Appeals to decide about", counts["appeals"], link, "go"))
    return [figure for figure in found if figure.count]


def _of_staff(counts: Any, role: str) -> list[Figure]:
    waiting = Figure("Cases that wait for your role", counts["waiting"], f"/grants/?holder={role}", "go")
    late = Figure("Late cases", counts["late"], "/grants/?late=true", "bad")
    if role == "programme_manager":
        return [waiting, late]
    return [
        waiting,
        late,
        Figure("Cases assigned to you", counts["mine"], "/grants/?officer=me"),
        Figure("Cases assigned to nobody", counts["unassigned"], "/grants/?officer=none", "warn"),
    ]


def _own(request: Request, connection: Connection, who: Identity) -> list[Line]:
    rows = listing.mine(connection, who, None, NEWEST).items
    packs = {name: listing.latest(connection, name) for name in {row["programme"] for row in rows}}
    lines = []
    for row in rows:
        pack = packs[row["programme"]]
        call = pack.calls.get(row["call"]) if pack else None
        workflow = pack.workflows.get(call.workflow) if pack and call else None
        known = workflow is not None and any(stage.id == row["stage"] for stage in workflow.stages)
        state = workflow.label(row["stage"], request.state.locale, public=True) if workflow and known else row["stage"]
        turn = "go" if row["holder"] == "applicant" else ""
        lines.append(Line(row["id"], row["title"], case_path(row["id"]), state, turn))
    return lines


def _reports(request: Request, connection: Connection, who: Identity) -> list[Figure]:
    """Return what waits of reports: for staff those to review, for a recipient those to write."""
    day = _today(request)
    if {"officer", "programme_manager"} & set(who.roles):
        counts = stored_reports.counts(connection, day, programmes=who.programmes)
        review = Figure("Reports to review", counts["review"], "/grants/reports", "go")
        return [review, Figure("Late reports", counts["overdue"], "/grants/reports?state=overdue", "bad")]
    if "applicant" not in who.roles or who.organisation is None:
        return []
    counts = stored_reports.counts(connection, day, organisation=who.organisation)
    if not (counts["due"] or counts["overdue"]):
        return []
    late = [Figure("Late reports", counts["overdue"], "/grants/reports/mine", "bad")] if counts["overdue"] else []
    return [*late, Figure("Reports to hand in", counts["due"], "/grants/reports/mine", "go")]
