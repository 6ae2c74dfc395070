"""Events that the loans service publishes. None carries a field that the applicant gives by consent alone."""

from shared.events.base import attempt_and_view
from shared.events.loans import (
    chain,
    facility,
    fee,
    firm,
    group,
    guarantee,
    loan,
    product,
    proposal,
    referral,
    rounds,
    sequence,
    tape,
    teaser,
)
from shared.events.loans.rounds import Look

AttemptRefused, RecordViewed = attempt_and_view("loans", Look)

__all__ = [
    "AttemptRefused",
    "RecordViewed",
    "chain",
    "facility",
    "fee",
    "firm",
    "group",
    "guarantee",
    "loan",
    "product",
    "proposal",
    "referral",
    "rounds",
    "sequence",
    "tape",
    "teaser",
]
