"""What every request to this service goes through first: a person who stands in for another comes with their roles."""

from __future__ import annotations

from fastapi import Depends, Request

from services.grants.handlers.standing import LENDABLE, acting
from shared.database import asking
from shared.web.dependencies import maybe_identity


def stands_in(request: Request) -> None:
    """Give the request's person the roles that others lend them now."""
    who = maybe_identity(request)
    engine = request.app.state.engine
    if who is None or engine is None or not set(LENDABLE) & set(who.roles):
        return
    with asking(engine) as connection:
        request.state.identity = acting(connection, who, request.app.state.clock())


STANDS_IN = Depends(stands_in)
