"""What each kind of act is called. The names are gettext ids; a kind without one shows its type in words."""

from __future__ import annotations

KINDS: dict[str, str] = {
    "grants.application.started": "Started an application",
    "grants.application.saved": "Saved the application",
    "grants.application.submitted": "Submitted the application",
    "grants.application.document_added": "Added a document",
    "grants.application.document_removed": "Removed a document",
    "grants.application.assigned": "Assigned the application",
    "grants.application.moved": "Moved the application",
    "grants.application.checked": "Ticked the checklist",
    "grants.application.information_requested": "Asked for information",
    "grants.application.reviewers_invited": "Invited reviewers",
    "grants.application.awarded": "Awarded the grant",
    "grants.review.assigned": "Assigned a review",
    "grants.review.declared": "Declared on conflicts of interest",
    "grants.review.recused": "Stepped back over a conflict of interest",
    "grants.review.excused": "Excused a reviewer",
    "grants.review.saved": "Saved a review",
    "grants.review.submitted": "Submitted a review",
    "grants.award.offered": "Offered the agreement",
    "grants.award.accepted": "Accepted the agreement",
    "grants.award.concluded": "Concluded the agreement",
    "grants.award.milestone_evidenced": "Sent evidence of a milestone",
    "grants.award.milestone_returned": "Returned the evidence of a milestone",
    "grants.award.milestone_verified": "Verified a milestone",
    "grants.award.tranche_requested": "Requested a tranche",
    "grants.award.tranche_released": "Released a tranche",
    "grants.award.tranche_refused": "Refused a tranche",
    "grants.award.payment_confirmed": "Confirmed a payment",
    "grants.cofinancing.started": "Started a co-financing agreement",
    "grants.cofinancing.saved": "Saved the co-financing agreement",
    "grants.cofinancing.terms_drawn": "Drew up the terms",
    "grants.cofinancing.agreed": "Agreed on co-financing",
    "grants.cofinancing.moved": "Moved the co-financing agreement",
    "grants.cofinancing.contribution_entered": "Entered a contribution",
    "grants.cofinancing.contribution_verified": "Verified a contribution",
    "grants.cofinancing.contribution_refused": "Refused a contribution",
    "grants.cofinancing.evidence_added": "Added evidence of a contribution",
    "grants.cofinancing.release_requested": "Requested a release",
    "grants.cofinancing.release_refused": "Refused a release",
    "grants.cofinancing.released": "Released co-financing",
    "grants.cofinancing.market_value_approved": "Approved market value",
    "grants.cofinancing.contribution_reversed": "Took back the verification of a contribution",
    "grants.cofinancing.refund_recorded": "Recorded a refund",
    "grants.cofinancing.bank_loan_recorded": "Recorded a bank loan",
    "grants.cofinancing.settled": "Settled the co-financing",
    "loans.proposal.started": "Started a proposal",
    "loans.proposal.saved": "Saved the proposal",
    "loans.proposal.document_added": "Added a document to the proposal",
    "loans.proposal.document_removed": "Removed a document from the proposal",
    "loans.proposal.submitted": "Submitted the proposal",
    "loans.proposal.reopened": "Reopened the proposal",
    "loans.referral.consented": "Consented to share data with a bank",
    "loans.referral.consent_revoked": "Revoked the consent",
    "loans.referral.submitted": "Referred the proposal to a bank",
    "loans.referral.received": "Acknowledged the referral",
    "loans.referral.information_requested": "The bank asked for information",
    "loans.referral.information_supplied": "Supplied the information",
    "loans.referral.analysis_started": "Started the credit analysis",
    "loans.referral.declined": "Declined the referral",
    "loans.referral.offered": "Made an offer",
    "loans.referral.accepted": "Accepted the offer",
    "loans.referral.turned_down": "Turned down the offer",
    "loans.referral.withdrawn": "Withdrew the referral",
    "loans.referral.closed": "Closed the referral",
    "loans.referral.expired": "The referral expired",
    "loans.referral.disbursed": "The loan was disbursed",
    "loans.loan.agreed": "Agreed on the loan",
    "loans.loan.disbursement_reported": "Reported the disbursement",
    "loans.loan.disbursement_confirmed": "Confirmed the disbursement",
    "notifications.delivery.queued": "Queued a letter",
    "notifications.delivery.sent": "Sent a letter",
    "notifications.delivery.failed": "A letter could not be delivered",
    "notifications.delivery.suppressed": "Held back a letter",
    "notifications.delivery.read": "Read a letter",
    "notifications.preference.changed": "Changed how letters arrive",
    "notifications.ruleset.adopted": "Adopted notification rules",
    "notifications.ruleset.refused": "Refused notification rules",
    "portal.user.registered": "Registered a person",
    "portal.user.changed": "Changed a person's record",
    "portal.user.deactivated": "Deactivated a person",
    "portal.user.password_changed": "Changed a password",
    "portal.organisation.registered": "Registered an organisation",
    "portal.programme.loaded": "Loaded a programme",
    "portal.session.opened": "Signed in",
    "portal.session.closed": "Signed out",
    "portal.signin.refused": "Refused a sign-in",
    "portal.link.issued": "Made a one-time link for signing in",
    "portal.key.issued": "Issued an API key",
    "portal.key.revoked": "Revoked an API key",
    "audit.search.performed": "Searched the audit log",
    "audit.event.rejected": "Refused a message to the log",
    "audit.verification.completed": "Verified the log",
    "audit.backup.created": "Made a backup",
    "audit.backup.restored": "Restored a backup",
    "audit.backup.drilled": "Tried out a backup",
}
# Every service has these two.
COMMON = {
    "attempt.refused": "Refused attempt",
    "record.viewed": "Opened a record",
    "gap.alarmed": "Missed events and asked for them",
    "gap.closed": "Has the missed events",
    "backfill.answered": "Sent missed events again",
    "outbox.dropped": "Dropped a month of published events",
    "projection.rebuilt": "Built a local copy anew",
}

ROLES = {
    "applicant": "applicant",
    "officer": "grant officer",
    "reviewer": "reviewer",
    "programme_manager": "programme manager",
    "finance_officer": "finance officer",
    "finance_partner": "finance partner",
    "auditor": "auditor",
    "operator": "operator",
}
OUTCOMES = {"success": "done", "refused": "refused"}
SERVICES = {
    "grants.": "Grants",
    "loans.": "Loans",
    "notifications.": "Letters",
    "portal.": "People and programmes",
    "audit.": "Audit log",
}


def kind(type_: str) -> str:
    """Return the gettext id of a type's name, or the type in words."""
    service, _, rest = type_.partition(".")
    if type_ in KINDS:
        return KINDS[type_]
    if rest in COMMON:
        return COMMON[rest]
    if rest.startswith("quarantine"):
        return "Handled a message in quarantine"
    words = rest.replace(".", " ").replace("_", " ") or service
    return words[:1].upper() + words[1:]
