"""A search of the log kept under a name: for oneself or for every auditor, of the log as it grows or as it was."""

from __future__ import annotations

from typing import ClassVar

from shared.entity import Entity
from shared.errors import ForbiddenError, InvalidError
from shared.events.audit import SavedSearchDropped, SavedSearchKept

MAX_NAME = 60


class SavedSearch(Entity):
    """A kept search. What is looked for may name people: the log says only that there is one, and whose."""

    KIND = "saved_search"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"name", "query"})

    name: str
    query: str
    owner: str
    owner_name: str
    shared: bool = False
    leaves: int | None = None  # of the log as it had so many leaves; None: of the log as it is
    dropped: bool = False

    @classmethod
    def keep(
        cls, *, id_: str, name: str, query: str, owner: tuple[str, str], shared: bool, leaves: int | None
    ) -> SavedSearch:
        """Return a new one; raises InvalidError that names the field and its rule."""
        if not name.strip():
            raise InvalidError({"name": "is required"})
        if len(name) > MAX_NAME:
            raise InvalidError({"name": "is too long"})
        facts = {"shared": shared, "leaves": leaves}
        kept = cls(id=id_, name=name.strip(), query=query, owner=owner[0], owner_name=owner[1], **facts)
        kept.record(SavedSearchKept(search_id=id_, shared=shared, leaves=leaves))
        return kept

    def drop(self, by: str) -> None:
        """Take it away: its owner alone may."""
        if self.owner != by:
            raise ForbiddenError("Only who saved a search may take it away")
        if not self.dropped:
            self.dropped = True
            self.record(SavedSearchDropped(search_id=self.id))

    def seen_by(self, person: str) -> bool:
        """Return whether this auditor may open it."""
        return not self.dropped and (self.shared or self.owner == person)
