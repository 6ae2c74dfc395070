"""Which evidence a grant and a loan must have. The texts are gettext ids.

After Regulation (EU) 2021/1060, Annex XIII (what an audit trail has to hold), Delegated Regulation (EU) 480/2014,
Article 25 (selection criteria, amounts that can be reconciled), 2 CFR 200.334 and 200.336 (records of awards), and the
rules of the house on consent and on who may do what.
"""

from __future__ import annotations

from services.audit.domain.dossier import Rule

TRAIL = "Reg. (EU) 2021/1060, Annex XIII"
SELECTION = "Del. Reg. (EU) 480/2014, Art. 25"
RECORDS = "2 CFR 200.334"
HOUSE = "Rules of the house"
_DECIDED = ("grants.application.recommended", "grants.application.approval_given", "grants.application.awarded")
_LETTER = ("notifications.delivery.sent", "notifications.delivery.read")

GRANT = (
    Rule("Call and selection criteria", SELECTION, ("portal.programme.loaded", "portal.call_draft.published"),
         "The pack with the call, loaded before the application began"),
    Rule("Application as handed in", TRAIL, ("grants.application.submitted",), "The applicant hands it in"),
    Rule("Eligibility checked", TRAIL, ("grants.application.checked",), "An officer answers the checklist",
         due=("grants.application.submitted",)),
    Rule("Exclusion lists screened", HOUSE, ("grants.screening.done",), "The screening of the applicant is done",
         due=("grants.award.offered",), chosen=True),
    Rule("Interests of assessors declared", SELECTION, ("grants.review.declared",), "The assessor declares",
         due=("grants.review.assigned",), same="entity", off=("grants.review.recused", "grants.review.excused")),
    Rule("Assessments handed in", SELECTION, ("grants.review.submitted",), "The assessor hands the review in",
         due=("grants.review.assigned",), same="entity", off=("grants.review.recused", "grants.review.excused"),
         by="due", patience=7),
    Rule("Decision on the selection", SELECTION, _DECIDED, "The decision is taken in the stage that the workflow names",
         due=("grants.award.offered",)),
    Rule("Appeals decided", HOUSE, ("grants.appeal.decided",), "The appeal is decided",
         due=("grants.appeal.lodged",), same="entity", patience=60),
    Rule("Applicant told", TRAIL, _LETTER, "A letter to the applicant is sent", due=("grants.application.submitted",),
         patience=1),
    Rule("Agreement accepted by both sides", TRAIL, ("grants.award.concluded",), "Both sides accept the agreement",
         due=("grants.award.offered",), patience=30),
    Rule("Amendments in force", TRAIL, ("grants.amendment.effected",), "The amendment takes effect, or is refused",
         due=("grants.amendment.requested",), same="entity",
         off=("grants.amendment.refused", "grants.amendment.withdrawn"), patience=60),
    Rule("Milestones verified", TRAIL, ("grants.award.milestone_verified",), "An officer verifies the evidence",
         due=("grants.award.milestone_evidenced",), same="milestone", off=("grants.award.milestone_returned",),
         patience=30),
    Rule("Payments asked for before they were released", TRAIL,
         ("grants.award.tranche_requested", "grants.award.tranche_certified"),
         "The tranche is asked for, and certified where the programme wants it", due=("grants.award.tranche_released",),
         same="tranche", first=True),
    Rule("Proof and date of payment", TRAIL, ("grants.award.payment_confirmed",),
         "The bank’s reference and the day of the payment are entered", due=("grants.award.tranche_released",),
         same="tranche", patience=10),
    Rule("Reports decided on", RECORDS, ("grants.report.accepted",), "The report is accepted",
         due=("grants.report.scheduled", "grants.report.rescheduled"), same="entity", off=("grants.report.cancelled",),
         by="due", patience=45),
    Rule("Costs decided one by one", TRAIL, ("grants.report.cost_decided",), "Each cost of the report is decided on",
         due=("grants.report.submitted",), same="entity", off=("grants.report.returned",), patience=45),
    Rule("Refunds received", TRAIL, ("grants.award.refund_received",), "The refund is received, or dropped with why",
         due=("grants.award.refund_demanded",), same="refund", off=("grants.award.refund_dropped",), patience=60),
    Rule("Held payments explained", TRAIL, ("grants.award.tranche_unheld", "grants.award.tranche_released"),
         "The tranche is let go, or refused with reasons", due=("grants.award.tranche_held",), same="tranche",
         off=("grants.award.tranche_refused",), patience=60),
    Rule("Award settled", RECORDS, ("grants.award.settled",), "The closing checklist is done and the award settled",
         due=("grants.closeout.answered",), off=("grants.award.reopened",), patience=90),
)  # fmt: skip

LOAN = (
    Rule("Proposal as handed in", TRAIL, ("loans.proposal.submitted",), "The firm hands the proposal in"),
    Rule("Consent before anything left", HOUSE, ("loans.referral.consented",),
         "The firm’s consent to this bank stands before the referral", due=("loans.referral.submitted",),
         same="referral_id", first=True),
    Rule("Referral received by the bank", HOUSE, ("loans.referral.received",), "The bank acknowledges the referral",
         due=("loans.referral.submitted",), same="referral_id", by="due",
         off=("loans.referral.withdrawn", "loans.referral.consent_revoked", "loans.referral.closed")),
    Rule("Answer of the bank", HOUSE, ("loans.referral.offered", "loans.referral.declined"),
         "The bank offers, or declines with reasons", due=("loans.referral.submitted",), same="referral_id", by="due",
         off=("loans.referral.withdrawn", "loans.referral.consent_revoked", "loans.referral.closed")),
    Rule("Questions answered", HOUSE, ("loans.referral.information_supplied",), "The firm answers the bank’s question",
         due=("loans.referral.information_requested",), same="referral_id",
         off=("loans.referral.withdrawn", "loans.referral.declined", "loans.referral.closed"), patience=30),
    Rule("Applicant told", TRAIL, _LETTER, "A letter to the firm is sent", due=("loans.referral.submitted",),
         patience=1),
    Rule("Loan agreed", TRAIL, ("loans.loan.agreed",), "The bank records the agreement",
         due=("loans.referral.accepted",), same="referral_id", patience=30),
    Rule("Disbursements confirmed by the firm", TRAIL, ("loans.loan.disbursement_confirmed",),
         "The firm confirms that the money came", due=("loans.loan.disbursement_reported",), same="number",
         patience=14),
    Rule("Guarantees decided on", HOUSE, ("loans.guarantee.issued", "loans.guarantee.declined"),
         "The guarantor issues or declines", due=("loans.guarantee.requested",), same="entity",
         off=("loans.guarantee.withdrawn", "loans.guarantee.lapsed"), patience=30),
    Rule("Declines turned into a plan", HOUSE, ("loans.improvement.opened",), "An improvement plan is opened",
         due=("loans.referral.declined",), patience=1),
    Rule("Loan followed to its end", RECORDS, ("loans.loan.repaid", "loans.loan.written_off"),
         "The bank’s tapes say that the loan is repaid", due=("loans.loan.agreed",), same="loan_id", by="term_months",
         patience=45),
)  # fmt: skip


def rules_for(kinds: set[str]) -> tuple[Rule, ...]:
    """Return the checklist of a case with acts of these kinds; empty for what is neither a grant nor a loan."""
    if any(kind.startswith("grants.application.") for kind in kinds):
        return GRANT
    return LOAN if any(kind.startswith("loans.proposal.") for kind in kinds) else ()
