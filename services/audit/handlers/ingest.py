"""Taking events in: up to some hundred messages become leaves in one transaction, each exactly once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Connection, String

from services.audit.domain.leaf import MAX_LEAF, BodyError, Row, row_of
from services.audit.domain.merkle import CompactRange
from services.audit.domain.refusal import Refused
from services.audit.domain.sealing import Sealed
from services.audit.handlers.sealing import Sealing, as_stored
from services.audit.storage import append
from services.audit.storage.subjects import Subjects
from services.audit.storage.tables import events
from shared.clock import Clock, utc_now
from shared.events import Envelope
from shared.events.canonical import MAX_INTEGER, NotCanonicalError
from shared.messaging.wire import Raw, Received, UnreadableError, decode
from shared.settings import SERVICES

# The body is looked at apart: its canonical form has no NUL.
_TEXTS = {column.name: getattr(column.type, "length", None) for column in events.c if isinstance(column.type, String)}
del _TEXTS["body"]
_TEXT_LIMITS = [limit or sys.maxsize for limit in _TEXTS.values()]
_texts_of = attrgetter(*_TEXTS)
# What a row that can't be stored raises before it reaches its table.
_UNFIT = (NotCanonicalError, BodyError, ValueError, OverflowError)
_NUMBERS = {"position": MAX_INTEGER, "sequence": MAX_INTEGER, "version": 2**31 - 1}


def ingest(
    connection: Connection,
    batch: Sequence[Raw | Received],
    *,
    clock: Clock = utc_now,
    subjects: Subjects | None = None,
) -> int:
    """Append a batch to the log and return how many leaves that made.

    What it carries of applicants' people is sealed under their keys from `subjects` (None: a log without such keys).

    Runs inside the caller's transaction. What was recorded before is left out; what can't be recorded
    becomes a leaf that says so. Nothing raises for a bad message: it would come back for ever.
    """
    now = clock()
    readable, refusals = _read(batch)
    tree = append.lock(connection)
    fresh, reused = _unknown(connection, readable, now, subjects)
    refusals += reused
    sealing = Sealing(subjects, [envelope for envelope, _ in fresh]) if subjects else None
    written: list[tuple[Row, Raw]] = []

    def rows() -> Iterator[Row]:
        """Make each row when it is asked for: the server stores those before it meanwhile."""
        for envelope, raw in fresh:
            try:
                row = _row(*(sealing.sealed(envelope, raw.body) if sealing else (envelope, None)), now)
            except _UNFIT as error:
                refusals.append(_refused("not-canonical", str(error), raw))
            else:
                written.append((row, raw))
                yield row

    made = append.append(connection, tree, rows()) if fresh else 0
    if sealing:
        sealing.learn()
    # What comes as Received was admitted to the inbox by the consumer already.
    admitted = {id(message.raw) for message in batch if isinstance(message, Received)}
    append.remember_handled(connection, [row for row, raw in written if id(raw) not in admitted])
    return made + _prove(connection, tree, refusals, now)


def _prove(connection: Connection, tree: CompactRange, refusals: list[Refused], now: datetime) -> int:
    """Append a leaf for each refusal that has none yet, and keep the messages."""
    proofs = {item.event_id(): item for item in refusals}
    for there in append.known(connection, proofs):
        del proofs[there]
    if proofs:
        append.append(connection, tree, [row_of(item.envelope(now), now) for item in proofs.values()])
        append.keep_rejected(connection, [item.kept() for item in proofs.values()])
    return len(proofs)


def _read(batch: Sequence[Raw | Received]) -> tuple[list[tuple[Envelope, Raw]], list[Refused]]:
    readable: list[tuple[Envelope, Raw]] = []
    refusals: list[Refused] = []
    for message in batch:
        if isinstance(message, Received):
            readable.append((message.envelope, message.raw))
            continue
        try:
            readable.append((decode(message), message))
        except UnreadableError as error:
            refusals.append(_refused("spoofed" if _spoofed(message) else "unreadable", str(error), message))
    return readable, refusals


def _spoofed(raw: Raw) -> bool:
    """Say whether the broker vouches for a service other than the one that the message claims."""
    return raw.user_id in SERVICES and raw.headers.get("cloudEvents_source") != raw.user_id


def _refused(reason: str, detail: str, raw: Raw) -> Refused:
    return Refused(reason=reason, detail=detail, headers=raw.headers, body=raw.body, user_id=raw.user_id)


def _row(envelope: Envelope, sealed: Sealed | None, now: datetime) -> Row:
    """Return what is stored of an event; raises one of _UNFIT for what can't be."""
    row = row_of(envelope, now, sealed)
    _check_fits(row)
    return row


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


def _unknown(
    connection: Connection, readable: list[tuple[Envelope, Raw]], now: datetime, subjects: Subjects | None
) -> tuple[list[tuple[Envelope, Raw]], list[Refused]]:
    """Return the events that are new, once each, and refusals of other content under an id that is taken."""
    taken = append.known(connection, [envelope.id for envelope, _ in readable])
    fresh: dict[UUID, tuple[Envelope, Raw]] = {}
    refusals = []
    for envelope, raw in readable:
        if there := taken.get(envelope.id):
            try:
                again = _row(*as_stored(envelope, there.body, subjects), now)
                same = _same_but_for_time(again, there.leaf)
            except _UNFIT:
                same = False
        elif earlier := fresh.get(envelope.id):
            same = earlier[0] == envelope
        else:
            fresh[envelope.id] = (envelope, raw)
            continue
        if not same:
            refusals.append(_refused("id-reused", f"another event has the id {envelope.id}", raw))
    return list(fresh.values()), refusals


def _same_but_for_time(row: Row, stored: bytes) -> bool:
    """Say whether a redelivered row is the stored one, apart from the moment at which it was recorded."""
    now, before = json.loads(row.leaf), json.loads(stored)
    return bool(now | {"rec": ""} == before | {"rec": ""})
