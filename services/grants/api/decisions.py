"""JSON: what was recommended for a case, and the signatures that its amount needs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Connection

from services.grants.api.views import ApplicationView, application_view
from services.grants.domain.application import Application
from services.grants.domain.decision import Approval, Recommendation
from services.grants.handlers import deciding, viewing
from services.grants.handlers.base import Frame, role_on
from shared.errors import NotFoundError
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api/applications/{reference}", tags=["decisions"])


class LevelView(BaseModel):
    """One signature that the amount needs, and who gave it."""

    level: str
    name: dict[str, str]
    roles: list[str]
    signed: Approval | None


class ChainView(BaseModel):
    """A recommendation and its signatures: `next` is the level that signs next, `void` what counts no more."""

    recommendation: Recommendation
    levels: list[LevelView]
    next: str | None
    mine: bool
    void: list[Approval]


@router.get("/decision", dependencies=[allowed("grants.decision.read")])
def decision(reference: str, who: Who, uow: Uow) -> ChainView:
    """Return what was recommended and who signed; 404 as long as nothing is recommended."""
    application = viewing.application_seen(uow, who, reference)
    role_on(who, "grants.decision.read", application)
    return _view(uow.connection, who, application)


def _view(connection: Connection, who: Identity, application: Application) -> ChainView:
    found = deciding.chain(who, application, Frame(connection, application))
    if found is None:
        raise NotFoundError("Nothing is recommended yet")
    signed: dict[str, Any] = found["signed"]
    return ChainView(
        recommendation=found["recommendation"],
        levels=[
            LevelView(level=level.id, name=level.name, roles=[*level.roles], signed=signed.get(level.id))
            for level in found["levels"]
        ],
        next=found["next"].id if found["next"] else None,
        mine=found["mine"],
        void=found["void"],
    )


@router.post("/decision/approvals", dependencies=[allowed("grants.decision.sign")])
def sign(reference: str, command: deciding.SignCase, who: Who, uow: Uow) -> ApplicationView:
    """Give the next signature; 403 says why it is not yours, 409 that there is none or the case changed."""
    application = deciding.sign(uow, who, reference, command)
    uow.flush()
    return application_view(uow.connection, who, application)
