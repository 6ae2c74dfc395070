"""A call that is not published yet, as an applicant will see it: its page and its form. Nothing of it is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.datastructures import FormData

from services.grants.domain.application import Application
from services.grants.domain.form import problems
from services.grants.domain.pack import Call, Pack
from services.grants.handlers import listing
from services.grants.pages.common import show
from services.grants.pages.form import Filled, Posted, form_shown
from services.grants.pages.rows import now_of
from services.grants.policy import POLICY
from shared.errors import InvalidError, NotFoundError
from shared.web.dependencies import Reader, Who, allowed
from shared.web.forms import invalid
from shared.web.identity import Identity

router = APIRouter(prefix="/preview")
ACTION = "grants.call.preview"
# What the form of a preview carries beside its answers.
_OWN = ("programme", "call", "programme_name")


@dataclass(frozen=True)
class Shown:
    """A call as it was sent to be shown, and the programme that it is to be in."""

    programme: str
    text: str
    call: Call
    pack: Pack

    @classmethod
    def of(cls, connection: Connection, who: Identity, fields: FormData) -> Shown:
        """Read what was sent; raises InvalidError that names what keeps the call from being shown."""
        programme, text = str(fields.get("programme", ""))[:80], str(fields.get("call", ""))
        POLICY.role_for(ACTION, who, programme=programme)
        pack = listing.latest(connection, programme)
        if pack is None:
            raise NotFoundError("There is no such record")
        try:
            content = json.loads(text)
        except ValueError as error:
            raise InvalidError({"call": "is not JSON"}) from error
        return cls(programme, text, _read(content), pack)


def _read(content: Any) -> Call:
    """Return a call, with what is not said yet left blank where a page can do without it."""
    if not isinstance(content, dict):
        raise InvalidError({"call": "must be a mapping"})
    blank = {"name": {}, "workflow": "", "scoring": "", "opens_on": "9999-12-31"}
    known = {name: value for name, value in content.items() if name not in {"eligibility", "reporting", "indicators"}}
    if not (content.get("form") or {}).get("properties"):
        known.pop("form", None)
    try:
        rules = {"eligibility": content["eligibility"]} if "eligibility" in content else {}
        return Call.model_validate(blank | known | rules)
    except ValidationError as error:
        raise invalid(error) from error
    except (KeyError, TypeError) as error:
        raise InvalidError({"call": "is not written as it has to be"}) from error


@router.post("/call", dependencies=[allowed(ACTION)])
def call_preview(request: Request, fields: Posted, who: Who, connection: Reader) -> HTMLResponse:
    """Show the page of a call."""
    shown = Shown.of(connection, who, fields)
    return show(
        request,
        "call.html",
        call=shown.call,
        programme_name=shown.pack.name,
        is_open=shown.call.is_open(now_of(request, shown.pack)),
        may=True,
        other=None,
        preview=shown,
    )


@router.post("/form", dependencies=[allowed(ACTION)])
def form_preview(request: Request, fields: Posted, who: Who, connection: Reader) -> HTMLResponse:
    """Show the form of a call; it can be filled in and checked as the real one is, but nothing is kept."""
    shown = Shown.of(connection, who, fields)
    application = _blank(request, shown, who)
    if "version" not in fields:
        return form_shown(request, shown.call, application, base="/grants/preview", preview=shown)
    answers = FormData([(name, value) for name, value in fields.multi_items() if name not in _OWN])
    filled = Filled(answers, shown.call, application)
    wrong = dict(filled.errors)
    if filled.go == "check":
        typed = {"title": filled.title, "answers": filled.answers, "budget": filled.budget}
        found = problems(shown.call, application.model_copy(update=typed), now_of(request, shown.pack))
        wrong |= {name: rule for name, rule in found.items() if name != "call"}
    more = {"base": "/grants/preview", "preview": shown, "errors": wrong, "more": filled.more}
    return form_shown(request, shown.call, application, filled, **more)


def _blank(request: Request, shown: Shown, who: Identity) -> Application:
    call = shown.call
    return Application(
        id=f"{call.reference_prefix}-0000",
        workflow=call.workflow,
        workflow_version=1,
        stage="draft",
        holder="applicant",
        programme=shown.programme,
        call=call.call,
        pack_version=0,
        organisation=who.organisation or "",
        organisation_name=who.organisation_name or "",
        started_by=who.user,
        started_at=request.app.state.clock(),
        currency=call.currency,
    )
