"""Taking events in: up to some hundred messages become leaves in one transaction, each exactly once."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Connection, String

from services.audit.domain.canonical import MAX_INTEGER, NotCanonicalError
from services.audit.domain.leaf import MAX_LEAF, BodyError, Row, row_of
from services.audit.domain.refusal import Refused
from services.audit.storage import append
from services.audit.storage.tables import events
from shared.clock import Clock, utc_now
from shared.messaging.wire import Raw, Received, UnreadableError, decode
from shared.settings import SERVICES

# The body is looked at apart: its canonical form has no NUL.
_TEXTS = {column.name: getattr(column.type, "length", None) for column in events.c if isinstance(column.type, String)}
del _TEXTS["body"]
_TEXT_LIMITS = [limit or sys.maxsize for limit in _TEXTS.values()]
_texts_of = attrgetter(*_TEXTS)
_NUMBERS = {"position": MAX_INTEGER, "sequence": MAX_INTEGER, "version": 2**31 - 1}


def ingest(connection: Connection, batch: Sequence[Raw | Received], *, clock: Clock = utc_now) -> int:
    """Append a batch to the log and return how many leaves that made.

    Runs inside the caller's transaction. What was recorded before is left out; what can't be recorded
    becomes a leaf that says so. Nothing raises for a bad message: it would come back for ever.
    """
    now = clock()
    rows, refusals = _read(batch, now)
    tree = append.lock(connection)
    fresh, reused = _unknown(connection, rows)
    refusals += reused
    proofs = {item.event_id(): item for item in refusals}
    for there in append.known(connection, proofs):
        del proofs[there]
    leaves = [*(row for row, _ in fresh), *(row_of(item.envelope(now), now) for item in proofs.values())]
    if leaves:
        append.append(connection, tree, leaves)
    # What comes as Received was admitted to the inbox by the consumer already.
    admitted = {id(message.raw) for message in batch if isinstance(message, Received)}
    append.remember_handled(connection, [row for row, raw in fresh if id(raw) not in admitted])
    append.keep_rejected(connection, [item.kept() for item in proofs.values()])
    return len(leaves)


def _read(batch: Sequence[Raw | Received], now: datetime) -> tuple[list[tuple[Row, Raw]], list[Refused]]:
    rows: list[tuple[Row, Raw]] = []
    refusals: list[Refused] = []
    for message in batch:
        raw = message.raw if isinstance(message, Received) else message
        try:
            envelope = message.envelope if isinstance(message, Received) else decode(raw)
        except UnreadableError as error:
            refusals.append(_refused("spoofed" if _spoofed(raw) else "unreadable", str(error), raw))
            continue
        try:
            row = row_of(envelope, now)
            _check_fits(row)
        except (NotCanonicalError, BodyError, ValueError, OverflowError) as error:
            refusals.append(_refused("not-canonical", str(error), raw))
        else:
            rows.append((row, raw))
    return rows, refusals


def _spoofed(raw: Raw) -> bool:
    """Say whether the broker vouches for a service other than the one that the message claims."""
    return raw.user_id in SERVICES and raw.headers.get("cloudEvents_source") != raw.user_id


def _refused(reason: str, detail: str, raw: Raw) -> Refused:
    return Refused(reason=reason, detail=detail, headers=raw.headers, body=raw.body, user_id=raw.user_id)


def _check_fits(row: Row) -> None:
    """Raise ValueError for a row that its table would refuse: that refusal would take the whole batch with it."""
    if len(row.leaf) > MAX_LEAF:
        raise ValueError(f"the leaf would be {len(row.leaf)} bytes")
    for name, limit, value in zip(_TEXTS, _TEXT_LIMITS, _texts_of(row), strict=True):
        if value is None:
            continue
        if "\x00" in value:
            raise ValueError(f"{name} has a NUL character")
        if len(value) > limit:
            raise ValueError(f"{name} is longer than {limit} characters")
    for name, biggest in _NUMBERS.items():
        if (number := getattr(row, name)) is not None and not 0 <= number <= biggest:
            raise ValueError(f"{name} is out of range")


def _unknown(connection: Connection, rows: list[tuple[Row, Raw]]) -> tuple[list[tuple[Row, Raw]], list[Refused]]:
    """Return the rows that are new, once each, and refusals of other content under an id that is taken."""
    taken = append.known(connection, [row.event_id for row, _ in rows])
    fresh: dict[UUID, tuple[Row, Raw]] = {}
    refusals = []
    for row, raw in rows:
        if there := taken.get(row.event_id):
            same = _same_but_for_time(row, there.leaf)
        elif earlier := fresh.get(row.event_id):
            same = earlier[0].leaf == row.leaf
        else:
            fresh[row.event_id] = (row, raw)
            continue
        if not same:
            refusals.append(_refused("id-reused", f"another event has the id {row.event_id}", raw))
    return list(fresh.values()), refusals


def _same_but_for_time(row: Row, stored: bytes) -> bool:
    """Say whether a redelivered row is the stored one, apart from the moment at which it was recorded."""
    now, before = json.loads(row.leaf), json.loads(stored)
    return bool(now | {"rec": ""} == before | {"rec": ""})
