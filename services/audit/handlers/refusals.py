"""What the consumer could not even read gets a leaf too: that it came, its hash, and why it was refused."""

from __future__ import annotations

from services.audit.domain.leaf import row_of
from services.audit.domain.refusal import Refused
from services.audit.storage import append
from shared.database import UnitOfWork


def record_refusals(uow: UnitOfWork) -> int:
    """Record the messages that the consumer put aside since the last time; returns how many."""
    waiting = append.unproven_quarantine(uow.connection)
    if not waiting:
        return 0
    now = uow.now()
    refusals = [
        Refused(reason="unreadable", detail=row.error, headers=row.headers, body=row.body, user_id=None, id=row.id)
        for row in waiting
    ]
    state = append.lock(uow.connection)
    append.append(uow.connection, state, [row_of(item.envelope(now), now) for item in refusals])
    append.keep_rejected(uow.connection, [item.kept() for item in refusals])
    return len(refusals)
