"""Use cases of the loans service, one function a command; `ON` says what is done about others' events."""

from services.loans.handlers.learning import ON
from services.loans.handlers.referrals import expire_offers

# (seconds between two runs, what is done)
TIMERS = ((60.0, expire_offers),)

__all__ = ["ON", "TIMERS"]
