"""An act that does not fit the present state: the person stays on the case's page and reads there what changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from shared.database import UnitOfWork
from shared.errors import ConflictError, TamgaError
from shared.web.dependencies import maybe_identity, request_context
from shared.web.identity import Identity

log = structlog.get_logger()
Page = Callable[[Request, UnitOfWork, Identity, ConflictError], Response]


class Stay:
    """A dependency of a posting route that names the page to show, with status 409, when its act is refused so.

    The page finds what was typed in `request.state.typed`. The refusal is recorded as every other one is.
    """

    def __init__(self, page: Page) -> None:
        self.page = page

    async def __call__(self, request: Request) -> None:
        form = await request.form()
        request.state.typed = {name: value for name, value in form.items() if isinstance(value, str)}
        request.state.stay = self.page


def stay(page: Page) -> Any:
    """Return the dependency that keeps a person on `page` after a conflict."""
    return Depends(Stay(page))


def stayed(request: Request, problem: TamgaError) -> Response | None:
    """Return the page that the refused route named, or None when there is none or it can't be shown."""
    page: Page | None = getattr(request.state, "stay", None)
    who = maybe_identity(request)
    if page is None or who is None or not isinstance(problem, ConflictError):
        return None
    state = request.app.state
    try:
        with UnitOfWork(state.engine, state.service, request_context(request), clock=state.clock) as uow:
            return page(request, uow, who, problem)
    except (TamgaError, SQLAlchemyError):
        log.exception("the page of a conflict could not be shown", path=request.scope["path"])
        return None
