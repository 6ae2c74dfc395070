"""What a consumer could not digest: kept whole, grouped by what went wrong, and shown."""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, Engine, text

from shared.database import reading
from shared.errors import NotFoundError
from shared.events.envelope import PREFIX
from shared.messaging.wire import Raw, UnreadableError, storable
from shared.observability import release
from shared.settings import SERVICES

_NAMESPACE = UUID("5f3d5f0e-5c0c-4a0a-9d3e-3f1f5a7c0b11")
_ROOT = Path(__file__).resolve().parents[2]


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


def vouched(raw: Raw) -> bool:
    """Say whether nobody contradicts the source that an unreadable message claims; see `wire.decode`."""
    return raw.user_id not in SERVICES or raw.user_id == raw.headers.get(f"{PREFIX}source")


def place(raw: Raw, *, readable: bool) -> tuple[str, int | None]:
    """Return (source, position) as far as they can be believed: of an unreadable message if the broker vouches."""
    source, number = str(raw.headers.get(f"{PREFIX}source", "")), str(raw.headers.get(f"{PREFIX}position", ""))
    believed = readable or raw.user_id == source
    return source, int(number) if believed and number.isascii() and number.isdecimal() and len(number) < 20 else None


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


_HOLD = text("""
INSERT INTO quarantine AS q (id, consumer, event_id, entity, sequence, position, type, routing_key, user_id, headers,
  body, error, traceback, fingerprint, attempts, consumer_version, first_error, first_traceback, first_version,
  first_seen, last_seen, state)
VALUES (:id, :consumer, :event_id, :entity, :sequence, :position, :type, :routing_key, :user_id,
  CAST(:headers AS jsonb), :body, :error, :traceback, :fingerprint, :attempts, :version, :error, :traceback, :version,
  :now, :now, 'held')
ON CONFLICT (id) DO UPDATE SET error = excluded.error, traceback = excluded.traceback,
  fingerprint = excluded.fingerprint, attempts = q.attempts + excluded.attempts,
  consumer_version = excluded.consumer_version, last_seen = excluded.last_seen, state = 'held',
  replay_result = CASE WHEN q.state = 'replayed' THEN 'failed' ELSE q.replay_result END,
  replay_result_at = CASE WHEN q.state = 'replayed' THEN excluded.last_seen ELSE q.replay_result_at END,
  settled_by = NULL, settled_at = NULL, settled_reason = NULL
WHERE q.state <> 'discarded'
""")


def hold(
    connection: Connection, consumer: str, raw: Raw, error: BaseException, *, attempts: int, now: datetime
) -> UUID:
    """Put a message into quarantine, or renew its row; returns the row's id.

    The id follows from the message, so a message that comes twice has one row, and what was discarded stays so.
    A message that somebody sent in another's name does not get that event's id: the true one may still come.
    """
    readable = not isinstance(error, UnreadableError)
    event_id = identify(raw) if readable or vouched(raw) else None
    # The broker counts deliveries in a header of its own, which does not make a redelivery another message.
    sent = {name: value for name, value in raw.headers.items() if not name.startswith("x-")}
    row_id = uuid5(_NAMESPACE, f"{consumer}/{event_id}" if event_id else f"{consumer}/{sent}/{raw.body!r}")
    entity, sequence, kind = _claims(raw)
    connection.execute(
        _HOLD,
        {
            "id": row_id,
            "consumer": consumer,
            "event_id": event_id,
            "entity": storable(entity),
            "sequence": sequence if event_id else None,
            "position": place(raw, readable=readable)[1],
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


def note_replay(connection: Connection, consumer: str, event_id: UUID, result: str) -> None:
    """Write beside the failure what came of replaying the event."""
    connection.execute(
        text(
            "UPDATE quarantine SET replay_result = :result, replay_result_at = clock_timestamp()"
            " WHERE consumer = :consumer AND event_id = :event_id AND state = 'replayed'"
        ),
        {"consumer": consumer, "event_id": event_id, "result": result},
    )


@dataclass(frozen=True)
class Filters:
    """Which quarantined events are meant; what is None does not matter. `type` may be a beginning."""

    consumer: str | None = None
    type: str | None = None
    entity: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    state: str | None = "held"

    def given(self) -> dict[str, Any]:
        """Return what was asked for beside the state."""
        return {name: value for name, value in asdict(self).items() if value is not None and name != "state"}


# An entity is named as people know it ("user:a") or with its source ("portal/user:a").
WHERE = """
(CAST(:consumer AS text) IS NULL OR consumer = :consumer)
AND (CAST(:type AS text) IS NULL OR starts_with(coalesce(type, ''), :type))
AND (CAST(:entity AS text) IS NULL OR entity = :entity OR entity LIKE '%/' || :entity)
AND (CAST(:fingerprint AS text) IS NULL OR fingerprint = :fingerprint)
AND (CAST(:since AS timestamptz) IS NULL OR last_seen >= :since)
AND (CAST(:state AS text) IS NULL OR state = :state)
"""


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
    replays: int
    replay_result: str | None
    settled_by: str | None
    settled_reason: str | None


@dataclass(frozen=True)
class Group:
    """Events that failed in the same way: how many, since when, at whom, and the newest as an example."""

    fingerprint: str
    count: int
    first_seen: datetime
    last_seen: datetime
    consumers: list[str]
    types: list[str]
    error: str
    newest: UUID


def held(engine: Engine, wanted: Filters | None = None, *, state: str | None = "held", limit: int = 200) -> list[Held]:
    """Return the quarantine of a service, newest first; without filters `state` alone counts, and None means all."""
    with reading(engine) as connection:
        return listed(connection, wanted or Filters(state=state), limit=limit)


def listed(connection: Connection, wanted: Filters, *, limit: int = 200) -> list[Held]:
    """Return single events, newest first."""
    names = ", ".join(Held.__dataclass_fields__)
    query = f"SELECT {names} FROM quarantine WHERE {WHERE} ORDER BY last_seen DESC, id LIMIT :limit"  # noqa: S608 - ours
    rows = connection.execute(text(query), asdict(wanted) | {"limit": limit})
    return [Held(**row) for row in rows.mappings()]


_GROUPS = text(f"""
SELECT fingerprint, count(*) AS count, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
  array_agg(DISTINCT consumer) AS consumers, (array_agg(DISTINCT coalesce(type, '?')))[1:5] AS types,
  (array_agg(error ORDER BY last_seen DESC))[1] AS error, (array_agg(id ORDER BY last_seen DESC))[1] AS newest
FROM quarantine WHERE {WHERE} GROUP BY fingerprint ORDER BY count(*) DESC, fingerprint LIMIT :limit
""")  # noqa: S608 - the same


def groups(connection: Connection, wanted: Filters, *, limit: int = 50) -> list[Group]:
    """Return what went wrong, the most frequent first."""
    rows = connection.execute(_GROUPS, asdict(wanted) | {"limit": limit})
    return [Group(**row) for row in rows.mappings()]


_BEHIND = text("""
SELECT count(*) FROM inbox_parked WHERE consumer = :consumer AND entity = :entity AND sequence > :sequence
""")


def row_of(connection: Connection, quarantine_id: UUID) -> dict[str, Any]:
    """Return one row whole, with the exact bytes and how many events wait `behind` it; raises NotFoundError."""
    found = connection.execute(text("SELECT * FROM quarantine WHERE id = :id"), {"id": quarantine_id})
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such event in quarantine")
    facts = {name: row[name] for name in ("consumer", "entity", "sequence")}
    waiting = connection.execute(_BEHIND, facts).scalar_one() if row["state"] == "held" else 0
    return dict(row) | {"body": bytes(row["body"]), "behind": waiting}


def show(engine: Engine, quarantine_id: UUID) -> dict[str, Any]:
    """Return one row whole: headers, body as text, traceback; raises NotFoundError."""
    with reading(engine) as connection:
        row = row_of(connection, quarantine_id)
    return row | {"body": readable(row["body"])}


def readable(body: bytes) -> str:
    """Return bytes as people read them: JSON indented, other text as it is, anything else with its odd bytes named."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode("utf-8", "backslashreplace")
