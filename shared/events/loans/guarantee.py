"""Events of a guarantee and of the firm's consent to it: issued, charged, claimed, recovered, ended.

They name the firm and say sums of the guarantee; none carries a field that the firm gives by consent alone.
"""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class _PermissionFact(Event):
    permission_id: str
    loan_id: str
    organisation_name: str
    bank_id: str
    guarantor_id: str
    guarantor_name: str
    notify: list[str] = []


class PermissionGiven(_PermissionFact):
    """The firm agreed that a guarantor is given chosen fields for one loan. Entity permission:<PER-…>."""

    TYPE = "loans.permission.given"
    AUDIENCE = "record"
    fields: list[str]
    purpose: str
    until: date
    text_version: str
    text_sha256: str
    language: str


class PermissionRevoked(_PermissionFact):
    """The firm took the consent back: the guarantor sees no field any more."""

    TYPE = "loans.permission.revoked"
    AUDIENCE = "record"


class _GuaranteeFact(Event):
    guarantee_id: str
    facility_id: str
    loan_id: str
    organisation_name: str
    bank_id: str
    bank_name: str
    guarantor_id: str
    guarantor_name: str
    notify: list[str] = []


class GuaranteeRequested(_GuaranteeFact):
    """A bank asks a guarantor to stand in for a part of a loan. Entity guarantee:<GUA-…>."""

    TYPE = "loans.guarantee.requested"
    sum: Money
    principal: Money
    coverage_percent: str


class GuaranteeApproved(_GuaranteeFact):
    """The first of two people agreed to a large guarantee."""

    TYPE = "loans.guarantee.approved"
    AUDIENCE = "record"
    sum: Money
    approved_by: str


class GuaranteeIssued(_GuaranteeFact):
    """The guarantor stands in for the loan; the facility's room is committed."""

    TYPE = "loans.guarantee.issued"
    sum: Money
    coverage_percent: str
    issued_on: date
    until: date


class GuaranteeActive(_GuaranteeFact):
    """It can be claimed on: the fees of the issue are paid, or a claim was given back after the loan had cured."""

    TYPE = "loans.guarantee.active"
    AUDIENCE = "record"
    sum: Money


class GuaranteeDeclined(_GuaranteeFact):
    """The guarantor does not stand in for the loan."""

    TYPE = "loans.guarantee.declined"
    why: str


class GuaranteeWithdrawn(_GuaranteeFact):
    """The request is void: the bank took it back, or the firm its consent (`why`: withdrawn or consent_revoked)."""

    TYPE = "loans.guarantee.withdrawn"
    AUDIENCE = "record"
    why: str


class GuaranteeDue(_GuaranteeFact):
    """The bank owes the guarantor a sum: a fee, its part of a recovery, or a claim that is taken back."""

    TYPE = "loans.guarantee.due"
    number: int
    kind: str
    amount: Money
    due: date


class GuaranteeDuePaid(_GuaranteeFact):
    """The guarantor has a sum that was due; `payment` is its reference in the books."""

    TYPE = "loans.guarantee.due_paid"
    AUDIENCE = "record"
    number: int
    kind: str
    amount: Money
    on: date
    payment: str


class GuaranteeDocumentAdded(_GuaranteeFact):
    """The bank added a document to claim with."""

    TYPE = "loans.guarantee.document_added"
    AUDIENCE = "record"
    sha256: str


class _ClaimFact(_GuaranteeFact):
    claim: int
    amount: Money


class GuaranteeClaimed(_ClaimFact):
    """The loan is late enough by the tape and the bank claims; `most` is what could be claimed."""

    TYPE = "loans.guarantee.claimed"
    days: int
    as_of: date
    principal: Money
    most: Money


class GuaranteeClaimApproved(_ClaimFact):
    """One person of the guarantor agreed to pay the claim; another pays it."""

    TYPE = "loans.guarantee.claim_approved"
    AUDIENCE = "record"
    approved_by: str


class GuaranteeClaimPaid(_ClaimFact):
    """The guarantor paid the claim; `paid` is what it paid in all."""

    TYPE = "loans.guarantee.claim_paid"
    on: date
    payment: str
    paid: Money


class GuaranteeClaimRefused(_ClaimFact):
    """The guarantor refused the claim."""

    TYPE = "loans.guarantee.claim_refused"
    why: str


class GuaranteeRecovered(_GuaranteeFact):
    """The debtor paid after the claim; the sum is shared by coverage."""

    TYPE = "loans.guarantee.recovered"
    AUDIENCE = "record"
    recovery: int
    amount: Money
    on: date
    guarantor: Money
    bank: Money


class GuaranteeClawedBack(_GuaranteeFact):
    """The loan is no longer late, so what was paid and not recovered is due back."""

    TYPE = "loans.guarantee.clawed_back"
    as_of: date
    amount: Money


class GuaranteeReleased(_GuaranteeFact):
    """The loan is repaid: the guarantee is free."""

    TYPE = "loans.guarantee.released"
    AUDIENCE = "record"
    as_of: date


class GuaranteeLapsed(_GuaranteeFact):
    """It no longer holds: a fee was unpaid for too long, or its time is over (`why`: fee_unpaid or period_over)."""

    TYPE = "loans.guarantee.lapsed"
    on: date
    why: str


class GuaranteeClosed(_GuaranteeFact):
    """It ended after a claim; `loss` is what the guarantor paid and did not get back."""

    TYPE = "loans.guarantee.closed"
    AUDIENCE = "record"
    why: str
    loss: Money
