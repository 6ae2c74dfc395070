"""What comes next on a case and who does it: said where the reader has nothing to do, and beside what they can do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from services.grants.domain.award import Award, Milestone, Side, Tranche
from services.grants.handlers.moving import OFFER
from services.grants.storage.reports import rows_of
from shared.i18n import translate
from shared.workflow.model import say

if TYPE_CHECKING:
    from services.grants.pages.common import CasePage

MOST = 3
SOON = timedelta(days=31)
_DUE, _LATE = "Report %(n)s: hand it in by %(day)s", "Report %(n)s is late since %(day)s: hand it in"
_REVIEW = "Report %(n)s: review it by %(day)s"
# Who signs an agreement for each side.
_SIGNERS: dict[Side, str] = {"recipient": "applicant", "programme": "programme_manager"}
# What is next for a milestone or its tranche, and who does it.
_OF_MILESTONE = {
    "planned": ("Milestone %(n)s, %(title)s: show evidence", "applicant"),
    "returned": ("Milestone %(n)s, %(title)s: show better evidence", "applicant"),
    "evidenced": ("Milestone %(n)s, %(title)s: verify it", "officer"),
}
_OF_TRANCHE = {
    "planned": ("Tranche %(n)s, %(amount)s: request its payment", "officer"),
    "requested": ("Tranche %(n)s, %(amount)s: release it", "finance_officer"),
    "released": ("Tranche %(n)s, %(amount)s: confirm that it is paid", "finance_officer"),
}


def guide(page: CasePage) -> dict[str, Any]:
    """Return {mine, steps, money}: whether it is the reader's turn, the next steps as (text, role), a link to Money."""
    running = page.award is not None and page.award.concluded_at is not None and not page.application.terminal
    steps = _of_award(page, page.award) if running and page.award else _of_signatures(page) or _of_workflow(page)
    return {
        "mine": any(role in page.roles for _, role in steps) or turn(page) in page.roles,
        "steps": steps[:MOST],
        "money": running,
    }


def turn(page: CasePage) -> str | None:
    """Return the role whose turn it is: the stage's, but of an offered agreement the first side that has not signed."""
    return next((role for _, role in _of_signatures(page)), page.application.holder)


def _of_signatures(page: CasePage) -> list[tuple[str, str]]:
    """Return the signatures that an offered agreement still lacks; nothing while none waits for one."""
    award = page.award
    offered_at = {move.to for move in page.frame.workflow.transitions if move.id == OFFER}
    if award is None or award.concluded_at or page.application.stage not in offered_at:
        return []
    text = translate("grants", "Accept the agreement", locale=page.request.state.locale)
    return [(text, role) for side, role in _SIGNERS.items() if side not in award.signatures]


def _of_award(page: CasePage, award: Award) -> list[tuple[str, str]]:
    found = [_next(page, *pair) for pair in award.pairs()]
    return [*_of_reports(page), *(step for step in found if step is not None)]


def _of_reports(page: CasePage) -> list[tuple[str, str]]:
    """Return the report that is to be reviewed, late, or due within a month: what comes before any payment."""
    if not page.frame.call.reporting:
        return []
    today = page.request.app.state.clock().astimezone(ZoneInfo(page.frame.calendar.zone)).date()
    found = []
    for row in rows_of(page.connection, page.application.id):
        late, review = row["act_on"] < today, row["status"] == "submitted"
        if row["status"] in {"draft", "returned", "submitted"} and (review or row["act_on"] < today + SOON):
            message = _REVIEW if review else _LATE if late else _DUE
            params = {"n": row["number"], "day": page.request.app.state.pages.day(row["act_on"])}
            text = translate("grants", message, params, locale=page.request.state.locale)
            found.append((text, "officer" if review else "applicant"))
    return found[:1]


def _next(page: CasePage, milestone: Milestone, tranche: Tranche) -> tuple[str, str] | None:
    known = _OF_MILESTONE.get(milestone.status) or _OF_TRANCHE.get(tranche.status)
    if known is None:
        return None
    message, role = known
    money = page.request.app.state.pages.money(tranche.amount)
    params = {"n": milestone.number, "title": milestone.title, "amount": money}
    return translate("grants", message, params, locale=page.request.state.locale), role


def _of_workflow(page: CasePage) -> list[tuple[str, str]]:
    """Return the moves that carry the case on; an applicant learns of their own alone."""
    workflow, stage = page.frame.workflow, page.application.stage
    ahead = [move for move in workflow.leaving(stage) if not workflow.stage(move.to).terminal]
    return [
        (say(move.name, page.request.state.locale), move.roles[0])
        for move in ahead
        if page.inside or "applicant" in move.roles
    ]
