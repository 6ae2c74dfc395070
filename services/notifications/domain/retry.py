"""When to try again, and what a mail server's answer means for a letter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

Jitter = Callable[[], float]  # between -1 and 1

# After the n-th attempt has failed, wait this long; after the last one, give up (about 41 hours in all).
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=24),
)
SPREAD = 0.2  # so that a thousand letters that failed together do not come back together


class Verdict(StrEnum):
    """What became of one attempt."""

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    UNCERTAIN = "uncertain"  # the server had the whole letter and then said nothing
    LOST = "lost"  # the sender died before it could write down what became of it


class Answer(BaseModel):
    """A mail server's answer to one attempt, or what went wrong instead of one."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    code: int | None = None
    reply: str = ""


def classify(code: int, *, about_letter: bool) -> Verdict:
    """Return what an SMTP reply code means (RFC 5321, 4.2.1).

    5yz is final only when it is about this letter (recipient or content). Refused greetings, sign-ins and
    senders are about our own set-up: an operator can put that right, so the letter waits.
    """
    if 200 <= code < 300:
        return Verdict.ACCEPTED
    if code >= 500 and about_letter:
        return Verdict.PERMANENT
    return Verdict.TEMPORARY


def next_attempt(attempt: int, now: datetime, jitter: Jitter) -> datetime | None:
    """Return when to try again after attempt number `attempt` (from 1) failed; None means give up."""
    if attempt > len(WAITS):
        return None
    return now + WAITS[attempt - 1] * (1 + SPREAD * jitter())
