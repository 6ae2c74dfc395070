"""What is said about events that never came: a consumer's alarm, which asks for them again, and the source's answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from shared.events.base import Event


class Alarm(Event):
    """What every consumer's alarm says."""

    of: str  # the source
    about: str  # "source/kind:id" where an entity's sequence is counted, the source where positions are
    counted: Literal["sequence", "position"]
    first: int
    last: int
    since: datetime
    waiting: int
    asked: int  # how often, this time included


def _alarms(consumer: str) -> tuple[type[Alarm], type[Event]]:
    class GapAlarmed(Alarm):
        """Events have been missing for too long: their source is asked to send them again. Entity gap:<id>."""

        TYPE = f"{consumer}.gap.alarmed"

    class GapClosed(Event):
        """All that was missing has come, or was given up. Entity gap:<id>."""

        TYPE = f"{consumer}.gap.closed"
        AUDIENCE = "record"
        of: str
        about: str
        first: int
        last: int
        since: datetime
        asked: int

    for kind in (GapAlarmed, GapClosed):
        kind.__qualname__ = kind.__name__ = f"{consumer.title()}{kind.__name__}"
    return GapAlarmed, GapClosed


def _answer(source: str) -> type[Event]:
    class BackfillAnswered(Event):
        """What a source had of missing events goes out again. Entity backfill:<the alarm's id or a new one>."""

        TYPE = f"{source}.backfill.answered"
        consumer: str
        about: str
        first: int
        last: int
        sent: int
        absent: int

    BackfillAnswered.__qualname__ = BackfillAnswered.__name__ = f"{source.title()}BackfillAnswered"
    return BackfillAnswered


_ALARMS = {consumer: _alarms(consumer) for consumer in ("grants", "loans", "notifications", "audit")}
_ANSWERS = {source: _answer(source) for source in ("portal", "grants", "loans", "notifications", "audit")}
ALARMS = tuple(alarmed.TYPE for alarmed, _ in _ALARMS.values())
ANSWERS = tuple(answered.TYPE for answered in _ANSWERS.values())


def gap_events(consumer: str) -> tuple[Any, Any]:
    """Return (alarmed, closed) of a consuming service."""
    return _ALARMS[consumer]


def answered_event(source: str) -> Any:
    """Return the event by which a source answers."""
    return _ANSWERS[source]
