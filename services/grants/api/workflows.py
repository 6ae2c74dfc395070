"""JSON: newer versions of a workflow and the cases that live under older ones."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from services.grants.api.views import ApplicationView, application_view
from services.grants.handlers import listing, migrating
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["workflows"])


class GroupView(BaseModel):
    """Cases of one call at one stage: `to` is their stage in the newer version, `why` what keeps them from it."""

    call: str
    workflow: str
    from_version: int
    to_version: int
    stage: str
    to: str | None
    cases: int
    why: str


@router.get("/workflows", dependencies=[allowed(migrating.READ)])
def preview(who: Who, connection: Reader, programme: str) -> list[GroupView]:
    """Return the live cases that are under an older version of their workflow, and what becomes of them."""
    chosen = listing.programme_of(connection, who, migrating.READ, programme)
    if chosen is None:
        raise NotFoundError("There is no such programme")
    return [
        GroupView(
            call=group.call,
            workflow=group.old.workflow,
            from_version=group.old.version,
            to_version=group.new.version,
            stage=group.stage,
            to=group.way.to,
            cases=group.cases,
            why=group.way.why,
        )
        for group in migrating.preview(connection, chosen)
    ]


@router.post("/applications/{reference}/workflow", dependencies=[allowed(migrating.MIGRATE)])
def move_to_newer(reference: str, command: migrating.MigrateCase, who: Who, uow: Uow) -> ApplicationView:
    """Put a case under the newest version of its workflow; 409 says why it can't be, or who changed it meanwhile."""
    application = migrating.move_to_newer(uow, who, reference, command)
    uow.flush()
    return application_view(uow.connection, who, application)
