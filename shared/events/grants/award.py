"""What happens to an award: agreement, milestones, tranches, payments."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class AwardFact(Event):
    """What every event of an award says about it; `reference` is the application's."""

    reference: str
    title: str
    organisation_id: str
    organisation_name: str
    amount: Money
    notify: list[str] = []


class AgreementOffered(AwardFact):
    """The programme offers an agreement: milestones, and a tranche for each. Entity award:<reference>."""

    TYPE = "grants.award.offered"
    agreement_version: int
    milestones: list[str]
    tranches: list[Money]
    sha256: str | None = None


class AgreementAccepted(AwardFact):
    """One side accepted the agreement; `side` is programme or recipient."""

    TYPE = "grants.award.accepted"
    agreement_version: int
    side: str
    signed_by: str
    sha256: str | None = None


class AgreementConcluded(AwardFact):
    """Both sides have accepted the agreement."""

    TYPE = "grants.award.concluded"
    agreement_version: int


class AgreementAmended(AwardFact):
    """A new version of a concluded agreement is in force; `moved` went from some budget lines to others by it."""

    TYPE = "grants.award.amended"
    agreement_version: int
    sha256: str
    classes: list[str]
    moved: Money
    moved_so_far: Money


class MilestoneFact(AwardFact):
    """What every event of a milestone says about it; milestones count from 1."""

    milestone: int
    milestone_title: str


class MilestoneEvidenced(MilestoneFact):
    """The recipient showed a document that the milestone is reached."""

    TYPE = "grants.award.milestone_evidenced"
    document_id: str
    document_name: str
    sha256: str


class MilestoneVerified(MilestoneFact):
    """An officer found the evidence good."""

    TYPE = "grants.award.milestone_verified"
    note: str


class MilestoneReturned(MilestoneFact):
    """An officer found the evidence wanting and said why."""

    TYPE = "grants.award.milestone_returned"
    why: str


class TrancheFact(AwardFact):
    """What every event of a tranche says about it; tranches count from 1."""

    tranche: int
    tranche_amount: Money


class TrancheRequested(TrancheFact):
    """Somebody asked that a tranche be paid."""

    TYPE = "grants.award.tranche_requested"
    due: date | None = None


class TrancheCertified(TrancheFact):
    """Another person certified how much of a requested tranche may be paid, for which time and what for."""

    TYPE = "grants.award.tranche_certified"
    AUDIENCE = "record"
    certified: Money
    period_from: date
    period_to: date
    purpose: str


class TrancheReleased(TrancheFact):
    """Another person released the tranche for payment; what was held of it is a tranche of its own."""

    TYPE = "grants.award.tranche_released"
    requested_by: str
    held: Money | None = None
    held_as: int | None = None
    held_why: str | None = None


class TrancheHeld(TrancheFact):
    """A tranche goes no further for now, for a coded reason."""

    TYPE = "grants.award.tranche_held"
    AUDIENCE = "record"
    code: str
    why: str


class TrancheUnheld(TrancheFact):
    """Another person let a held tranche go on."""

    TYPE = "grants.award.tranche_unheld"
    AUDIENCE = "record"
    why: str


class TrancheRefused(TrancheFact):
    """Finance did not release the tranche and said why; it can be requested again."""

    TYPE = "grants.award.tranche_refused"
    why: str
    code: str | None = None


class PaymentConfirmed(TrancheFact):
    """The money has left: the bank's reference and the day it was paid."""

    TYPE = "grants.award.payment_confirmed"
    payment_reference: str
    paid_on: date
    paid_so_far: Money


class PaymentReversed(TrancheFact):
    """A confirmed payment did not stand: `how` is returned (by the bank) or mistaken (confirmed wrongly)."""

    TYPE = "grants.award.payment_reversed"
    how: str
    why: str
    payment_reference: str
    paid_so_far: Money


class CostsFact(AwardFact):
    """What every event about accepted costs says; `accepted_in` is, say, the id of a report."""

    costs: Money
    accepted_in: str
    accepted_so_far: Money
    outstanding: Money


class CostsAccepted(CostsFact):
    """Costs of the recipient were accepted: they account for so much of the advance."""

    TYPE = "grants.award.costs_accepted"
    AUDIENCE = "record"
    own: Money | None = None


class CostsDisallowed(CostsFact):
    """An acceptance of costs was taken back."""

    TYPE = "grants.award.costs_disallowed"
    AUDIENCE = "record"
    why: str


class RefundFact(AwardFact):
    """What every event of a refund says about it; refunds count from 1."""

    refund: int
    refund_amount: Money
    still_owed: Money


class RefundDemanded(RefundFact):
    """The recipient has to pay back a part of the advance that is not accounted for."""

    TYPE = "grants.award.refund_demanded"
    why: str
    due: date | None = None


class RefundReceived(RefundFact):
    """A refund, or a part of it, has come in."""

    TYPE = "grants.award.refund_received"
    AUDIENCE = "record"
    received: Money
    received_on: date
    payment_reference: str


class RefundDropped(RefundFact):
    """The rest of a refund is demanded no more; it is an advance to account for again."""

    TYPE = "grants.award.refund_dropped"
    AUDIENCE = "record"
    rest: Money
    why: str
