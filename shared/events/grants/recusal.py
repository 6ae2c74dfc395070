"""Staff and approvers who are out of a case because of a conflict of interest."""

from __future__ import annotations

from shared.events.base import Event


class RecusalFact(Event):
    """Whose recusal from which case. Entity recusal:<reference>:<user id>; why stands on the case, not here."""

    reference: str
    title: str
    organisation_name: str
    person_id: str
    person_name: str
    notify: list[str] = []


class RecusalDeclared(RecusalFact):
    """A person declared a conflict of interest and is out of the case."""

    TYPE = "grants.recusal.declared"
    AUDIENCE = "record"


class RecusalLifted(RecusalFact):
    """Another person found that there is no conflict any more, and said why."""

    TYPE = "grants.recusal.lifted"
    AUDIENCE = "record"
    lifted_by: str
    why: str
