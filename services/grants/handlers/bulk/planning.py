"""The dry run of an act on many cases: which can follow and what keeps the others, without changing any of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application, Person
from services.grants.domain.bulk import MOST_ROWS, Bulk, sayable
from services.grants.domain.decision import Said
from services.grants.handlers import queue
from services.grants.handlers.base import Command, Frame, Packs, role_on
from services.grants.handlers.holding import Held, holds
from services.grants.handlers.moving import (
    ASSIGN,
    MOVE,
    PARTS_OF_ACTS,
    MoveApplication,
    carry_out,
    chosen,
)
from services.grants.handlers.standing import Acting
from services.grants.policy import POLICY
from services.grants.storage import bulk as stored
from services.grants.storage import queue as queued
from services.grants.storage import reads
from services.grants.storage.near import Near, near_each
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule, TamgaError
from shared.web.identity import Identity

BULK, READ = "grants.bulk.plan", "grants.bulk.read"
ASSIGNING = "assign"
SHARED = {"act", "references", "q", "programme", "officer"}  # members of a plan that are no words of the move


class PlanBulk(Command):
    """What is to happen to which cases: `references`, or all that the search `q` finds.

    `act` is the id of a move, or "assign" with an `officer`; the rest is as for a single move.
    """

    programme: str
    act: Annotated[str, Field(min_length=1, max_length=60)]
    references: Annotated[list[str], Field(max_length=MOST_ROWS)] = []
    q: Annotated[str, Field(max_length=1000)] | None = None
    officer: str | None = None
    reason: str | None = None
    reason_code: Annotated[str, Field(max_length=60)] = ""
    comment: str | None = None
    sections: list[str] = []


class StartBulk(Command):
    """The plan is to be done; `version` is that of the page on which it was decided."""

    version: int


def plan(uow: UnitOfWork, who: Identity, command: PlanBulk) -> Bulk:
    """Try out what would happen to each case, and keep it as a plan; no case is changed."""
    POLICY.role_for(BULK, who, programme=command.programme)
    rows = _chosen(uow, who, command)
    if command.act == ASSIGNING:
        _must_be_officer(uow.connection, command)
    words = command.model_dump(mode="json", exclude=SHARED, exclude_none=True)
    words |= {"officer": command.officer} if command.act == ASSIGNING else {"transition": command.act}
    return keep(uow, who, command.programme, command.act, [(row, words) for row in rows], query=command.q or "")


def keep(  # noqa: PLR0917 - a plan has as many sides
    uow: UnitOfWork,
    who: Identity,
    programme: str,
    act: str,
    rows: Sequence[tuple[RowMapping, dict[str, Any]]],
    query: str = "",
    panel: str | None = None,
) -> Bulk:
    """Keep a plan: each row with its own command and what would come of it now."""
    foreseen = forecast(uow, who, programme, rows)
    ordered = sorted(rows, key=lambda pair: (not foreseen[pair[0]["id"]], pair[0]["id"]))
    made = Bulk(
        id=str(uow.ids()),
        programme=programme,
        owner=who.user,
        owner_name=who.name,
        who=_own(who).model_dump(mode="json", include=set(Identity.model_fields) - {"csrf", "session"}),
        act=act,
        query=query,
        panel=panel,
        total=len(rows),
        expected=sum(1 for said in foreseen.values() if not said),
        planned_at=uow.now(),
    )
    stored.bulks(uow).add(made)
    kept = [_row(made, number, row, command, foreseen) for number, (row, command) in enumerate(ordered, 1)]
    stored.put_rows(uow.connection, kept)
    return made


def _row(
    made: Bulk, number: int, row: RowMapping, command: dict[str, Any], foreseen: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    return {
        "bulk": made.id,
        "number": number,
        **{name: row[name] for name in ("title", "organisation_name", "version")},
        "reference": row["id"],
        "command": command,
        "foreseen": foreseen[row["id"]],
        "state": "waiting",
        "said": [],
    }


def _own(who: Identity) -> Identity:
    """Return a person with their own roles; those that others lend them are asked for again at each row."""
    return who.model_copy(update={"roles": who.own_roles}) if isinstance(who, Acting) else who


def _chosen(uow: UnitOfWork, who: Identity, command: PlanBulk) -> Sequence[RowMapping]:
    if command.q is None:
        wanted = list(dict.fromkeys(command.references))
        rows = stored.chosen(uow.connection, command.programme, wanted)
        if unknown := sorted(set(wanted) - {row["id"] for row in rows}):
            raise InvalidError({"references": Rule("names %(name)s, which is not there", name=unknown[0])})
    else:
        asked = queue.Query(programme=command.programme, q=command.q)
        listing = queue.understood(queue.asked(uow.connection, who, asked, uow.clock))
        found: Iterable[RowMapping] = (row for part in queue.every(uow.connection, listing) for row in part)
        rows = list(islice(found, MOST_ROWS + 1))
    if not rows:
        raise InvalidError({"references": "choose at least one case"})
    if len(rows) > MOST_ROWS:
        raise InvalidError({"q": Rule("finds more than %(most)s cases: narrow it", most=MOST_ROWS)})
    return rows


def _must_be_officer(connection: Connection, command: PlanBulk) -> None:
    officer = reads.find_person(connection, (command.officer or "")[:80])
    fits = officer is not None and officer["active"] and "officer" in officer["roles"]
    if not fits or officer is None or command.programme not in officer["programmes"]:
        raise InvalidError({"officer": "is not an officer of this programme"})


def forecast(
    uow: UnitOfWork, who: Identity, programme: str, rows: Sequence[tuple[RowMapping, dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Return what keeps each case from its command, nothing for those that can follow; a few statements for all."""
    connection, references = uow.connection, [row["id"] for row, _ in rows]
    states, packs = queued.details(connection, references), Packs(connection, programme)
    cases = [Application.stored(states[row["id"]], row["version"]) for row, _ in rows]
    sides = near_each(connection, cases, who.user)
    found: dict[str, list[dict[str, Any]]] = {}
    for application, (row, command) in zip(cases, rows, strict=True):
        frame, around = Frame.of(packs, application), sides[application.id]
        try:
            if "transition" in command:
                move, said = moving(command, application.version)
                _must_be_alone(move)
                role = role_on(who, MOVE, application)
                held = holds(connection, who, application, frame, around)
                _try_out(who, role, application, frame, around, (move, said, held), uow.now())
            else:
                role_on(who, ASSIGN, application)
                _must_be_in(application)
            found[row["id"]] = []
        except TamgaError as refusal:
            found[row["id"]] = [one.model_dump() for one in sayable(refusal)]
    return found


def moving(command: dict[str, Any], version: int) -> tuple[MoveApplication, Said | None]:
    """Return the move of a row's command, and what a panel said with it."""
    said = command.get("said")
    words = {name: value for name, value in command.items() if name != "said"}
    return MoveApplication(**words, version=version), Said.model_validate(said) if said else None


def _must_be_alone(move: MoveApplication) -> None:
    if move.transition in PARTS_OF_ACTS:
        raise ConflictError(PARTS_OF_ACTS[move.transition])


def _must_be_in(application: Application) -> None:
    if application.submitted_at is None:
        raise ConflictError("The application is not handed in yet")


def _try_out(  # noqa: PLR0917 - a case has as many sides
    who: Identity,
    role: str,
    application: Application,
    frame: Frame,
    around: Near,
    meant: tuple[MoveApplication, Said | None, Held],
    now: datetime,
) -> None:
    """Do the move to this copy of the case, which nobody stores."""
    move, said, held = meant
    transition, why = chosen(who, application, frame, around.reviews, around.award, move, held)
    by = Person(id=f"user:{who.user}", name=who.name, role=role)
    carry_out(application, frame, transition, move, why, by, now, said)


def seen(connection: Connection, who: Identity, bulk_id: str) -> Bulk:
    """Return an act on many cases that `who` may look at; raises NotFoundError."""
    POLICY.require(READ, who)
    found = stored.find_bulk(connection, bulk_id[:80])
    if found is None:
        raise NotFoundError("There is no such record")
    POLICY.role_for(READ, who, programme=found.programme)
    return found


def start(uow: UnitOfWork, who: Identity, bulk_id: str, command: StartBulk) -> Bulk:
    """Let a plan be done by the worker, row by row."""
    return _held(uow, who, bulk_id, command, lambda held: held.start(who.user, uow.now()))


def discard(uow: UnitOfWork, who: Identity, bulk_id: str, command: StartBulk) -> Bulk:
    """Throw a plan away."""
    return _held(uow, who, bulk_id, command, lambda held: held.discard(who.user))


def _held(uow: UnitOfWork, who: Identity, bulk_id: str, command: StartBulk, act: Any) -> Bulk:
    found = seen(uow.connection, who, bulk_id)
    POLICY.role_for(BULK, who, programme=found.programme)
    held = stored.bulks(uow).get(found.id, expected=command.version)
    act(held)
    return held
