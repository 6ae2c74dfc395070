"""JSON: who stands in for whom."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.grants.handlers import delegations
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["delegations"])


@router.get("/delegations", dependencies=[allowed(delegations.READ)])
def listed(who: Who, connection: Reader) -> list[dict[str, Any]]:
    """Return one's own delegations, the latest to end first; a manager and an auditor see the programme's."""
    return [item.state() | {"version": item.version} for item in delegations.seen(connection, who)]


@router.post("/delegations", status_code=201, dependencies=[allowed(delegations.MAKE)])
def make(command: delegations.MakeDelegation, who: Who, uow: Uow) -> dict[str, Any]:
    """Let somebody act for oneself, or as manager for another, from a day to a day in one role of one programme."""
    made = delegations.make(uow, who, command)
    uow.flush()
    return made.state() | {"version": made.version}


@router.post("/delegations/{delegation_id}/end", dependencies=[allowed(delegations.MAKE)])
def end(delegation_id: str, command: delegations.EndDelegation, who: Who, uow: Uow) -> dict[str, Any]:
    """End a delegation before its last day."""
    ended = delegations.end(uow, who, delegation_id, command)
    uow.flush()
    return ended.state() | {"version": ended.version}
