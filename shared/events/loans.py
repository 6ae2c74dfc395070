"""Events that the loans service publishes. None carries a field that the applicant gives by consent alone."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict

from shared.events.base import Event, attempt_and_view
from shared.money import Money

AttemptRefused, RecordViewed = attempt_and_view("loans")


class _ProposalFact(Event):
    proposal_id: str
    organisation_id: str
    organisation_name: str
    supporter_id: str
    supporter_name: str
    notify: list[str] = []


class ProposalStarted(_ProposalFact):
    """An MSME began a proposal. Entity proposal:<PRO-…>."""

    TYPE = "loans.proposal.started"
    AUDIENCE = "record"


class ProposalSaved(_ProposalFact):
    """A section of a draft was saved; what stands in it stays in the loans service."""

    TYPE = "loans.proposal.saved"
    AUDIENCE = "record"
    section: str


class ProposalDocumentAdded(_ProposalFact):
    """A document was added to a draft."""

    TYPE = "loans.proposal.document_added"
    AUDIENCE = "record"
    kind: str
    sha256: str
    expires: date | None


class ProposalDocumentRemoved(_ProposalFact):
    """A document was taken out of a draft."""

    TYPE = "loans.proposal.document_removed"
    AUDIENCE = "record"
    kind: str
    sha256: str


class ProposalSubmitted(_ProposalFact):
    """A proposal was found ready and locked; `content_sha256` is the hash of what is locked."""

    TYPE = "loans.proposal.submitted"
    number: int
    content_sha256: str


class ProposalReopened(_ProposalFact):
    """A locked proposal may be changed again; the locked version stays what banks have seen."""

    TYPE = "loans.proposal.reopened"
    AUDIENCE = "record"
    number: int


class _ReferralFact(Event):
    referral_id: str
    proposal_id: str
    organisation_id: str
    organisation_name: str
    bank_id: str
    bank_name: str
    title: str
    notify: list[str] = []


class ConsentGiven(_ReferralFact):
    """The applicant agreed that this bank sees these fields for this purpose. Entity referral:<REF-…>."""

    TYPE = "loans.referral.consented"
    AUDIENCE = "record"
    fields: list[str]
    purpose: str
    until: date
    text_version: str
    text_sha256: str
    language: str


class ReferralSubmitted(_ReferralFact):
    """A proposal was referred to a bank; its answer is due by `due`."""

    TYPE = "loans.referral.submitted"
    amount: Money
    term_months: int
    due: date


class ReferralReceived(_ReferralFact):
    """The bank acknowledged the referral; from now the consent can't be revoked."""

    TYPE = "loans.referral.received"
    due: date


class InformationRequested(_ReferralFact):
    """The bank asked for something; its clock stands still."""

    TYPE = "loans.referral.information_requested"
    working_days_left: int


class InformationSupplied(_ReferralFact):
    """The applicant answered; the bank's clock runs again."""

    TYPE = "loans.referral.information_supplied"
    due: date


class AnalysisStarted(_ReferralFact):
    """The bank's credit desk has the referral."""

    TYPE = "loans.referral.analysis_started"
    AUDIENCE = "record"


class ReferralDeclined(_ReferralFact):
    """The bank declined, with at least one coded reason."""

    TYPE = "loans.referral.declined"
    reasons: list[str]
    note: str


class OfferMade(_ReferralFact):
    """The bank made an offer; rates are fractions, `effective_rate` counts the fee and compounds."""

    TYPE = "loans.referral.offered"
    amount: Money
    rate: str
    effective_rate: str
    term_months: int
    fee: Money
    valid_until: date


class OfferAccepted(_ReferralFact):
    """The applicant accepted the bank's offer: the one accepted offer of this proposal."""

    TYPE = "loans.referral.accepted"
    loan_id: str
    amount: Money
    rate: str
    term_months: int


class OfferTurnedDown(_ReferralFact):
    """The applicant did not want the offer."""

    TYPE = "loans.referral.turned_down"


class OfferExpired(_ReferralFact):
    """The offer's last day has passed without an answer."""

    TYPE = "loans.referral.expired"
    valid_until: date


class ReferralWithdrawn(_ReferralFact):
    """The applicant withdrew the referral."""

    TYPE = "loans.referral.withdrawn"


class ReferralClosed(_ReferralFact):
    """The referral closed by itself."""

    TYPE = "loans.referral.closed"
    why: str


class ConsentRevoked(_ReferralFact):
    """The applicant revoked the consent before the bank had acknowledged the referral."""

    TYPE = "loans.referral.consent_revoked"


class ReferralDisbursed(_ReferralFact):
    """The bank has paid out under its accepted offer: in part, or (`whole`) all of it."""

    TYPE = "loans.referral.disbursed"
    AUDIENCE = "record"
    loan_id: str
    disbursed: Money
    whole: bool


class _LoanFact(Event):
    loan_id: str
    proposal_id: str
    referral_id: str
    organisation_id: str
    organisation_name: str
    bank_id: str
    bank_name: str
    notify: list[str] = []


class LoanAgreed(_LoanFact):
    """An accepted offer became a loan agreement. Entity loan:<LN-…>."""

    TYPE = "loans.loan.agreed"
    AUDIENCE = "record"
    amount: Money
    rate: str
    term_months: int


class DisbursementReported(_LoanFact):
    """The bank says that it has paid; the MSME has not confirmed it yet."""

    TYPE = "loans.loan.disbursement_reported"
    number: int
    amount: Money
    on: date
    disbursed: Money
    agreed: Money


class DisbursementConfirmed(_LoanFact):
    """The MSME confirms what the bank reported: two parties say the same."""

    TYPE = "loans.loan.disbursement_confirmed"
    number: int
    amount: Money
    confirmed: Money
    agreed: Money


class _FollowedFact(_LoanFact):
    as_of: date
    tape_id: str | None
    outstanding: Money


class LoanOverdue(_FollowedFact):
    """By its own schedule and what was paid, a loan is late, or later by a class: over 0, 30, 60, 90 days."""

    TYPE = "loans.loan.overdue"
    days: int
    owed: Money
    early: bool


class LoanLessOverdue(_FollowedFact):
    """A late loan is late by fewer days than before, in a lower class."""

    TYPE = "loans.loan.less_overdue"
    AUDIENCE = "record"
    days: int
    owed: Money
    early: bool


class LoanCaughtUp(_FollowedFact):
    """A loan is no longer what it `was`: late, or by a correction repaid or written off."""

    TYPE = "loans.loan.caught_up"
    was: str


class LoanRestructured(_FollowedFact):
    """What is owed has new terms; without `rate` and `term_months` only the bank's tape says so."""

    TYPE = "loans.loan.restructured"
    rate: str | None = None
    term_months: int | None = None


class LoanRepaid(_FollowedFact):
    """All of a loan is paid back."""

    TYPE = "loans.loan.repaid"


class LoanWrittenOff(_FollowedFact):
    """The bank has written off what is outstanding; it is counted apart from then on."""

    TYPE = "loans.loan.written_off"
    early: bool


class _TapeFact(Event):
    tape_id: str
    bank_id: str
    bank_name: str
    as_of: date
    sha256: str
    notify: list[str] = []


class TapeFigure(BaseModel):
    """A tape's sums in one currency; shares at risk are decimal fractions of the outstanding principal."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    currency: str
    loans: int
    outstanding: Money
    par0: str | None
    par30: str | None
    par60: str | None
    par90: str | None
    par30_or_restructured: str | None
    written_off: Money


class TapeChecked(_TapeFact):
    """A bank's repayment tape was read and checked; nothing of it counts yet. Entity tape:<TAP-…>."""

    TYPE = "loans.tape.checked"
    AUDIENCE = "record"
    lines: int
    wrong: int
    different: int
    missing: int


class TapeApplied(_TapeFact):
    """A repayment tape counts; `sha256` is the hash of the file, `supersedes` the tape of that month it corrects."""

    TYPE = "loans.tape.applied"
    lines: int
    missing: int
    supersedes: str | None
    changed_loans: int
    figures: list[TapeFigure]


class TapeSuperseded(_TapeFact):
    """A correction of the same month counts instead; this tape stays as it was recorded."""

    TYPE = "loans.tape.superseded"
    AUDIENCE = "record"
    superseded_by: str


class TapeDiscarded(_TapeFact):
    """A checked tape was dropped before it counted."""

    TYPE = "loans.tape.discarded"
    AUDIENCE = "record"
