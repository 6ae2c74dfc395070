"""Events of a referral: consent, the bank's answer, its offer."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


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
    product_id: str | None = None
    product_number: int | None = None


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
    number: int = 1  # the version of the offer: above one after a counter-offer


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
