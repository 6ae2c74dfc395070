"""How the test consumer behaves, as the event tells it."""

from __future__ import annotations

import time

from sqlalchemy import text

from shared.database import UnitOfWork
from shared.events import Envelope
from shared.events.portal import UserDeactivated

_SEEN: set[object] = set()


def behave(envelope: Envelope, uow: UnitOfWork | None = None) -> None:
    """Do what the event's `reason` says: nothing, fail (for now, once), record, take locks in turn, take long."""
    reason = str(envelope.data["reason"])
    if reason == "poison":
        raise ValueError("this event is poison")
    if reason == "transient" or (reason == "once" and envelope.id not in _SEEN):
        _SEEN.add(envelope.id)
        raise TimeoutError("not now")
    if reason == "tell" and uow is not None:
        uow.record(UserDeactivated(user_id="told", reason="ok"), entity="user:told")
    if reason.startswith("lock:") and uow is not None:
        for number in reason.removeprefix("lock:").split(","):
            uow.connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": int(number)})
            time.sleep(0.3)
    if reason.startswith("slow:"):
        time.sleep(float(reason.removeprefix("slow:")))
