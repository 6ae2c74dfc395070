"""Figures of letters, by channel and language: what became of each, and how long it took to arrive."""

from __future__ import annotations

from services.notifications.domain.delivery import Delivery, Status
from shared.observability import counter, histogram

_SECONDS = (0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)

LETTERS = counter("letters", "Letters, by what became of them", "channel", "locale", "outcome")
SECONDS = histogram(
    "letter_seconds", "From the writing of a letter to its delivery", "channel", "locale", buckets=_SECONDS
)

# What people who look at figures call it: delivered is what the mail server has taken or the inbox has.
_OUTCOMES = {
    Status.QUEUED: "queued",
    Status.SENDING: "overtaken",  # another sender has taken it over, and counts it
    Status.SENT: "delivered",
    Status.TEMPORARY_FAILURE: "put_off",
    Status.PERMANENT_FAILURE: "bounced",
    Status.SUPPRESSED: "suppressed",
}


def tally(letter: Delivery) -> None:
    """Count a letter as it stands now; call it once the change is committed."""
    LETTERS.labels(letter.channel, letter.locale, _OUTCOMES[letter.status]).inc()
    if letter.status is Status.SENT and letter.sent_at is not None:
        SECONDS.labels(letter.channel, letter.locale).observe((letter.sent_at - letter.created_at).total_seconds())
