"""Saved searches of the log: keep one, open one, take one away."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from services.audit.asking import parse
from services.audit.domain.saved import SavedSearch
from services.audit.handlers import reading
from services.audit.storage import searches, tree
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.identity import Identity

MOST = 100  # that one person may keep


def keep(uow: UnitOfWork, who: Identity, *, name: str, query: str, shared: bool, frozen: bool) -> SavedSearch:
    """Keep a search under a name; a frozen one shows the log as it is now for ever."""
    search = parse(query)
    if search.mistakes:
        raise InvalidError({"q": search.mistakes[0].rule})
    if searches.count_of(uow.connection, who.user) >= MOST:
        raise ConflictError("You have %(most)s saved searches: take one away first", most=MOST)
    leaves = tree.head(uow.connection).size if frozen else None
    kept = SavedSearch.keep(
        id_=str(uow.ids()), name=name, query=query, owner=(who.user, who.name), shared=shared, leaves=leaves
    )
    return searches.repository(uow).add(kept)


def open_saved(uow: UnitOfWork, who: Identity, search_id: str) -> str:
    """Return the text of a saved search and record that it was opened; raises NotFoundError for somebody else's."""
    kept = searches.repository(uow).find(search_id[:80])
    if kept is None or not kept.seen_by(who.user):
        raise NotFoundError("There is no such saved search")
    reading.viewed(uow, f"saved_search:{kept.id}", "saved search")
    search = parse(kept.query)
    return kept.query if kept.leaves is None else search.with_term("leaves", str(kept.leaves))


def drop(uow: UnitOfWork, who: Identity, search_id: str) -> None:
    """Take a saved search away; raises NotFoundError for one that this person does not see."""
    kept = searches.repository(uow).find(search_id[:80], for_update=True)
    if kept is None or not kept.seen_by(who.user):
        raise NotFoundError("There is no such saved search")
    kept.drop(who.user)


def seen(connection: Connection, who: Identity) -> list[dict[str, Any]]:
    """Return the searches that this auditor sees, their own first."""
    return searches.seen(connection, who.user)
