"""Events that the grants service publishes."""

from shared.events.base import attempt_and_view
from shared.events.grants import (
    amendment,
    application,
    award,
    bulk,
    cofinancing,
    day,
    decision,
    panel,
    publishing,
    report,
    review,
)

AttemptRefused, RecordViewed = attempt_and_view("grants")

__all__ = [
    "AttemptRefused",
    "RecordViewed",
    "amendment",
    "application",
    "award",
    "bulk",
    "cofinancing",
    "day",
    "decision",
    "panel",
    "publishing",
    "report",
    "review",
]
