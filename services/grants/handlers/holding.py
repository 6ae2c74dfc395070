"""What keeps a person from moves of a case whatever the workflow says: a conflict of interest."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.handlers.base import Frame, roles_on
from services.grants.handlers.conflicts import conflict_of
from shared.web.identity import Identity
from shared.workflow.requirements import Sentence

# By transition: why this person can't make it.
Held = Mapping[str, tuple[Sentence, ...]]


def holds(connection: Connection, who: Identity, application: Application, frame: Frame) -> Held:
    """Return {transition: why `who` can't make it now} of the transitions that something holds."""
    roles = set(roles_on(who, application))
    own = {item.id for item in frame.workflow.transitions if "applicant" in roles and "applicant" in item.roles}
    if roles <= {"applicant"}:
        return {}
    conflict = conflict_of(connection, who, application)
    return {item.id: (conflict,) for item in frame.workflow.transitions if item.id not in own} if conflict else {}
