"""Newer versions of a workflow: what they would mean for the cases that live, and moving one case to them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from services.grants.handlers import listing, migrating, viewing
from services.grants.pages.common import CasePage, back, case_path, show
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.workflow import svg

router = APIRouter()


class MigrateForm(FormModel):
    """The form that puts a case under the newest version of its workflow."""

    version: int
    to_version: int
    reason: str = ""


@router.get("/workflows", dependencies=[allowed(migrating.READ)])
def overview(request: Request, who: Who, connection: Reader, programme: str = "") -> HTMLResponse:
    """Show which live cases are under an older version of their workflow, and what becomes of them."""
    chosen = listing.programme_of(connection, who, migrating.READ, programme)
    groups = migrating.preview(connection, chosen) if chosen else []
    locale = request.state.locale
    rows = [
        {
            "group": group,
            "stage": group.old.label(group.stage, locale),
            "to": group.new.label(group.way.to, locale) if group.way.to else "",
            "path": f"/grants/?programme={chosen}&q=stage:{group.stage}",
        }
        for group in groups
    ]
    moving = sum(group.cases for group in groups if group.way.open)
    blocked = sum(group.cases for group in groups if group.way.why)
    return show(request, "workflows.html", programme=chosen or "", rows=rows, moving=moving, blocked=blocked)


@router.get("/applications/{reference}/workflow", dependencies=[allowed(migrating.READ)])
def of_case(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the workflow of a case, and the newer version that it could be put under."""
    application = viewing.application_seen(uow, who, reference)
    page = CasePage(request, uow, who, application)
    if not page.inside:
        raise NotFoundError("There is no such page")
    locale = request.state.locale
    found = migrating.newer(uow.connection, application, page.frame)
    more: dict[str, Any] = {"newer": None}
    if found:
        new, _, way = found
        label = new.label(way.to, locale) if way.to else ""
        more = {"newer": new, "way": way, "to": label, "picture": _picture(new, locale, way.to)}
    more |= {"old": page.frame.workflow, "present": _picture(page.frame.workflow, locale, application.stage)}
    more["may"] = "programme_manager" in page.roles
    return show(request, "case_workflow.html", **page.context("workflow"), **more)


def _picture(workflow: Any, locale: str, here: str | None) -> Markup:
    name = f"v{workflow.version}"
    drawn = svg(workflow, locale, here).replace('"wf-', f'"wf-{name}-').replace("#wf-", f"#wf-{name}-")
    return Markup(drawn)  # noqa: S704 - the names in it are escaped where it is drawn


@router.post("/applications/{reference}/workflow", dependencies=[allowed(migrating.MIGRATE)])
def move_to_newer(reference: str, form: Annotated[MigrateForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Put the case under the newest version of its workflow."""
    migrating.move_to_newer(uow, who, reference, migrating.MigrateCase(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference, "workflow"))
