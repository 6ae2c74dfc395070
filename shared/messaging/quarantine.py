"""What an operator decides about quarantined events: replay under the same ids, or discard with a reason. On record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from shared.clock import Clock, in_utc, utc_now
from shared.database import Context, UnitOfWork, asking
from shared.errors import ConflictError, InvalidError
from shared.events import Actor
from shared.events.quarantine import quarantine_events
from shared.messaging.heads import REPLAYED, lock_head, moment, park, skip_discarded
from shared.messaging.held import (
    WHERE,
    Filters,
    Group,
    Held,
    fingerprint,
    groups,
    held,
    hold,
    identify,
    listed,
    note_replay,
    place,
    readable,
    row_of,
    show,
)
from shared.messaging.wire import Raw, Received, UnreadableError, decode

AT_ONCE = 1000  # events for one transaction; whoever has more asks again


@dataclass(frozen=True)
class Settled:
    """The rows that were (or would be) settled, and those that no release of ours can read, with the reason."""

    ids: list[UUID] = field(default_factory=list)
    unreadable: dict[UUID, str] = field(default_factory=dict)

    def seen(self) -> list[UUID]:
        """Return the rows that were looked at."""
        return [*self.ids, *self.unreadable]


def _chosen(
    connection: Connection, wanted: Filters | UUID, until: datetime | None, passed: Sequence[UUID]
) -> list[Any]:
    """Return held rows, locked, in the order of their entities; those of one id, or all that fit the filters.

    `until` leaves out what came (back) later, and `passed` what was looked at before, so that who settles page by
    page comes to an end.
    """
    where, facts = "id = :id AND state = 'held'", dict[str, Any](id=wanted)
    if isinstance(wanted, Filters):
        where, facts = WHERE, asdict(wanted) | {"state": "held"}
    query = (
        f"SELECT * FROM quarantine WHERE {where}"  # noqa: S608 - our own words
        " AND (CAST(:until AS timestamptz) IS NULL OR last_seen <= :until) AND id <> ALL(CAST(:passed AS uuid[]))"
        " ORDER BY entity, sequence, id LIMIT :limit FOR UPDATE"
    )
    page = {"until": until, "passed": list(passed), "limit": AT_ONCE}
    return list(connection.execute(text(query), facts | page).mappings())


def replay_held(
    uow: UnitOfWork,
    wanted: Filters | UUID,
    *,
    dry_run: bool = False,
    until: datetime | None = None,
    passed: Sequence[UUID] = (),
) -> Settled:
    """Hand held events back to their consumer under their own ids.

    The running worker takes them up within a second; one that fails again comes back into quarantine at once,
    and one that was handled meanwhile has no effect. What is still unreadable stays held, in nobody's way.
    """
    settled = Settled()
    while True:
        rows = _chosen(uow.connection, wanted, until, [*passed, *settled.seen()])
        for row in rows:
            raw = Raw(row["headers"], bytes(row["body"]), row["routing_key"], row["user_id"])
            try:
                received = Received(decode(raw), raw)
            except UnreadableError as error:
                settled.unreadable[row["id"]] = str(error)
                continue
            settled.ids.append(row["id"])
            if not dry_run:
                _hand_back(uow, row, received)
        if len(rows) < AT_ONCE or len(settled.ids) >= AT_ONCE:
            return settled


def _hand_back(uow: UnitOfWork, row: Any, received: Received) -> None:
    # Its patience is spent: one more failure and it is back in quarantine, with the new traceback.
    park(
        uow.connection,
        row["consumer"],
        received,
        why="retry",
        attempts=REPLAYED,
        not_before=None,
        error=row["error"],
    )
    uow.connection.execute(
        text(
            "UPDATE quarantine SET replays = replays + 1, replayed_by = :by, replayed_at = :at,"
            " replay_result = 'waiting', replay_result_at = NULL WHERE id = :id"
        ),
        {"by": _name(uow), "at": uow.now(), "id": row["id"]},
    )
    _settle(uow, row, "replayed", None)


def discard_held(
    uow: UnitOfWork,
    wanted: Filters | UUID,
    reason: str,
    *,
    dry_run: bool = False,
    until: datetime | None = None,
    passed: Sequence[UUID] = (),
) -> Settled:
    """Give held events up for good; the events of their entities that waited behind them go on.

    Raises InvalidError without a reason.
    """
    if not reason.strip() and not dry_run:
        raise InvalidError({"reason": "say why this event may be left out"})
    rows = _chosen(uow.connection, wanted, until, passed)
    for row in [] if dry_run else rows:
        _settle(uow, row, "discarded", reason.strip())
        if row["entity"] and row["sequence"]:
            lock_head(uow.connection, row["consumer"], row["entity"])
            skip_discarded(uow.connection, row["consumer"], row["entity"])
    return Settled(ids=[row["id"] for row in rows])


def _settle(uow: UnitOfWork, row: Any, state: str, reason: str | None) -> None:
    uow.connection.execute(
        text(
            "UPDATE quarantine SET state = :state, settled_by = :by, settled_at = :at, settled_reason = :reason"
            " WHERE id = :id"
        ),
        {"state": state, "by": _name(uow), "at": uow.now(), "reason": reason, "id": row["id"]},
    )
    replayed, discarded = quarantine_events(uow.source)
    facts = {
        "quarantine_id": str(row["id"]),
        "event_id": str(row["event_id"]) if row["event_id"] else None,
        "event_type": row["type"],
        "fingerprint": row["fingerprint"],
    }
    event = replayed(**facts) if state == "replayed" else discarded(**facts, reason=reason)
    uow.record(event, entity=f"quarantine:{row['id']}")


def _name(uow: UnitOfWork) -> str:
    actor = uow.context.actor
    return (actor.name or actor.id)[:120]


def replay(
    engine: Engine,
    consumer: str,
    by: Actor,
    *,
    quarantine_id: UUID | None = None,
    same: str | None = None,
    wanted: Filters | None = None,
    dry_run: bool = False,
    clock: Clock = utc_now,
) -> list[UUID]:
    """Replay by row id, by fingerprint (`same`) or by filters, all there are; returns the rows' ids.

    Raises InvalidError for a single message that is still unreadable, ConflictError for one that is settled.
    """
    choice = _choice(consumer, quarantine_id, same, wanted)
    done = Settled()
    with asking(engine) as connection:
        until = moment(connection, clock)
    while True:
        with UnitOfWork(engine, consumer, Context(actor=by), clock=clock) as uow:
            settled = replay_held(uow, choice, dry_run=dry_run, until=until, passed=done.seen())
            if settled.unreadable and quarantine_id:
                why = next(iter(settled.unreadable.values()))
                message = "The message is still unreadable: %(why)s"
                raise InvalidError({"id": "this release cannot read it"}, message, why=why)
        if quarantine_id and not settled.ids:
            raise _not_held(engine, quarantine_id)
        done.ids.extend(settled.ids)
        done.unreadable.update(settled.unreadable)
        if len(settled.ids) < AT_ONCE:
            return done.ids


def discard(
    engine: Engine,
    consumer: str,
    by: Actor,
    quarantine_id: UUID | None,
    reason: str,
    *,
    wanted: Filters | None = None,
    dry_run: bool = False,
    clock: Clock = utc_now,
) -> list[UUID]:
    """Discard one event by its row id, or all that fit `wanted`; returns the rows' ids.

    Raises InvalidError without a reason, NotFoundError for an id that is not there, ConflictError for one that is
    settled.
    """
    choice = _choice(consumer, quarantine_id, None, wanted)
    ids: list[UUID] = []
    with asking(engine) as connection:
        until = moment(connection, clock)
    while True:
        with UnitOfWork(engine, consumer, Context(actor=by, reason=reason), clock=clock) as uow:
            settled = discard_held(uow, choice, reason, dry_run=dry_run, until=until, passed=ids)
        if quarantine_id and not settled.ids:
            raise _not_held(engine, quarantine_id)
        ids += settled.ids
        if len(settled.ids) < AT_ONCE:
            return ids


def _not_held(engine: Engine, quarantine_id: UUID) -> ConflictError:
    """Return how a row was settled; raises NotFoundError when there is none."""
    row = show(engine, quarantine_id)
    facts = {"who": row["settled_by"], "at": in_utc(row["settled_at"])}
    if row["state"] == "discarded":
        return ConflictError("%(who)s has discarded this event at %(at)s: %(why)s", why=row["settled_reason"], **facts)
    return ConflictError("%(who)s has replayed this event at %(at)s", **facts)


def _choice(consumer: str, quarantine_id: UUID | None, same: str | None, wanted: Filters | None) -> Filters | UUID:
    if sum(item is not None for item in (quarantine_id, same, wanted)) != 1:
        raise InvalidError({"id": "give an id, a fingerprint or filters"}, "Say which events are meant")
    if quarantine_id:
        return quarantine_id
    return wanted or Filters(consumer=consumer, fingerprint=same)


__all__ = [
    "AT_ONCE",
    "Filters",
    "Group",
    "Held",
    "Settled",
    "discard",
    "discard_held",
    "fingerprint",
    "groups",
    "held",
    "hold",
    "identify",
    "listed",
    "note_replay",
    "place",
    "readable",
    "replay",
    "replay_held",
    "row_of",
    "show",
]
