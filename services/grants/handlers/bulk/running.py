"""Doing an act on many cases: each row in its own transaction, with the check at the moment of the act.

A row's mark and what happens to its case commit together, so a process that is killed leaves every row either done or
waiting, and whoever carries on does each exactly once. Letters follow from the case's own events: there are none for
a row that did not move.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from services.grants.domain.bulk import Bulk, Sayable, sayable
from services.grants.handlers.base import role_on
from services.grants.handlers.bulk.planning import moving
from services.grants.handlers.moving import ASSIGN, MOVE, PARTS_OF_ACTS, AssignOfficer, give, step
from services.grants.handlers.standing import acting, stand
from services.grants.storage import bulk as stored
from services.grants.storage.tables import applications
from shared.clock import Clock, Ids, new_id, utc_now
from shared.database import Context, UnitOfWork, asking, system
from shared.errors import ConflictError, ForbiddenError, TamgaError
from shared.events.grants import AttemptRefused
from shared.web.identity import Identity

log = structlog.get_logger(__name__)
# A row waits for the disk and for the database most of its time, and another one is done meanwhile.
LANES = 3
SECONDS = 20.0  # of one tick, so that a worker that is asked to stop does not wait for thousands of rows


class Runner:
    """Carries on what is running in one database."""

    def __init__(self, engine: Engine, *, clock: Clock = utc_now, ids: Ids = new_id, lanes: int = LANES) -> None:
        self.engine, self.clock, self.ids, self.lanes = engine, clock, ids, lanes

    def run(self, seconds: float = SECONDS) -> int:
        """Do what waits, for about so long at most, several rows at a time; returns how many were tried."""
        until, tried = monotonic() + seconds, 0
        with asking(self.engine) as connection:
            found = [item for name in stored.running(connection) if (item := stored.find_bulk(connection, name))]
        for bulk in found:
            with ThreadPoolExecutor(self.lanes) as pool:
                tried += sum(pool.map(lambda _, bulk=bulk: self._lane(bulk, until), range(self.lanes)))
            if monotonic() > until:
                return tried
            self._finish(bulk)
        return tried

    def _lane(self, bulk: Bulk, until: float) -> int:
        """Try row after row until none waits or the time is over."""
        owner, tried = Identity.model_validate(bulk.who), 0
        while self.one(bulk, owner):
            tried += 1
            if monotonic() > until:
                break
        return tried

    def one(self, bulk: Bulk, owner: Identity) -> bool:
        """Try the next row in its own transaction; returns whether there was one."""
        with self._uow(bulk, owner) as uow:
            row = stored.take(uow.connection, bulk.id, bulk.owner, self.clock())
            if row is None:
                return False
            uow.hold()  # a row that is refused stays this transaction's until that is written
            try:
                self._act(uow, acting(uow.connection, _present(owner, row), self.clock()), row)
                uow.go_on(uow.context)  # written here, where what is wrong with it is still this row's refusal
            except TamgaError as refusal:
                self._refused(uow, bulk, row, [one.model_dump() for one in sayable(refusal)], refusal.type)
            except OperationalError:
                raise
            except Exception:
                log.exception("a row of an act on many cases broke", bulk=bulk.id, number=row["number"])
                broke = Sayable(message="Something broke here; the operators can see what", code="error")
                self._refused(uow, bulk, row, [broke.model_dump()], "error")
        return True

    def _uow(self, bulk: Bulk, owner: Identity) -> UnitOfWork:
        context = Context(actor=owner.actor(), correlation_id=UUID(bulk.id))
        return UnitOfWork(self.engine, "grants", context, clock=self.clock, ids=self.ids)

    def _act(self, uow: UnitOfWork, who: Identity, row: dict[str, Any]) -> None:
        """Do to the case of a row what its command says, as the person who is there now."""
        kept, command = applications(uow), row["command"]
        application = kept.get(row["reference"])
        action = MOVE if "transition" in command else ASSIGN
        role = role_on(who, action, application)
        if application.version != row["version"]:
            raise kept.stale(application.id, row["version"])
        if action == ASSIGN:
            stand(uow, who, application.programme, application.id, application.officer)
            give(uow, application, role, AssignOfficer(officer=command["officer"], version=row["version"]))
            return
        move, said = moving(command, row["version"])
        if move.transition in PARTS_OF_ACTS:
            raise ConflictError(PARTS_OF_ACTS[move.transition])
        step(uow, who, application, move, role=role, said=said)

    def _refused(
        self, uow: UnitOfWork, bulk: Bulk, row: dict[str, Any], said: list[dict[str, Any]], problem: str
    ) -> None:
        """Undo what the row began and write down why; the attempt is on the record like every refused one."""
        uow.abandon()
        stored.refuse(uow.connection, bulk.id, row["number"], said)
        action = MOVE if "transition" in row["command"] else ASSIGN
        detail = "; ".join(_plain(one) for one in said)[:500]
        refused = AttemptRefused(
            action=action, target=f"application:{row['reference']}", problem=problem, detail=detail
        )
        uow.record(
            refused,
            entity=f"attempt:{self.ids()}",
            case=row["reference"],
            programme=bulk.programme,
            outcome="refused",
        )

    def _finish(self, bulk: Bulk) -> None:
        """Note that every row was tried, unless somebody still has one or noted it already."""
        context = Context(actor=system("grants"), correlation_id=UUID(bulk.id))
        with UnitOfWork(self.engine, "grants", context, clock=self.clock, ids=self.ids) as uow:
            held = stored.bulks(uow).get(bulk.id)
            counts = stored.counts(uow.connection, bulk.id)
            if held.status == "running" and not counts.get("waiting"):
                held.finish(counts.get("done", 0), counts.get("refused", 0), uow.now())


def _present(owner: Identity, row: dict[str, Any]) -> Identity:
    """Return the owner with the roles and programmes that they still have; raises ForbiddenError for one who is gone.

    Never with more than they had when they planned it: what was not looked at then is not done now.
    """
    if not row["active"]:
        raise ForbiddenError("Your role does not allow this")
    still = {name: tuple(one for one in getattr(owner, name) if one in row[name]) for name in ("roles", "programmes")}
    return owner.model_copy(update=still | {"organisation": row["organisation"]})


def _plain(said: dict[str, Any]) -> str:
    text = str(said["names"].get("en") or said["message"])
    return text % said["params"] if said["params"] and not said["names"] else text


def run_due(uow: UnitOfWork) -> None:
    """Carry on what is running; the worker calls this every second.

    Only after the timer's own transaction, which serves to be alone, so that each row has one of its own.
    """
    engine, clock, ids = uow.engine, uow.clock, uow.ids
    uow.after_commit.append(lambda: _run(engine, clock, ids))


def _run(engine: Engine, clock: Clock, ids: Ids) -> None:
    Runner(engine, clock=clock, ids=ids).run()


TIMERS = ((1.0, run_due),)
