"""The acts of a case in words, for its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from shared.i18n import translate
from shared.money import Money
from shared.workflow import Workflow
from shared.workflow.model import say

# Gettext ids by event type; places are filled from the event's data.
ACTS = {
    "grants.application.started": "Draft started",
    "grants.application.saved": "Draft saved",
    "grants.application.document_added": "Document added: %(name)s",
    "grants.application.document_removed": "Document taken out: %(name)s",
    "grants.application.submitted": "Handed in",
    "grants.application.assigned": "Given to %(officer_name)s",
    "grants.application.reviewers_invited": "Reviews asked for",
    "grants.application.checked": "Checklist point answered: %(answer)s (%(answered)s of %(of)s)",
    "grants.application.awarded": "Grant awarded: %(amount)s",
    "grants.application.recommended": "Recommended for funding: %(amount)s of %(requested)s",
    "grants.application.approval_given": "Approval %(given)s of %(of)s given: %(amount)s",
    "grants.application.approvals_voided": "Approvals that count no more: %(approvals)s",
    "grants.review.assigned": "Review asked of %(reviewer_name)s",
    "grants.recusal.declared": "A conflict of interest was declared by %(person_name)s",
    "grants.recusal.lifted": "The recusal of %(person_name)s was lifted by %(lifted_by)s",
    "grants.screening.done": "Exclusion lists looked at: %(new_hits)s new hits, %(open_hits)s open",
    "grants.screening.subject_added": "Somebody else to be looked for on exclusion lists",
    "grants.screening.hit_decided": "Hit %(hit)s on an exclusion list decided",
    "grants.review.reminded": "%(reviewer_name)s reminded of the review",
    "grants.review.revised": "%(reviewer_name)s changed the review: %(before)s → %(score)s",
    "grants.capacity.saved": "Capacity assessment: %(answered)s answers kept",
    "grants.capacity.assessed": "Capacity assessed: %(percent)s of 100, valid until %(valid_until)s",
    "grants.capacity.taken_over": "Capacity assessment of %(taken_from)s taken over: %(percent)s of 100",
    "grants.capacity.condition_dropped": "Special condition left out of the agreement: %(condition)s",
    "grants.moderation.recorded": "Scores %(spread)s apart moderated",
    "grants.review.recused": "%(reviewer_name)s recused",
    "grants.review.excused": "%(reviewer_name)s excused",
    "grants.review.saved": "Review saved",
    "grants.review.submitted": "Review handed in",
    "grants.award.offered": "Agreement offered, version %(agreement_version)s",
    "grants.award.accepted": "Agreement accepted by %(signed_by)s",
    "grants.award.concluded": "Agreement concluded",
    "grants.award.amended": "Agreement amended: version %(agreement_version)s is in force",
    "grants.agreement.drawn": "Agreement written as a document, version %(agreement_version)s",
    "grants.amendment.requested": "Amendment %(number)s asked for",
    "grants.amendment.approved": "Amendment %(number)s approved",
    "grants.amendment.refused": "Amendment %(number)s refused",
    "grants.amendment.withdrawn": "Amendment %(number)s taken back",
    "grants.amendment.accepted": "Amendment %(number)s accepted by %(signed_by)s",
    "grants.amendment.effected": "Amendment %(number)s is in force",
    "grants.award.milestone_evidenced": "Evidence shown for milestone %(milestone)s: %(document_name)s",
    "grants.award.milestone_verified": "Milestone %(milestone)s verified",
    "grants.award.milestone_returned": "Evidence for milestone %(milestone)s returned",
    "grants.award.tranche_requested": "Tranche %(tranche)s requested: %(tranche_amount)s",
    "grants.award.tranche_released": "Tranche %(tranche)s released: %(tranche_amount)s",
    "grants.award.tranche_refused": "Tranche %(tranche)s not released",
    "grants.award.tranche_certified": "Tranche %(tranche)s certified: %(certified)s",
    "grants.award.tranche_held": "Tranche %(tranche)s put on hold",
    "grants.award.tranche_unheld": "Tranche %(tranche)s goes on",
    "grants.award.payment_reversed": "Payment of tranche %(tranche)s reversed: %(tranche_amount)s",
    "grants.award.costs_accepted": "Costs accepted: %(costs)s",
    "grants.award.costs_disallowed": "Acceptance of costs taken back: %(costs)s",
    "grants.award.refund_demanded": "Refund demanded: %(refund_amount)s",
    "grants.award.refund_received": "Refund received: %(received)s",
    "grants.award.refund_dropped": "Refund dropped: %(rest)s",
    "grants.award.settled": "Settled at the end: %(refund_due)s to be paid back, %(payment_due)s due to the recipient",
    "grants.award.reopened": "The grant runs again: %(taken_again)s committed again",
    "grants.appeal.lodged": "Appeal against the rejection of %(rejected_on)s",
    "grants.appeal.decided": "Appeal decided: %(outcome)s",
    "grants.closeout.answered": "Point of the closing checklist answered: %(item)s",
    "grants.closeout.voided": "The answers of the closing checklist count no more",
    "grants.award.payment_confirmed": "Tranche %(tranche)s paid: %(tranche_amount)s",
    "grants.application.editor_invited": "%(editor_name)s asked to write too",
    "grants.likeness.linked": "Belongs together with %(other_reference)s",
    "grants.likeness.dismissed": "Only looks like %(other_reference)s",
    "grants.report.scheduled": "Report %(report)s is due on %(due)s",
    "grants.report.rescheduled": "Report %(report)s is now due on %(due)s",
    "grants.report.cancelled": "Report %(report)s is not needed any more",
    "grants.report.saved": "Report %(report)s saved",
    "grants.report.costs_entered": "Costs of report %(report)s changed; in all %(claimed)s",
    "grants.report.document_added": "Document added to report %(report)s: %(document_name)s",
    "grants.report.document_removed": "Document taken out of report %(report)s: %(document_name)s",
    "grants.report.submitted": "Report %(report)s handed in, version %(report_version)s",
    "grants.report.cost_decided": "Report %(report)s, cost %(cost)s: %(accepted)s of %(claimed)s accepted",
    "grants.report.returned": "Report %(report)s returned",
    "grants.report.accepted": "Report %(report)s accepted: %(accepted)s of %(claimed)s",
    "grants.report.reopened": "Report %(report)s opened for a correction",
    "grants.report.reminded": "Reminded of report %(report)s, due on %(due)s",
    "grants.report.overdue": "Report %(report)s is late since %(due)s",
    "grants.report.review_late": "Report %(report)s waits for too long",
    "grants.task.added": "Task for %(assignee_name)s: %(task)s",
    "grants.task.changed": "Task changed: %(task)s, for %(assignee_name)s",
    "grants.task.done": "Task done: %(task)s",
    "grants.task.reopened": "Task open again: %(task)s",
    "grants.note.written": "Note written",
    "grants.note.edited": "Note changed",
    "grants.record.viewed": "Opened: %(what)s",
    "grants.attempt.refused": "Refused: %(detail)s",
}
# What a point of a checklist is answered with, as people read it.
ANSWERS = {
    "yes": "Yes",
    "no": "No",
    "not_applicable": "Not applicable",
    "low": "Low",
    "medium": "Medium",
    "high": "High",
}
DECLARED = {True: "Conflict of interest declared", False: "Declared: no conflict of interest"}
REFUSED, STALE = "grants.attempt.refused", "stale-version"
SAVED, VIEWED = "grants.application.saved", "grants.record.viewed"
# Where the reason of an act stands in its data.
_DETAILS = ("reason", "comment", "why", "note", "nature")


def latest(acts: Sequence[Mapping[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return the newest acts for a case's first page: savings in a row as one.

    Attempts of outsiders, stale pages and who looked at the case stand on its timeline.
    """
    found: list[dict[str, Any]] = []
    for act in acts:
        noise = act["type"] == REFUSED and act["data"].get("problem") in {"not-found", STALE}
        if noise or act["type"] == VIEWED:
            continue
        if act["type"] == SAVED and found and found[-1]["type"] == SAVED and found[-1]["who"] == act["who"]:
            found[-1]["data"] |= {"times": found[-1]["data"].get("times", 1) + 1}
        elif len(found) == most:
            break
        else:
            found.append(dict(act) | {"data": dict(act["data"])})
    return found


def lines(
    request: Request, acts: Sequence[Mapping[str, Any]], workflow: Workflow, *, inside: bool
) -> list[dict[str, Any]]:
    """Return the entries of a timeline as `parts.timeline` takes them."""
    return [_letter(act) if act["kind"] == "letter" else _act(request, act, workflow, inside) for act in acts]


def _said(request: Request, message: str, data: Mapping[str, Any] | None = None) -> str:
    return translate("grants", message, dict(data) if data else None, locale=request.state.locale)


def _letter(act: Mapping[str, Any]) -> dict[str, Any]:
    return {"what": act["letters"]["title"], "who": "", "at": act["at"], "letters": act["letters"]}


def _act(request: Request, act: Mapping[str, Any], workflow: Workflow, inside: bool) -> dict[str, Any]:
    data = {name: _plain(value) for name, value in act["data"].items()}
    if "transition" in data and act["type"] != "grants.application.submitted":
        what = _move(request, str(data["transition"]), workflow)
    elif "conflict" in data:
        what = _said(request, DECLARED[bool(data["conflict"])])
    elif "times" in data:
        what = _said(request, "Draft saved, %(times)s times", data)
    else:
        if act["type"] == REFUSED and data.get("problem") == STALE:
            data["detail"] = _said(request, "Somebody changed this while the page was open")
        if act["type"] == "grants.application.checked":
            data["answer"] = _said(request, ANSWERS.get(str(data["answer"]), str(data["answer"])))
        what = _said(request, ACTS.get(act["type"], act["type"]), data)
    shown = act["type"] != "grants.review.declared"
    said = [say(data["reason_names"], request.state.locale)] if data.get("reason_names") else []
    said += [str(data[name]) for name in _DETAILS if data.get(name)][:1]
    detail = " ".join(said) if shown else ""
    detail = _said(request, detail) if "nature" in data else detail  # the house's own words for a derived conflict
    refused = act["outcome"] == "refused"
    return {
        "what": what,
        "who": act["who"] if inside or act["data"].get("notify") is not None else "",
        "at": act["at"],
        "tag": _said(request, "refused") if refused else "",
        "tone": "bad",
        "detail": "" if refused else detail,
        "letters": act["letters"],
    }


def _move(request: Request, transition: str, workflow: Workflow) -> str:
    names = next((move.name for move in workflow.transitions if move.id == transition), {"en": transition})
    return say(names, request.state.locale)


def _plain(value: Any) -> Any:
    """Return money as people write it."""
    if isinstance(value, dict) and set(value) == {"amount", "currency"}:
        return str(Money.model_validate(value))
    return value
