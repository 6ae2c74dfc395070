"""The event that an act would bring, for whoever wants to see its letters before it happens."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from services.grants.domain.application import Application, Person
from services.grants.domain.decision import Said
from services.grants.handlers import bulk
from services.grants.handlers.base import Frame, role_on
from services.grants.handlers.bulk.planning import moving
from services.grants.handlers.holding import holds
from services.grants.handlers.moving import MOVE, PARTS_OF_ACTS, MoveApplication, carry_out, chosen
from services.grants.storage import bulk as stored
from services.grants.storage import reads
from services.grants.storage.near import near
from shared.clock import Clock
from shared.errors import ConflictError, NotFoundError
from shared.events.grants.application import StageFact
from shared.web.identity import Identity


def would_say(  # noqa: PLR0917 - an act has as many sides
    connection: Connection,
    who: Identity,
    application: Application,
    command: MoveApplication,
    clock: Clock,
    said: Said | None = None,
) -> dict[str, Any]:
    """Return the draft of the event of a move, which is done to a copy that nobody stores; raises what refuses it."""
    if command.transition in PARTS_OF_ACTS:
        raise ConflictError(PARTS_OF_ACTS[command.transition])
    role, around = role_on(who, MOVE, application), near(connection, application, who.user)
    frame = Frame(connection, application, around)
    held = holds(connection, who, application, frame, around)
    transition, why = chosen(who, application, frame, around.reviews, around.award, command, held)
    copy = application.model_copy(deep=True)
    by = Person(id=f"user:{who.user}", name=who.name, role=role)
    carry_out(copy, frame, transition, command, why, by, clock(), said)
    made = next(item.event for item in copy.collect() if isinstance(item.event, StageFact))
    return {"type": made.TYPE, "case": application.id, "role": role, "data": made.model_dump(mode="json")}


def row_would_say(
    connection: Connection, who: Identity, bulk_id: str, number: int, clock: Clock
) -> tuple[Application, dict[str, Any]]:
    """Return the draft of the event of one row of an act on many cases."""
    held = bulk.seen(connection, who, bulk_id)
    row = next(iter(stored.rows_of(connection, held.id, after=number - 1, limit=1)), None)
    application = reads.find_application(connection, row["reference"]) if row else None
    if row is None or application is None or row["number"] != number or "transition" not in row["command"]:
        raise NotFoundError("There is no such record")
    command, said = moving(row["command"], application.version)
    return application, would_say(connection, who, application, command, clock, said)
