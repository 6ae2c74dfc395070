"""Counts what became of every event, by SQL: lost, twice in effect, out of order. Nothing is taken on trust.

What was recorded is in the source's outbox (or was sent by the test itself); where it can be afterwards is the
table of effects, parked, in quarantine, discarded, or held in the outbox with the broker's reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Engine, text

from shared.testing.backbone import CONSUMER

_SOURCE = text("SELECT id, published_at IS NULL AND held_reason IS NOT NULL AS held FROM outbox")
_EFFECTS = text("SELECT event_id FROM effect")
_PARKED = text("SELECT event_id FROM inbox_parked WHERE consumer = :consumer")
_QUARANTINE = text("SELECT event_id, state FROM quarantine WHERE consumer = :consumer AND state <> 'replayed'")
_INVERTED = """
SELECT count(*) FROM (
  SELECT sequence < lag(sequence) OVER (PARTITION BY entity ORDER BY at, ctid) AS inverted FROM effect
) AS e WHERE inverted
"""
# A consumer that keeps order may not apply an event while an earlier one of its entity waits to be decided.
_OVERTAKEN = """
SELECT count(*) FROM effect e JOIN (
  SELECT entity, sequence FROM inbox_parked WHERE consumer = :consumer
  UNION ALL SELECT entity, sequence FROM quarantine WHERE consumer = :consumer AND state = 'held'
) AS w ON w.entity LIKE '%/' || e.entity AND w.sequence < e.sequence
JOIN inbox_head h ON h.consumer = :consumer AND h.entity = w.entity
"""
_DISORDERED = text(f"SELECT ({_INVERTED}) + ({_OVERTAKEN})")


@dataclass
class Figures:
    """What became of the events of one run; `why` names some of the events that are not as they should be."""

    events: int = 0
    lost: int = 0
    duplicated: int = 0
    disordered: int = 0
    unrecorded: int = 0  # effects of events that nobody recorded
    applied: int = 0
    parked: int = 0
    quarantined: int = 0
    discarded: int = 0
    held: int = 0
    why: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """Return how often the promise was broken."""
        return self.lost + self.duplicated + self.disordered + self.unrecorded


def count(source: Engine, consumer: Engine, *, sent: Iterable[UUID] = (), name: str = CONSUMER) -> Figures:
    """Count one source's events at one consumer called `name`; `sent` are ids that went out without an outbox."""
    with source.connect() as connection:
        rows = connection.execute(_SOURCE).all()
    recorded = {row.id for row in rows} | set(sent)
    held = {row.id for row in rows if row.held}
    with consumer.connect() as connection:
        effects = Counter(connection.execute(_EFFECTS).scalars())
        parked = set(connection.execute(_PARKED, {"consumer": name}).scalars())
        kept = connection.execute(_QUARANTINE, {"consumer": name}).all()
        disordered = int(connection.execute(_DISORDERED, {"consumer": name}).scalar_one())
    quarantined = [row.event_id for row in kept if row.state == "held"]
    discarded = [row.event_id for row in kept if row.state != "held"]
    waiting = parked | set(quarantined) | held
    lost = recorded - effects.keys() - waiting - set(discarded)
    # Applied and still waiting to be applied: the next attempt would be the second effect.
    twice = {event for event, times in effects.items() if times > 1} | (effects.keys() & (waiting - held))
    unrecorded = effects.keys() - recorded
    return Figures(
        events=len(recorded),
        lost=len(lost),
        duplicated=len(twice),
        disordered=disordered,
        unrecorded=len(unrecorded),
        applied=len(effects),
        parked=len(parked),
        quarantined=len(quarantined),
        discarded=len(discarded),
        held=len(held - effects.keys()),
        why=[f"lost {i}" for i in _some(lost)]
        + [f"twice {i}" for i in _some(twice)]
        + [f"unrecorded {i}" for i in _some(unrecorded)],
    )


def _some(events: Iterable[UUID]) -> list[str]:
    return sorted(map(str, events))[:5]
