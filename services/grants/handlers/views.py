"""Saved views of the queue: a search kept under a name, for oneself or for the programme's staff."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, RowMapping

from services.grants.domain.search import MAX_TEXT, parse
from services.grants.handlers.base import Command
from services.grants.policy import POLICY
from services.grants.storage import queue, views
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.identity import Identity

KEEP = "grants.view.keep"


class KeepView(Command):
    """Somebody wants to find this search again; `shared` gives it to the programme's staff too."""

    programme: str
    name: Annotated[str, Field(min_length=1, max_length=60)]
    q: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    sort: str = "due"
    board: bool = False
    shared: bool = False


def keep(uow: UnitOfWork, who: Identity, command: KeepView) -> None:
    """Keep a search under a name; one's own view of that name is replaced."""
    POLICY.role_for(KEEP, who, programme=command.programme)
    if command.sort.removeprefix("-") not in queue.ORDERS:
        raise InvalidError({"sort": f"is none of {', '.join(queue.ORDERS)}, with or without -"})
    if mistakes := parse(command.q).mistakes:
        raise InvalidError({"q": mistakes[0].rule})
    if views.views_of(uow.connection, command.programme, who.user) >= views.MOST:
        raise ConflictError("You have %(most)s views here: take one away first", most=views.MOST)
    values: dict[str, Any] = command.model_dump(exclude={"q"}) | {"query": command.q}
    about = {"id": str(uow.ids()), "owner": who.user, "owner_name": who.name, "changed_at": uow.now()}
    views.put_view(uow.connection, values | about)


def drop(uow: UnitOfWork, who: Identity, view_id: str) -> RowMapping:
    """Forget a view: one's own, or as programme manager one that is shared; returns what it was."""
    POLICY.require(KEEP, who)
    view = views.find_view(uow.connection, view_id[:80])
    if view is None or not may_drop(who, view):
        raise NotFoundError("There is no such view")
    views.drop_view(uow.connection, view["id"])
    return view


def may_drop(who: Identity, view: RowMapping) -> bool:
    """Return whether `who` may take a view away."""
    manages = "programme_manager" in who.roles and view["programme"] in who.programmes and view["shared"]
    return bool(view["owner"] == who.user or manages)


def seen(connection: Connection, who: Identity, programme: str | None) -> list[RowMapping]:
    """Return the views of a programme's queue that `who` has: their own and, for its staff, the shared ones."""
    if programme is None or programme not in who.programmes or not POLICY.scopes(KEEP, who):
        return []
    return views.views_for(connection, programme, who.user)
