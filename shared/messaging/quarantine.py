"""What a consumer could not digest: kept whole, shown, replayed under the same id, or discarded with a reason."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, Engine, text

from shared.clock import Clock, utc_now
from shared.database import Context, UnitOfWork, reading
from shared.errors import InvalidError, NotFoundError
from shared.events import Actor
from shared.events.envelope import PREFIX
from shared.events.quarantine import quarantine_events
from shared.messaging.heads import REPLAYED, lock_head, park, set_head
from shared.messaging.wire import Raw, Received, UnreadableError, decode, storable

_NAMESPACE = UUID("5f3d5f0e-5c0c-4a0a-9d3e-3f1f5a7c0b11")
_ROOT = Path(__file__).resolve().parents[2]


@cache
def release() -> str:
    """Return the version of the running code."""
    try:
        return version("tamga")
    except PackageNotFoundError:
        return "source"


def fingerprint(error: BaseException) -> str:
    """Return what makes two failures the same: the exception's type and the innermost frame of our own code."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename and "/lib/python" not in frame.filename]
    if not frames:
        return type(error).__name__
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    place = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else Path(path.name)
    return f"{type(error).__name__} {place}:{frame.name}"[:300]


def identify(raw: Raw) -> UUID | None:
    """Return the event id that a message claims, if that much can be read."""
    for claim in (raw.headers.get(f"{PREFIX}id"), raw.message_id):
        try:
            return UUID(str(claim))
        except ValueError:
            continue
    return None


def _claims(raw: Raw) -> tuple[str | None, int | None, str | None]:
    """Return (entity key, sequence, type) as far as the headers of an unreadable message tell them."""
    source, subject = raw.headers.get(f"{PREFIX}source"), raw.headers.get(f"{PREFIX}subject")
    number = str(raw.headers.get(f"{PREFIX}sequence", ""))
    entity = f"{source}/{subject}"[:200] if source and subject else None
    kind = raw.headers.get(f"{PREFIX}type") or raw.routing_key or None
    return (
        entity,
        int(number) if number.isdecimal() and int(number) < 2**63 else None,
        str(kind)[:120] if kind else None,
    )


_HOLD = text(
    "INSERT INTO quarantine (id, consumer, event_id, entity, sequence, type, routing_key, user_id, headers,"
    " body, error, traceback, fingerprint, attempts, consumer_version, first_seen, last_seen, state)"
    " VALUES (:id, :consumer, :event_id, :entity, :sequence, :type, :routing_key, :user_id,"
    " CAST(:headers AS jsonb), :body,"
    " :error, :traceback, :fingerprint, :attempts, :version, :now, :now, 'held')"
    " ON CONFLICT (id) DO UPDATE SET error = excluded.error, traceback = excluded.traceback,"
    " fingerprint = excluded.fingerprint, attempts = quarantine.attempts + excluded.attempts,"
    " consumer_version = excluded.consumer_version, last_seen = excluded.last_seen, state = 'held',"
    " settled_by = NULL, settled_at = NULL, settled_reason = NULL"
)


def hold(
    connection: Connection, consumer: str, raw: Raw, error: BaseException, *, attempts: int, now: datetime
) -> UUID:
    """Put a message into quarantine, or renew its row; returns the row's id.

    The id follows from the message, so a message that comes twice has one row.
    """
    event_id = identify(raw)
    row_id = uuid5(_NAMESPACE, f"{consumer}/{event_id}" if event_id else f"{consumer}/{raw.headers}/{raw.body!r}")
    entity, sequence, kind = _claims(raw)
    connection.execute(
        _HOLD,
        {
            "id": row_id,
            "consumer": consumer,
            "event_id": event_id,
            "entity": storable(entity),
            "sequence": sequence,
            "type": storable(kind),
            "routing_key": storable(raw.routing_key)[:255],
            "user_id": raw.user_id,
            "headers": raw.headers_json(),
            "body": raw.body,
            "error": storable(f"{type(error).__name__}: {error}")[:4000],
            "traceback": storable("".join(traceback.format_exception(error)))[-20_000:],
            "fingerprint": fingerprint(error),
            "attempts": attempts,
            "version": release(),
            "now": now,
        },
    )
    return row_id


@dataclass(frozen=True)
class Held:
    """One row of the quarantine, as lists and the console show it."""

    id: UUID
    consumer: str
    event_id: UUID | None
    entity: str | None
    type: str | None
    state: str
    error: str
    fingerprint: str
    attempts: int
    first_seen: datetime
    last_seen: datetime
    settled_by: str | None
    settled_reason: str | None


def held(engine: Engine, *, state: str | None = "held", limit: int = 200) -> list[Held]:
    """Return the quarantine of a service, newest first; `state` None means all of it."""
    names = ", ".join(Held.__dataclass_fields__)
    with reading(engine) as connection:
        rows = connection.execute(
            text(
                f"SELECT {names} FROM quarantine"  # noqa: S608 - our own names
                " WHERE CAST(:state AS text) IS NULL OR state = :state"
                " ORDER BY last_seen DESC LIMIT :limit"
            ).bindparams(state=state),
            {"limit": limit},
        )
        return [Held(**row) for row in rows.mappings()]


def show(engine: Engine, quarantine_id: UUID) -> dict[str, Any]:
    """Return one row whole: headers, body as text, traceback; raises NotFoundError."""
    with reading(engine) as connection:
        found = connection.execute(text("SELECT * FROM quarantine WHERE id = :id"), {"id": quarantine_id})
        row = found.mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such event in quarantine")
    return dict(row) | {"body": bytes(row["body"]).decode("utf-8", "replace")}


def replay(
    engine: Engine,
    consumer: str,
    by: Actor,
    *,
    quarantine_id: UUID | None = None,
    same: str | None = None,
    dry_run: bool = False,
    clock: Clock = utc_now,
) -> list[UUID]:
    """Hand held events back to the consumer under their own ids; returns the rows' ids.

    Chosen by row id or by fingerprint (`same`). The running worker takes them up within a second; one
    that fails again comes back into quarantine at once, and one that was handled meanwhile has no effect.
    Raises InvalidError for a message that is still unreadable.
    """
    with UnitOfWork(engine, consumer, Context(actor=by), clock=clock) as uow:
        rows = _chosen(uow.connection, consumer, quarantine_id, same)
        for row in [] if dry_run else rows:
            _hand_back(uow, consumer, row)
        return [row["id"] for row in rows]


def _chosen(connection: Connection, consumer: str, quarantine_id: UUID | None, same: str | None) -> list[Any]:
    if (quarantine_id is None) == (same is None):
        raise InvalidError({"id": "give an id or a fingerprint"}, "Say which events to replay")
    where = "id = :wanted" if quarantine_id else "fingerprint = :wanted"
    found = connection.execute(
        text(
            f"SELECT * FROM quarantine WHERE consumer = :consumer AND state = 'held' AND {where}"  # noqa: S608 - ours
            " ORDER BY entity, sequence FOR UPDATE"
        ),
        {"consumer": consumer, "wanted": quarantine_id or same},
    )
    return list(found.mappings())


def _hand_back(uow: UnitOfWork, consumer: str, row: Any) -> None:
    raw = Raw(row["headers"], bytes(row["body"]), row["routing_key"], row["user_id"])
    try:
        envelope = decode(raw)
    except UnreadableError as error:
        message = "The message is still unreadable: %(why)s"
        raise InvalidError({"id": "this release cannot read it"}, message, why=str(error)) from error
    received = Received(envelope, raw)
    # Its patience is spent: one more failure and it is back in quarantine, with the new traceback.
    park(uow.connection, consumer, received, why="retry", attempts=REPLAYED, not_before=uow.now(), error=row["error"])
    _settle(uow, row, "replayed", None)


def discard(
    engine: Engine, consumer: str, by: Actor, quarantine_id: UUID, reason: str, *, clock: Clock = utc_now
) -> None:
    """Give up one held event for good, with a reason; the events of its entity that waited behind it go on.

    Raises InvalidError without a reason, NotFoundError when nothing of that id is held.
    """
    if not reason.strip():
        raise InvalidError({"reason": "say why this event may be left out"})
    with UnitOfWork(engine, consumer, Context(actor=by, reason=reason), clock=clock) as uow:
        rows = _chosen(uow.connection, consumer, quarantine_id, None)
        if not rows:
            raise NotFoundError("There is no such event in quarantine")
        if rows[0]["entity"] and rows[0]["sequence"]:
            _skip(uow.connection, consumer, rows[0]["entity"], rows[0]["sequence"])
        _settle(uow, rows[0], "discarded", reason)


def _skip(connection: Connection, consumer: str, entity: str, sequence: int) -> None:
    if lock_head(connection, consumer, entity) == sequence - 1:
        set_head(connection, consumer, entity, sequence)


def _settle(uow: UnitOfWork, row: Any, state: str, reason: str | None) -> None:
    uow.connection.execute(
        text(
            "UPDATE quarantine SET state = :state, settled_by = :by, settled_at = :at, settled_reason = :reason"
            " WHERE id = :id"
        ),
        {"state": state, "by": uow.context.actor.id[:120], "at": uow.now(), "reason": reason, "id": row["id"]},
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
