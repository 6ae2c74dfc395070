"""What happens to the partners of an application: organisations that carry the project out with the applicant."""

from __future__ import annotations

from shared.events.base import Event
from shared.money import Money


class PartnersNamed(Event):
    """Whoever applies says who takes part and with which share. Entity partnership:<reference>.

    Names and shares stand under the partners' numbers, and so do the ids of those that the house knows.
    """

    TYPE = "grants.partnership.named"
    AUDIENCE = "record"
    reference: str
    title: str
    organisation_id: str
    organisation_name: str
    partners: dict[str, str]
    shares: dict[str, Money]
    known: dict[str, str]
    lead_share: Money
