"""The figures that only one service has, by service: the page asks each service for its own, the watch asks all."""

from __future__ import annotations

from services.audit.figures import figures as of_the_record
from services.grants.figures import figures as of_grants
from services.loans.figures import figures as of_loans
from services.notifications.figures import figures as of_letters
from shared.operations.measuring import Own

OWN: dict[str, Own] = {
    "grants": of_grants,
    "loans": of_loans,
    "notifications": of_letters,
    "audit": of_the_record,
}
