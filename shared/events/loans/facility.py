"""Events of a guarantee facility: terms proposed by one person of the guarantor, approved or refused by another."""

from __future__ import annotations

from shared.events.base import Event
from shared.money import Money


class _FacilityFact(Event):
    facility_id: str
    guarantor_id: str
    guarantor_name: str
    name: str
    notify: list[str] = []


class FacilityProposed(_FacilityFact):
    """New terms wait for another person of the guarantor: of a new facility or changed. Entity facility:<GFC-…>."""

    TYPE = "loans.facility.proposed"
    number: int
    ceiling: Money
    coverage_percent: str
    why: str
    terms_sha256: str


class FacilityApproved(_FacilityFact):
    """Another person approved the terms: guarantees are issued by them from now on."""

    TYPE = "loans.facility.approved"
    number: int
    ceiling: Money
    terms_sha256: str


class FacilityRefused(_FacilityFact):
    """The terms that waited do not come to hold."""

    TYPE = "loans.facility.refused"
    AUDIENCE = "record"
    why: str


class FacilityClosed(_FacilityFact):
    """No guarantee is issued under it any more; those that were issued stay."""

    TYPE = "loans.facility.closed"
    AUDIENCE = "record"
    why: str
