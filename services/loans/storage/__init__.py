"""Tables of the loans service and every query on them."""

from services.loans.storage.queries import (
    FOLDERS,
    banks,
    deactivate,
    finance_of,
    inbox_counts,
    letters,
    loan_of,
    locked,
    open_offers,
    organisation_name,
    proposal_rows,
    referral_rows,
    referrals_of,
    standing,
    supporter,
    supporters,
    timeline,
    views_of,
)
from services.loans.storage.repositories import loans, proposals, referrals
from services.loans.storage.tables import metadata
from services.loans.storage.writing import keep_locked, learn

__all__ = [
    "FOLDERS",
    "banks",
    "deactivate",
    "finance_of",
    "inbox_counts",
    "keep_locked",
    "learn",
    "letters",
    "loan_of",
    "loans",
    "locked",
    "metadata",
    "open_offers",
    "organisation_name",
    "proposal_rows",
    "proposals",
    "referral_rows",
    "referrals",
    "referrals_of",
    "standing",
    "supporter",
    "supporters",
    "timeline",
    "views_of",
]
