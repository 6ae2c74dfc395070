"""The leaf: what the log commits to for each event, and how every stored column follows from it.

A stored event is a row of columns and the body in canonical form. The leaf is the RFC 8785 form of
the columns and of the hashes of the body's parts; nothing else goes in. So it need not be stored: it is
made again from the row, and an edit of any column or of any byte of the body gives another hash than the
stored one. Sixteen bits of a checksum for each of its members, the marks, tell which column that was.
The rules of a version must never change: rows made by them are verified by them for ever. Version 2 is version 1 for
an event that carries values of applicants' people: its body has one member more, `sealed`, and the words of the
search have the opaque ids of those people instead of their names. A body with any further member is of no version.
"""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import UTC, datetime
from json.scanner import c_make_scanner  # type: ignore[attr-defined]  # typeshed has it not
from typing import Any, NamedTuple, Protocol
from uuid import UUID
from zlib import crc32

from services.audit.domain.sealing import Sealed
from shared.events import Actor, Envelope
from shared.events.canonical import canonical, plain_text, quoted
from shared.events.envelope import Body

VERSION, SEALING = 1, 2
MAX_LEAF = 64 * 1024 - 1  # tlog-tiles bundles prefix an entry's length in 16 bits
MAX_SUMMARY = 2000
MAX_WORD = 200

_SCAN = c_make_scanner(json.JSONDecoder())  # what the decoder's own methods call for every value
_SEALED = ',"sealed":'
_PARTS = ("actor", "after_hash", "changes", "data", "parties", "reason")


class BodyError(ValueError):
    """A stored body that is not the canonical form of an event's body."""


class Row(NamedTuple):
    """One event as it is stored, in the order of the columns (`leaf_index` and `leaf_hash` beside it).

    Of a row from the database `leaf` is empty; one that was stored before leaves were left out has it, and no marks.
    """

    event_id: UUID
    source: str
    position: int | None
    type: str
    version: int
    entity: str
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    actor_id: str
    actor_kind: str
    actor_name: str
    role: str | None
    organisation: str | None
    on_behalf_of: str | None
    session: str | None
    programme: str | None
    case: str | None
    outcome: str
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    summary: str
    body: str
    leaf: bytes
    marks: bytes | None


class Stored(Protocol):
    """What a leaf is made from: a row, whoever read it."""

    def __getattr__(self, name: str, /) -> Any: ...


# Member of the leaf → column that it repeats; the rest of the leaf are hashes of the body's parts.
MEMBERS = {
    "id": "event_id",
    "src": "source",
    "pos": "position",
    "type": "type",
    "ver": "version",
    "ent": "entity",
    "seq": "sequence",
    "time": "occurred_at",
    "rec": "recorded_at",
    "by": "actor_id",
    "kind": "actor_kind",
    "role": "role",
    "org": "organisation",
    "for": "on_behalf_of",
    "sess": "session",
    "prog": "programme",
    "case": "case",
    "out": "outcome",
    "corr": "correlation_id",
    "cause": "causation_id",
    "trace": "traceparent",
}
HASHED = {"body": "body", "data": "body", "chg": "body", "after": "body"}
# The column of each member, in the canonical order of the members; the leaf's own version has none.
COLUMNS = [(MEMBERS | HASHED).get(name, "marks") for name in sorted([*MEMBERS, *HASHED, "v"])]
_MARKS = struct.Struct(f">{len(COLUMNS)}H")
_CHECK = 4  # bytes behind the marks: a checksum of themselves


def row_of(envelope: Envelope, recorded_at: datetime, sealed: Sealed | None = None) -> Row:
    """Return what is stored of an event, with the seals of what was blanked in it.

    Raises NotCanonicalError or ValueError for what can't be stored.
    """
    actor = envelope.actor
    body, parts = _written(envelope.body, sealed)
    row = Row(
        event_id=envelope.id,
        source=envelope.source,
        position=envelope.position,
        type=envelope.type,
        version=envelope.version,
        entity=envelope.entity,
        sequence=envelope.sequence,
        occurred_at=envelope.time.astimezone(UTC),
        recorded_at=recorded_at.astimezone(UTC),
        actor_id=actor.id,
        actor_kind=actor.kind,
        actor_name=actor.name,
        role=actor.role,
        organisation=actor.organisation,
        on_behalf_of=actor.on_behalf_of,
        session=actor.session,
        programme=envelope.programme,
        case=envelope.case,
        outcome=envelope.outcome,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        traceparent=envelope.traceparent,
        summary=summary_of(envelope.type, envelope.case, parts),
        body=body,
        leaf=b"",
        marks=None,
    )
    members = _members(row, parts)
    return Row(*row[:-2], leaf=_joined(members), marks=_marks(members))


def leaf_from(row: Stored) -> bytes:
    """Return the leaf of a stored row; raises BodyError for a body that was ruined."""
    return bytes(row.leaf) or leaf_of(row, parts_of(row.body))


class Part(NamedTuple):
    """One member of a body: its value and its canonical bytes."""

    value: Any
    raw: str


def _written(body: Body, sealed: Sealed | None = None) -> tuple[str, dict[str, Part]]:
    """Return the canonical text of a body and its members."""
    more = {"sealed": sealed} if sealed else {}
    actor = body.actor
    parts = {
        "actor": Part(vars(actor), _written_actor(actor)),
        "after_hash": Part(body.after_hash, quoted(body.after_hash)),
    }
    for name in ("changes", "data", "parties"):
        value = getattr(body, name)
        raw = plain_text(value)
        if raw is None:  # floats, say: written by the careful way, read again as whoever verifies reads it
            text = canonical(body.model_dump(mode="json") | more).decode()
            return text, parts_of(text)
        parts[name] = Part(value, raw)
    parts["reason"] = Part(body.reason, quoted(body.reason))
    if sealed:
        parts["sealed"] = Part(sealed, canonical(sealed).decode())
    return "{" + ",".join([f'"{name}":{part.raw}' for name, part in parts.items()]) + "}", parts


def _written_actor(actor: Actor) -> str:
    return (
        f'{{"id":{quoted(actor.id)},"kind":{quoted(actor.kind)},"name":{quoted(actor.name)}'
        f',"on_behalf_of":{quoted(actor.on_behalf_of)},"organisation":{quoted(actor.organisation)}'
        f',"role":{quoted(actor.role)},"session":{quoted(actor.session)}}}'
    )


def parts_of(body: str) -> dict[str, Part]:
    """Cut a canonical body into its members without writing them anew; raises BodyError for any other text."""
    parts: dict[str, Part] = {}
    at = 0
    for name in _PARTS:
        opening = ("," if parts else "{") + f'"{name}":'
        if not body.startswith(opening, at):
            raise BodyError(f"{name} is not where it belongs")
        start = at + len(opening)
        try:
            value, at = _SCAN(body, start)
        except (StopIteration, ValueError, RecursionError) as error:
            raise BodyError(f"{name} is no JSON") from error
        parts[name] = Part(value, body[start:at])
    if body[at:] != "}":
        parts["sealed"] = _sealed_of(body, at)
    return parts


def _sealed_of(body: str, at: int) -> Part:
    """Return the last member of a body of version 2; raises BodyError for anything else."""
    if not body.startswith(_SEALED, at):
        raise BodyError("something follows the last member")
    start = at + len(_SEALED)
    try:
        value, at = _SCAN(body, start)
    except (StopIteration, ValueError, RecursionError) as error:
        raise BodyError("sealed is no JSON") from error
    if body[at:] != "}" or type(value) is not list or not value or not all(map(is_seal, value)):
        raise BodyError("something follows the last member, or the seals are none")
    return Part(value, body[start:at])


def is_seal(value: Any) -> bool:
    """Return whether a JSON value is the seal of one person's values."""
    return isinstance(value, dict) and value.keys() == {"cm", "ct", "s"} and all(type(x) is str for x in value.values())


def leaf_of(row: Stored | Row, parts: dict[str, Part]) -> bytes:
    """Return the leaf of a row whose body has these parts."""
    return _joined(_members(row, parts))


def marks_of(row: Row, parts: dict[str, Part]) -> bytes:
    """Return the marks of a row whose body has these parts."""
    return _marks(_members(row, parts))


def marks_are_whole(marks: bytes | None) -> bool:
    """Say whether marks are as they were written: cheaper than making them again, which is for rows that differ."""
    return marks is not None and len(marks) == _MARKS.size + _CHECK and _check(marks[:-_CHECK]) == marks[-_CHECK:]


def unlike(marks: bytes | None, others: bytes) -> list[str]:
    """Return the columns of which two rows' marks differ, each once."""
    if marks is None or not marks_are_whole(marks):
        return ["marks"]
    pairs = zip(COLUMNS, _MARKS.unpack(marks[:-_CHECK]), _MARKS.unpack(others[:-_CHECK]), strict=True)
    return list(dict.fromkeys(column for column, one, other in pairs if one != other))


def _joined(members: list[str]) -> bytes:
    return f"{{{','.join(members)}}}".encode()


def _marks(members: list[str]) -> bytes:
    marks = _MARKS.pack(*[crc32(member.encode()) & 0xFFFF for member in members])
    return marks + _check(marks)


def _check(marks: bytes) -> bytes:
    return crc32(marks).to_bytes(_CHECK)


def _members(row: Stored | Row, parts: dict[str, Part]) -> list[str]:
    """Return the members of a leaf in canonical order, written one by one."""
    cause = "null" if row.causation_id is None else f'"{row.causation_id}"'
    position = "null" if row.position is None else row.position
    return [
        f'"after":{parts["after_hash"].raw}',
        f'"body":"{_sha256(row.body)}"',
        f'"by":{quoted(row.actor_id)}',
        f'"case":{quoted(row.case)}',
        f'"cause":{cause}',
        f'"chg":"{_sha256(parts["changes"].raw)}"',
        f'"corr":"{row.correlation_id}"',
        f'"data":"{_sha256(parts["data"].raw)}"',
        f'"ent":{quoted(row.entity)}',
        f'"for":{quoted(row.on_behalf_of)}',
        f'"id":"{row.event_id}"',
        f'"kind":{quoted(row.actor_kind)}',
        f'"org":{quoted(row.organisation)}',
        f'"out":{quoted(row.outcome)}',
        f'"pos":{position}',
        f'"prog":{quoted(row.programme)}',
        f'"rec":"{_moment(row.recorded_at)}"',
        f'"role":{quoted(row.role)}',
        f'"seq":{row.sequence}',
        f'"sess":{quoted(row.session)}',
        f'"src":{quoted(row.source)}',
        f'"time":"{_moment(row.occurred_at)}"',
        f'"trace":{quoted(row.traceparent)}',
        f'"type":{quoted(row.type)}',
        f'"v":{SEALING if "sealed" in parts else VERSION}',
        f'"ver":{row.version}',
    ]


def summary_of(kind: str, case: str | None, parts: dict[str, Part]) -> str:
    """Return the words that full text search looks in: who, what kind, which case, and what the event says."""
    actor = parts["actor"].value
    words = [kind.replace(".", " "), actor.get("name"), actor.get("organisation"), case, parts["reason"].value]
    if "sealed" in parts:
        words += [item["s"] for item in parts["sealed"].value]
    found = [str(word) for word in words if word]
    length = sum(map(len, found))
    for word in _scalars([parts["data"].value, parts["changes"].value]):
        if (length := length + len(word) + 1) > MAX_SUMMARY:
            break
        found.append(word)
    # PostgreSQL's text has no NUL.
    return " ".join(found).replace("\x00", "\ufffd")[: MAX_SUMMARY + 400]


def _scalars(value: Any) -> list[str]:
    """Return the texts and numbers within a JSON value, in canonical order, without recursion."""
    found, todo = [], [value]
    while todo:
        item = todo.pop()
        if type(item) is str:  # most are
            if item:
                found.append(item[:MAX_WORD])
        elif isinstance(item, dict):
            names = sorted(item, reverse=True) if "".join(item).isascii() else sorted(item, key=_utf16, reverse=True)
            todo += [item[name] for name in names]
        elif isinstance(item, list):
            todo += reversed(item)
        elif isinstance(item, str | int) and not isinstance(item, bool) and item != "":
            found.append(str(item)[:MAX_WORD])
    return found


def _utf16(name: str) -> bytes:
    """Return that by which RFC 8785 sorts names."""
    return name.encode("utf-16-be", "surrogatepass")


def _moment(value: datetime) -> str:
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(timespec="microseconds")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
