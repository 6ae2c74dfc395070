"""Live cases and newer versions of their workflow: what it would mean, and the act itself."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.migrating import Way, migrate, ways
from services.grants.handlers.base import Command, Frame, Packs, act_as, application_for
from services.grants.storage import versions
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.identity import Identity
from shared.workflow import Workflow

READ, MIGRATE = "grants.workflow.read", "grants.workflow.migrate"


class MigrateCase(Command):
    """A case is put under a newer version of its workflow: `to_version` is the workflow's, `version` the case's."""

    to_version: int
    version: int
    reason: str


@dataclass(frozen=True)
class Group:
    """Cases of one call at one stage of an older version, what becomes of them, and where the newer one is from."""

    call: str
    stage: str
    cases: int
    old: Workflow
    new: Workflow
    way: Way


def preview(connection: Connection, programme: str) -> list[Group]:
    """Return the groups of live cases that are not under the newest version of their workflow. Nothing is changed."""
    packs = Packs(connection, programme)
    newest = packs.newest
    found = []
    for row in versions.living(connection, programme) if newest else ():
        pack, old = packs[row["pack_version"]], packs[row["workflow_pack"]].workflows[row["workflow"]]
        new = newest.workflows.get(old.workflow) if newest else None
        if new is None or new.version <= old.version:
            continue
        way = ways(old, new, pack, pack.call(row["call"]))[row["stage"]]
        found.append(Group(row["call"], row["stage"], row["cases"], old, new, way))
    return found


def newer(connection: Connection, application: Application, frame: Frame) -> tuple[Workflow, int, Way] | None:
    """Return the newest workflow of a live case, its pack's version, and what becomes of it; None: it is on it."""
    packs = Packs(connection, application.programme)
    newest = packs.newest
    new = newest.workflows.get(application.workflow) if newest else None
    if new is None or application.terminal or new.version <= frame.workflow.version:
        return None
    return new, packs.newest_version, ways(frame.workflow, new, frame.pack, frame.call)[application.stage]


def move_to_newer(uow: UnitOfWork, who: Identity, reference: str, command: MigrateCase) -> Application:
    """Put a live case under the newest version of its workflow, which must be the one that was looked at."""
    application, role = application_for(uow, who, MIGRATE, reference, expected=command.version)
    if not command.reason:
        raise InvalidError({"reason": "is required: say why the case is moved"})
    frame = Frame(uow.connection, application)
    found = newer(uow.connection, application, frame)
    if found is None:
        raise ConflictError("The case is under the newest version of its workflow, or at its end")
    new, pack_version, way = found
    if new.version != command.to_version:
        raise ConflictError("The newest version is %(newest)s now; look at it first", newest=new.version)
    by = act_as(uow, role, command.reason)
    migrate(
        application,
        way,
        frame.workflow,
        new,
        pack_version=pack_version,
        calendar=frame.calendar,
        by=by,
        now=uow.now(),
        reason=command.reason,
    )
    return application
