"""Events of a firm's profile: that something was stated, by which side and from which source; never what."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class FirmRecorded(Event):
    """Somebody entered or corrected a fact of a firm's profile. Entity firm:<organisation>."""

    TYPE = "loans.firm.recorded"
    AUDIENCE = "record"
    firm_id: str
    organisation_name: str
    number: int
    topic: str
    as_of: date
    basis: str
    side: str
    corrects: int | None
    notify: list[str] = []
