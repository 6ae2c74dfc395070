"""Applications that look like a case: a part of its page, a page of its own, and for machines."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.grants.domain.likeness import Verdict
from services.grants.handlers import likeness
from services.grants.pages.common import CasePage, back, case_path, show
from shared.web.dependencies import Uow, Who, allowed
from shared.web.errors import partial
from shared.web.forms import FormModel

router = APIRouter()
REASONS = {
    "same_call": "the same organisation applied to this call before",
    "organisation": "the same organisation",
    "number": "an organisation with the same registration number",
    "name": "nearly the same name of the organisation",
    "title": "nearly the same title",
    "answers": "nearly the same answers",
}


class SettleForm(FormModel):
    """The form of a decision about a pair."""

    other: str
    verdict: Verdict
    why: str = ""
    version: int = 0


@router.get("/applications/{reference}/alike", dependencies=[allowed(likeness.READ)])
def page(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show which applications look like this one, and by what."""
    application, found = likeness.alike(uow, who, reference)
    may = bool(request.app.state.policy.scopes(likeness.SETTLE, who))
    context: dict[str, Any] = {"alike": found, "reasons": REASONS, "may_settle": may, "base": case_path(application.id)}
    if partial(request):
        return show(request, "alike_part.html", **context)
    return show(request, "alike.html", **(CasePage(request, uow, who, application).context("alike") | context))


@router.post("/applications/{reference}/alike", dependencies=[allowed(likeness.SETTLE)])
def settle(reference: str, form: Annotated[SettleForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Link two applications, or say that they only look alike."""
    likeness.settle(uow, who, reference, likeness.Settle.model_validate(form.model_dump(exclude={"csrf"})))
    return back(case_path(reference, "alike"))


@router.get("/api/applications/{reference}/alike", dependencies=[allowed(likeness.READ)])
def listed(reference: str, who: Who, uow: Uow) -> list[dict[str, Any]]:
    """Return which applications look like this one, by what in per cent, and what was decided."""
    _, found = likeness.alike(uow, who, reference)
    return [
        {"reference": item.row["id"], "organisation_name": item.row["organisation_name"], "title": item.row["title"]}
        | {"reasons": item.reasons, "verdict": item.decided.verdict if item.decided else None}
        | {"why": item.decided.why if item.decided else "", "version": item.decided.version if item.decided else 0}
        for item in found
    ]


@router.post("/api/applications/{reference}/alike", dependencies=[allowed(likeness.SETTLE)])
def settle_by_machine(reference: str, command: likeness.Settle, who: Who, uow: Uow) -> dict[str, Any]:
    """Link two applications, or say that they only look alike, with the reason."""
    item = likeness.settle(uow, who, reference, command)
    uow.flush()
    return item.state() | {"version": item.version}
