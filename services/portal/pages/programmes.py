"""Programmes as their packs describe them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from services.portal import storage
from services.portal.pages.call_choices import in_language
from services.portal.pages.people import ROLE_NAMES
from services.portal.policy import POLICY
from shared.errors import NotFoundError
from shared.web import navigation
from shared.web.dependencies import Reader, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render
from shared.workflow import Workflow, svg

router = APIRouter()
ACTION = "portal.programme.read"


def _may_see(who: Identity, programme_id: str) -> bool:
    scopes = POLICY.scopes(ACTION, who).values()
    return "all" in scopes or programme_id in who.programmes


@router.get("/programmes", dependencies=[allowed(ACTION)])
def programmes(request: Request, who: Who, reader: Reader) -> HTMLResponse:
    rows = [row for row in storage.programme_list(reader) if _may_see(who, row["id"])]
    return render(request, "programmes.html", programmes=rows, say=in_language)


def workflow_pictures(pack: dict[str, Any], locale: str) -> list[dict[str, Any]]:
    """Return each workflow as a picture, and as words for who can't see it."""
    found = []
    for name, document in (pack.get("workflows") or {}).items():
        workflow = Workflow.parse(document)
        moves = [
            {
                "name": in_language(move.name, locale),
                "sources": [workflow.label(source, locale) for source in move.sources],
                "to": workflow.label(move.to, locale),
                "roles": [ROLE_NAMES.get(role, role) for role in move.roles],
            }
            for move in workflow.transitions
        ]
        title = in_language(workflow.name, locale) if workflow.name else name
        # The ids in a picture are the same in each; two pictures on a page need their own.
        drawn = svg(workflow, locale).replace('"wf-', f'"wf-{name}-').replace("#wf-", f"#wf-{name}-")
        picture = Markup(drawn)  # noqa: S704 - the names in it are escaped where it is drawn
        found.append({"id": name, "name": title, "version": workflow.version, "picture": picture, "moves": moves})
    return found


@router.get("/programmes/{programme_id}", dependencies=[allowed(ACTION)])
def programme(request: Request, programme_id: str, who: Who, reader: Reader) -> HTMLResponse:
    POLICY.role_for(ACTION, who, programme=programme_id)
    row = storage.programme_pack(reader, programme_id)
    if row is None:
        raise NotFoundError("There is no such record")
    state = row["state"]
    workflows = workflow_pictures(state["pack"], request.state.locale)
    return render(
        request,
        "programme.html",
        workflows=workflows,
        may_edit="programme" in POLICY.scopes("portal.call.read", who).values() and programme_id in who.programmes,
        of_programme=navigation.of_programme(who, programme_id),
        pack=state["pack"],
        state=state,
        id=programme_id,
        row=row,
        say=in_language,
    )
