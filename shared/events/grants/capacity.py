"""What happens to the capacity assessment of an applicant, and to the conditions that follow from due diligence."""

from __future__ import annotations

from datetime import date, datetime

from shared.events.base import Event


class CapacityFact(Event):
    """What every event of an assessment says about it."""

    AUDIENCE = "record"
    reference: str
    title: str
    organisation_name: str


class CapacitySaved(CapacityFact):
    """Answers were kept and can still change; `answered` counts them. Entity capacity:<reference>."""

    TYPE = "grants.capacity.saved"
    answered: int


class CapacityAssessed(CapacityFact):
    """The assessment is finished: `percent` is points of most, a decimal string."""

    TYPE = "grants.capacity.assessed"
    points: int
    most: int
    percent: str
    valid_until: date


class CapacityTakenOver(CapacityFact):
    """An earlier assessment of the same organisation counts for this application too: that of `taken_from`."""

    TYPE = "grants.capacity.taken_over"
    taken_from: str
    percent: str
    assessed_by: str
    assessed_at: datetime
    valid_until: date


class ConditionDropped(CapacityFact):
    """The agreement on offer leaves out a special condition that due diligence asks for."""

    TYPE = "grants.capacity.condition_dropped"
    condition: str
    why: str
