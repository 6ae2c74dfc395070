"""The newest checkpoint of the log, as every service that sends something out keeps it: so that it travels along.

Whoever gets a letter, a message or a list then has, without asking for it, what shows later whether the log was cut or
rewritten. The copy comes from the audit service's announcements; nobody is asked when something is sent.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, DateTime, MetaData, String, Table, Text, text

from shared.database import UnitOfWork
from shared.events import Envelope
from shared.events.audit import CheckpointAnnounced
from shared.messaging.projections import Projection

HEADER = "audit-checkpoint"  # of HTTP answers, webhooks and letters
_KEEP = text("""
INSERT INTO log_checkpoint (name, size, root, note, announced_at) VALUES ('newest', :size, :root, :note, :at)
ON CONFLICT (name) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note,
  announced_at = excluded.announced_at
""")
_NEWEST = text("SELECT size, root, note FROM log_checkpoint")


class Kept(NamedTuple):
    """A checkpoint: entries, their root in hexadecimal, and the signed note."""

    size: int
    root: str
    note: str

    def short(self) -> str:
        """Return what a person can copy: "1234 XcnaeacG…=", the size and the root as in the note, unsigned."""
        return f"{self.size} {base64.b64encode(bytes.fromhex(self.root)).decode()}"

    def carried(self) -> str:
        """Return the whole note as the value of a header: base64 in one line."""
        return base64.b64encode(self.note.encode()).decode()


def checkpoint_table(metadata: MetaData) -> Table:
    """Add the table of the copy, which has one row."""
    return Table(
        "log_checkpoint",
        metadata,
        Column("name", String(20), primary_key=True),
        Column("size", BigInteger, nullable=False),
        Column("root", String(64), nullable=False),
        Column("note", Text, nullable=False),
        Column("announced_at", DateTime(timezone=True), nullable=False),
    )


def keep(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep what was announced; a log that was consciously begun again says less, and the newest word counts."""
    told = CheckpointAnnounced.model_validate(envelope.data)
    uow.connection.execute(_KEEP, {"size": told.size, "root": told.root, "note": told.note, "at": envelope.time})


def newest(connection: Connection) -> Kept | None:
    """Return the newest checkpoint that was announced here; None in a house that is minutes old."""
    row = connection.execute(_NEWEST).first()
    return Kept(*row) if row else None


def header(connection: Connection) -> dict[str, str]:
    """Return the header by which a file or message says of what state of the log it is."""
    kept = newest(connection)
    return {HEADER: kept.carried()} if kept else {}


ON: dict[str, Callable[[UnitOfWork, Envelope], None]] = {CheckpointAnnounced.TYPE: keep}
PROJECTION = Projection(("log_checkpoint",), ON)
