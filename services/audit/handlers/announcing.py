"""Announcing checkpoints to the other services, so that each has the newest at hand for whatever it sends out.

An announcement is an event like any other, and so becomes an entry of the log itself. That it does not call for the
next one is decided here: one is made only when something else was recorded since, and at most every five minutes.
"""

from __future__ import annotations

from datetime import timedelta

from services.audit.storage import announcing, tree
from shared.database import UnitOfWork
from shared.events.audit import CheckpointAnnounced

EVERY = timedelta(minutes=5)


def announce(uow: UnitOfWork) -> None:
    """Announce the newest checkpoint, when it is time and there is news in it."""
    if not announcing.alone(uow.connection):
        return
    signed, before = tree.latest_checkpoint(uow.connection), announcing.newest(uow.connection)
    if signed is None or (before and uow.now() - before.time < EVERY):
        return
    if not announcing.has_news(
        uow.connection, before.size if before and before.size <= signed.size else 0, signed.size
    ):
        return
    event = CheckpointAnnounced(size=signed.size, root=signed.root.hex(), note=signed.note)
    uow.record(event, entity=announcing.ENTITY)
