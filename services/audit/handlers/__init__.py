"""What the audit service does: take in, sign, prove, verify, search."""

from collections.abc import Sequence

from sqlalchemy import Connection

from services.audit.handlers import manifests
from services.audit.handlers.announcing import announce
from services.audit.handlers.ingest import ingest
from services.audit.handlers.refusals import record_refusals
from services.audit.handlers.watching import WATCH_SECONDS, watch
from services.audit.handlers.watching_signer import SIGN_SECONDS, sign
from services.audit.handlers.witnessing import SECONDS, witness
from services.audit.storage.subjects import subjects_of
from shared.messaging import gaps
from shared.messaging.wire import Received
from shared.settings import settings


def append(connection: Connection, batch: Sequence[Received]) -> None:
    """Append what the consumer admitted."""
    ingest(connection, batch, subjects=subjects_of(settings()))


TIMERS = (
    (SIGN_SECONDS, sign),
    (SECONDS, witness),
    (1.0, record_refusals),
    (15.0, announce),
    (WATCH_SECONDS, watch),
    *manifests.TIMERS,
    *gaps.TIMERS,
)

__all__ = ["TIMERS", "announce", "append", "ingest", "record_refusals", "sign"]
