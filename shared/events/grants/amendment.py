"""What happens to the documents of an agreement and to its amendments."""

from __future__ import annotations

from shared.events.base import Event
from shared.money import Money


class AgreementDrawn(Event):
    """A version of an agreement was written as a document. Entity agreement:<reference>-v<number>."""

    TYPE = "grants.agreement.drawn"
    AUDIENCE = "record"
    reference: str
    agreement_version: int
    sha256: str
    size: int
    amendment: int | None = None


class AmendmentFact(Event):
    """What every event of an amendment says about it; `reference` is the application's, `number` counts from 1.

    `classes` are what it is by rule, the strongest first; `moved` goes from some budget lines to others, `moved_before`
    did so by earlier amendments of the agreement, whose grant is `amount`.
    """

    reference: str
    title: str
    organisation_id: str
    organisation_name: str
    amount: Money
    number: int
    classes: list[str]
    moved: Money
    moved_before: Money
    notify: list[str] = []


class AmendmentRequested(AmendmentFact):
    """Somebody asked for an amendment; `approvers` are the roles that may approve it."""

    TYPE = "grants.amendment.requested"
    why: str
    requested_by: str
    approvers: list[str]
    based_on: int


class AmendmentApproved(AmendmentFact):
    """Another person approved it; where both sides must accept it, it waits for them."""

    TYPE = "grants.amendment.approved"
    agreement_version: int
    sha256: str
    both_sides: bool
    note: str


class AmendmentRefused(AmendmentFact):
    """Another person refused it and said why."""

    TYPE = "grants.amendment.refused"
    why: str


class AmendmentWithdrawn(AmendmentFact):
    """It was taken back before it was in force."""

    TYPE = "grants.amendment.withdrawn"
    AUDIENCE = "record"
    why: str


class AmendmentAccepted(AmendmentFact):
    """One side accepted the new text; `side` is programme or recipient."""

    TYPE = "grants.amendment.accepted"
    AUDIENCE = "record"
    agreement_version: int
    sha256: str
    side: str
    signed_by: str


class AmendmentEffected(AmendmentFact):
    """The amendment is in force: the agreement is its version now."""

    TYPE = "grants.amendment.effected"
    agreement_version: int
    sha256: str
