"""Comparing what sources told with what the log holds: what is lost is found although nothing came after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from services.audit.domain.manifest import FINAL, Held, Verdict, judge
from services.audit.storage import manifests
from shared.database import UnitOfWork
from shared.events.audit import ManifestDisputed, ManifestSettled
from shared.messaging.heads import moment
from shared.messaging.manifests import IDLE_SECONDS
from shared.observability import gauge
from shared.settings import SERVICES, settings

log = structlog.get_logger(__name__)

SECONDS = 5.0  # between comparisons
# A source that is alive tells a manifest at least once in IDLE_SECONDS: after this it is silent.
SILENT = timedelta(seconds=2 * IDLE_SECONDS)
SKEWED_MS = 5_000  # clocks that are kept agree to a fraction of a second
DISPUTED = gauge("audit_manifests_disputed", "Manifests of which the log does not hold what they tell")


def compare(uow: UnitOfWork) -> int:
    """Judge the manifests that are new or were not borne out; returns how many were judged sound.

    An alarm is raised once a manifest, when what it tells of is not there after the time for gaps.
    """
    connection = uow.connection
    manifests.take_in(connection)
    now = moment(connection, uow.clock)
    patience = timedelta(seconds=settings().gap_seconds)
    sound = 0
    for row in manifests.unsettled(connection):
        held = manifests.held(connection, row.source, row.first, row.last)
        verdict = judge(manifests.told(row), held)
        young = verdict not in FINAL and now - row.received_at < patience
        fresh = verdict != "sound" and not young and row.disputed_at is None
        kept = "waiting" if young else verdict
        if fresh:
            _dispute(uow, row, verdict, held)
        elif verdict == "sound" and row.disputed_at is not None:
            uow.record(ManifestSettled(of=row.source, first=row.first, last=row.last), entity=f"manifest:{row.source}")
        manifests.decide(connection, row, kept, held.events, now, disputed=fresh)
        sound += verdict == "sound"
    DISPUTED.set(manifests.count_disputed(connection))
    return sound


def _dispute(uow: UnitOfWork, row: Any, verdict: Verdict, held: Held) -> None:
    facts = {
        "of": row.source,
        "first": row.first,
        "last": row.last,
        "verdict": verdict,
        "told": row.events,
        "found": held.events,
        "deleted": row.fresh_deleted,
    }
    uow.record(ManifestDisputed(**facts), entity=f"manifest:{row.source}", outcome="refused")
    log.error("the log has not what a source has written", **facts)


@dataclass(frozen=True)
class Standing:
    """How complete the log is as to one source."""

    source: str
    last_position: int
    told: int  # up to which position the source has told
    told_at: datetime | None
    manifests: int
    sound: int
    disputed: int
    silent: bool
    skew_ms: int  # the most within a day

    @property
    def skewed(self) -> bool:
        return self.skew_ms > SKEWED_MS

    @property
    def state(self) -> str:
        """Return good, look or bad."""
        if self.disputed:
            return "bad"
        return "look" if self.silent or self.skewed or not self.manifests else "good"


def standings(connection: Connection, now: datetime) -> list[Standing]:
    """Return how complete the log is, by source."""
    reach = manifests.reach(connection, SERVICES)
    latest, counts = manifests.latest(connection), manifests.counts(connection)
    found = []
    for source in SERVICES:
        newest, count = latest.get(source), counts.get(source)
        found.append(
            Standing(
                source,
                reach[source],
                newest.last if newest else 0,
                newest.told_at if newest else None,
                count.manifests if count else 0,
                count.sound if count else 0,
                count.disputed if count else 0,
                newest is not None and now - newest.told_at > SILENT,
                count.skew_ms if count else 0,
            )
        )
    return found


TIMERS = ((SECONDS, compare),)
