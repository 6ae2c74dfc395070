"""Events that the loans service publishes. None carries a field that the applicant gives by consent alone."""

from shared.events.base import attempt_and_view
from shared.events.loans import fee, firm, loan, product, proposal, referral, rounds, tape

AttemptRefused, RecordViewed = attempt_and_view("loans")

__all__ = ["AttemptRefused", "RecordViewed", "fee", "firm", "loan", "product", "proposal", "referral", "rounds", "tape"]
