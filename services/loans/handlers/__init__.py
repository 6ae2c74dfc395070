"""Use cases of the loans service, one function a command; `ON` says what is done about others' events."""

from services.loans.handlers import learning
from services.loans.handlers.claims import keep_up
from services.loans.handlers.portfolio import recount
from services.loans.handlers.referrals import escalate_overdue, expire_offers
from services.loans.handlers.sequences import advance_sequences
from services.loans.handlers.tripartite import end_agreements
from shared import checkpoints
from shared.messaging import gaps

ON = learning.ON | gaps.ON | checkpoints.ON

# (seconds between two runs, what is done)
TIMERS = (
    (60.0, expire_offers),
    (60.0, escalate_overdue),
    (60.0, end_agreements),
    (60.0, keep_up),
    (300.0, recount),
    (60.0, advance_sequences),
    *gaps.TIMERS,
)

__all__ = ["ON", "TIMERS"]
