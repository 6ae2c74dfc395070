"""How a row of a list of applications is said in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from sqlalchemy import RowMapping

from services.grants.domain.mainline import main_line
from services.grants.domain.pack import Pack
from services.grants.handlers.queue import Listing, Standing
from services.grants.pages.common import case_path, spoken
from shared.money import Money
from shared.workflow import Workflow, working_days
from shared.workflow.model import say


def rows_shown(
    request: Request, rows: Sequence[RowMapping], pack: Pack | None, *, public: bool
) -> list[dict[str, Any]]:
    """Return rows with their words in the reader's language."""
    today = today_of(request, pack)
    return [dict(row) | _shown(request, row, pack, today, public=public) for row in rows]


def now_of(request: Request, pack: Pack | None) -> datetime:
    """Return the local time where the programme works."""
    moment: datetime = request.app.state.clock()
    zone: ZoneInfo = ZoneInfo(pack.calendar.zone) if pack else request.app.state.pages.zone
    return moment.astimezone(zone)


def today_of(request: Request, pack: Pack | None) -> date:
    """Return the day where the programme works."""
    return now_of(request, pack).date()


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


def cases_shown(
    request: Request, listing: Listing, rows: Sequence[RowMapping], standings: Mapping[str, Standing]
) -> list[dict[str, Any]]:
    """Return the queue's rows in words, with the working days used, the next step and what it still needs."""
    locale, found = request.state.locale, []
    for row in rows_shown(request, rows, listing.pack, public=False):
        standing = standings.get(row["id"])
        step = standing.next if standing else None
        conflict = standing.conflict if standing else None
        found.append(
            row
            | {
                "conflict": spoken(standing.frame, conflict, locale) if standing and conflict else "",
                "used": standing.days_used if standing else None,
                "given": standing.days_given if standing else None,
                "next_name": say(step.transition.name, locale) if step else "",
                "next_needs": [spoken(standing.frame, why, locale) for why in step.blocked_by]
                if standing and step
                else [],
            }
        )
    return found
