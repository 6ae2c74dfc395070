"""Events that the grants service publishes."""

from shared.events.base import attempt_and_view
from shared.events.grants import (
    amendment,
    appeal,
    application,
    assessor,
    award,
    bank_file,
    bulk,
    capacity,
    closeout,
    cofinancing,
    day,
    decision,
    exclusion,
    panel,
    partnership,
    payee,
    publishing,
    recusal,
    report,
    review,
)

AttemptRefused, RecordViewed = attempt_and_view("grants")

__all__ = [
    "AttemptRefused",
    "RecordViewed",
    "amendment",
    "appeal",
    "application",
    "assessor",
    "award",
    "bank_file",
    "bulk",
    "capacity",
    "closeout",
    "cofinancing",
    "day",
    "decision",
    "exclusion",
    "panel",
    "partnership",
    "payee",
    "publishing",
    "recusal",
    "report",
    "review",
]
