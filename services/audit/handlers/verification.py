"""Verifying: everything is read again, from the stored columns up to the signature, and holes are looked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from services.audit.domain.inspection import Finding
from services.audit.domain.merkle import CompactRange
from services.audit.domain.note import NoteError, Verifier, open_checkpoint
from services.audit.domain.policy import Policy
from services.audit.domain.trusting import BROUGHT, Anchor, Trust
from services.audit.domain.walk import Walk
from services.audit.handlers.rereading import reread
from services.audit.handlers.witnessing import Witnessed, seen_by, witnessed
from services.audit.keys import Keys
from services.audit.storage import scan, tree, verifications
from shared.clock import Clock, utc_now
from shared.database import UnitOfWork
from shared.events.audit import VerificationCompleted

# Events of one source may arrive in any order; a hole is one only when its later side is older than this.
GRACE = timedelta(seconds=5)
Progress = Callable[[int, int], None]
"""(done, of how many) is called now and then."""


@dataclass(frozen=True)
class Report:
    """What a verification found. `first` is where it began: 0 when it read everything."""

    started_at: datetime
    finished_at: datetime
    first: int
    size: int
    root: str
    signatures: int
    signed_size: int
    outside: bool  # compared with a checkpoint that was kept outside the database
    verifier_key: str
    coverage: list[dict[str, Any]]
    findings: list[Finding]
    trust: Trust = field(default_factory=Trust)

    @property
    def ok(self) -> bool:
        return not self.findings

    @property
    def whole(self) -> bool:
        return self.first == 0

    @property
    def events(self) -> int:
        return self.size - self.first

    def as_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        plain = asdict(self) | {
            "trust": self.trust.as_json(),
            "ok": self.ok,
            "whole": self.whole,
            "events": self.events,
        }
        plain["findings"] = [
            asdict(item) | {"event_id": str(item.event_id) if item.event_id else None, "sentence": item.sentence()}
            for item in self.findings
        ]
        return plain | {"started_at": self.started_at.isoformat(), "finished_at": self.finished_at.isoformat()}


def verify(
    engine: Engine,
    keys: Keys,
    *,
    newest: int | None = None,
    pinned: str | None = None,
    brought: Sequence[Verifier] = (),
    policy: Policy | None = None,
    clock: Clock = utc_now,
    progress: Progress = lambda _done, _of: None,
    processes: int = 0,
) -> Report:
    """Read the log again and compare it with its proofs.

    `newest` begins at the last signed size that leaves at least so many events to read. `pinned` is a
    checkpoint that somebody kept; the one that the signer remembers is compared anyway. `brought` are keys of the
    log that somebody got in another way: they are believed, and this installation's are not; a `policy` says who
    has to have witnessed, and what those saw is compared too. Long logs are read by as many `processes` as there
    are processors, unless their number is given.
    """
    started, known = clock(), list(brought) or keys.verifiers
    kept = [*([(BROUGHT, pinned)] if pinned else []), *keys.anchors(), *seen_by(policy)]
    with scan.snapshot(engine) as connection:
        walk = _walk(connection, known, newest, [note for _, note in kept])
        _go(engine, connection, walk, progress, processes)
        coverage = _complete(connection, walk, started - GRACE)
        trust = _trust(known, kept, _witnessed(connection, walk, policy), brought=bool(brought))
        latest = tree.latest_checkpoint(connection)
    return Report(
        started_at=started,
        finished_at=clock(),
        signed_size=latest.size if latest else 0,
        outside=bool(kept),
        verifier_key=known[0].encode(),
        coverage=coverage,
        trust=trust,
        **_walked(walk),
    )


def _walked(walk: Walk) -> dict[str, Any]:
    return {
        "first": walk.first,
        "size": walk.tree.size,
        "root": walk.tree.root().hex(),
        "signatures": walk.signatures,
        "findings": list(walk.findings),
    }


def _trust(known: Sequence[Verifier], kept: list[tuple[str, str]], seen: Witnessed, *, brought: bool) -> Trust:
    anchors = []
    for what, note in kept:
        with suppress(NoteError):  # the walk has named it
            anchors.append(Anchor(what, open_checkpoint(note, *known).size))
    return Trust(tuple(key.encode() for key in known), brought, tuple(anchors), seen.says, seen.size)


def record(uow: UnitOfWork, report: Report) -> UUID:
    """Keep a report, and who asked for it, for the pages; put what it found into the log; returns its id."""
    own, actor = uow.ids(), uow.context.actor
    verifications.add(uow.connection, own, report.as_json() | {"by": actor.name or actor.id})
    event = VerificationCompleted(
        verification_id=str(own),
        size=report.size,
        root=report.root,
        ok=report.ok,
        findings=len(report.findings),
        whole=report.whole,
    )
    uow.record(event, entity=f"verification:{own}", outcome="success" if report.ok else "refused")
    return own


def _walk(connection: Connection, known: Sequence[Verifier], newest: int | None, kept: list[str]) -> Walk:
    """Return a walk that begins where it is asked to, with everything that rows are compared with."""
    start = _start(connection, known, newest)
    walk = Walk(
        known,
        start,
        heads=scan.head_rows(connection, start.size),
        checkpoints=scan.checkpoint_rows(connection, start.size),
        tiles=lambda level: scan.tile_rows(connection, level),
    )
    for note in kept:
        walk.pin(note)
    return walk


def _go(engine: Engine, connection: Connection, walk: Walk, progress: Progress, processes: int) -> None:
    """Read every row from where the walk begins."""
    first = walk.first
    total = max(tree.head(connection).size, scan.end(connection))  # rows may lie beyond the last head
    for stretch in reread(engine, connection, first, total, processes=processes):
        walk.feed(stretch)
        progress(stretch.end - first, total - first)
    walk.finish()
    _name(connection, walk)
    progress(total - first, total - first)


def _name(connection: Connection, walk: Walk) -> None:
    """Give the findings about a leaf the id of its event."""
    nameless = {item.leaf_index for item in walk.findings if item.where == "event" and item.leaf_index is not None}
    ids = scan.event_ids(connection, nameless) if nameless else {}
    walk.findings[:] = [
        replace(item, event_id=ids[item.leaf_index])
        if item.where == "event" and item.kind == "altered" and item.leaf_index in ids
        else item
        for item in walk.findings
    ]


def _start(connection: Connection, known: Sequence[Verifier], newest: int | None) -> CompactRange:
    """Return the state to begin with: a signed one whose signature and head agree, else the empty tree."""
    if newest is None:
        return CompactRange()
    signed = tree.latest_checkpoint(connection, at_most=max(0, tree.head(connection).size - newest))
    state = tree.head_at(connection, signed.size) if signed else None
    if signed is None or state is None:
        return CompactRange()
    try:
        checkpoint = open_checkpoint(signed.note, *known)
    except NoteError:
        return CompactRange()  # the walk from the beginning will name it
    return state if (checkpoint.size, checkpoint.root) == (state.size, state.root()) else CompactRange()


def _witnessed(connection: Connection, walk: Walk, policy: Policy | None) -> Witnessed:
    seen = witnessed(connection, policy)
    if not seen.enough:
        walk.findings.note("signature", "checkpoint", "none is signed by as many witnesses as the policy asks for")
    return seen


def _complete(connection: Connection, walk: Walk, settled: datetime) -> list[dict[str, Any]]:
    """Look for what is missing beside the rows; return how far the log reaches, by source."""
    _check_rejected(connection, walk)
    _check_complete(connection, walk, settled)
    return [item._asdict() for item in scan.coverage(connection)]


def _check_rejected(connection: Connection, walk: Walk) -> None:
    """Compare the kept bytes of refused messages with the leaves that prove them."""
    for row in scan.rejected_rows(connection):
        if row.proof is None or row.body is None:
            what = "has no leaf" if row.proof is None else "was deleted"
            walk.findings.note("missing", "rejected", what, event_id=row.event_id)
            continue
        proof = json.loads(row.proof)["data"]
        kept = {"body": row.body, "headers": row.headers.encode()}
        names = {"body": "sha256", "headers": "headers_sha256"}
        for column, content in kept.items():
            if hashlib.sha256(content).hexdigest() != proof[names[column]]:
                walk.findings.note("altered", "rejected", "was altered", event_id=row.event_id, column=column)


def _check_complete(connection: Connection, walk: Walk, settled: datetime) -> None:
    for gap in scan.gaps(connection, settled):
        walk.findings.note("gap", "event", f"{_place(gap)} never arrived")
    for gap in scan.twice(connection):
        walk.findings.note("gap", "event", f"{_place(gap)} is claimed by two events")


def _place(gap: scan.Gap) -> str:
    numbers = f"{gap.first}" if gap.first == gap.last else f"{gap.first} to {gap.last}"
    return f"{gap.source}: event {numbers} of {gap.entity}" if gap.entity else f"{gap.source}: position {numbers}"
