"""One message to one endpoint about one event, from being queued to having arrived."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from services.notifications.domain.endpoint import TEST
from services.notifications.domain.retry import SPREAD, Jitter
from shared.entity import Entity
from shared.errors import ConflictError
from shared.events.webhooks import WebhookDelivered, WebhookDropped, WebhookFailed, WebhookQueued

# After the n-th attempt has failed, wait this long (Standard Webhooks 1.0.0); after the last one, give up.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
OVERLOADED = frozenset({429, 502, 504})
SLOWER = timedelta(seconds=60)  # at least so long after an answer that says: too much
LONGEST_ASKED = timedelta(hours=24)  # of what a Retry-After may ask for
LARGEST = 20_000  # bytes
REVOKED = "loans.referral.consent_revoked"
NO_CONSENT, NEVER_TOLD = "consent", "never_told"
# The ids that a message may carry. Of a proposal nothing leaves, not even its number, without a live consent.
_IDS = ("referral_id", "loan_id", "tape_id", "guarantee_id")
_BY_CONSENT = ("proposal_id",)
_PAGES = {"referral_id": "referrals", "tape_id": "tapes", "guarantee_id": "guarantees"}


class State(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    SENDING = "sending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"
    HELD = "held"  # its endpoint was disabled when its turn came
    DROPPED = "dropped"


class Reply(BaseModel):
    """What an endpoint answered to one attempt, or (`code` None) what went wrong instead."""

    model_config = ConfigDict(frozen=True)

    code: int | None = None
    text: str = ""
    retry_after: timedelta | None = None
    milliseconds: int = 0

    @property
    def arrived(self) -> bool:
        """Return whether it was taken: 2xx and nothing else."""
        return self.code is not None and 200 <= self.code < 300

    @property
    def gone(self) -> bool:
        """Return whether the endpoint says that it wants nothing any more."""
        return self.code == 410


def next_attempt(tries: int, reply: Reply, now: datetime, jitter: Jitter) -> datetime | None:
    """Return when to try again after `tries` failures; None means give up. What the endpoint asks for is honoured."""
    if tries > len(WAITS) or reply.gone:
        return None
    wait = WAITS[tries - 1] * (1 + SPREAD * jitter())
    if reply.code in OVERLOADED:
        wait = max(wait, SLOWER)
    return now + max(wait, min(reply.retry_after or timedelta(0), LONGEST_ASKED))


class Webhook(Entity):
    """A message on its way. `facts` are ids alone; `due_at` is when a sender may take it, or the lease's end."""

    KIND: ClassVar[str] = "webhook"

    endpoint: str
    organisation: str
    event_id: str
    event_type: str
    happened_at: datetime
    about: str
    sequence: int
    facts: dict[str, str]
    correlation_id: str
    created_at: datetime
    state_now: State = State.QUEUED
    attempts: int = 0
    tries: int = 0  # since it was last queued
    due_at: datetime | None = None
    delivered_at: datetime | None = None
    because: str = ""
    last_code: int | None = None

    def parties(self) -> dict[str, list[str]]:
        return {"partner": [f"org:{self.organisation}"]}

    @property
    def message_id(self) -> str:
        """Return the id that stays the same at every attempt; the receiver knows a repeated message by it."""
        return f"msg_{self.id.replace('-', '')}"

    @property
    def is_test(self) -> bool:
        """Return whether a person only tries the endpoint out."""
        return self.event_type == TEST

    def body(self, base_url: str, *, consented: bool) -> bytes:
        """Return the message: what happened, when, and where to read more. Nothing of the case itself stands in it."""
        names = (*_IDS, *(_BY_CONSENT if consented else ()))
        data: dict[str, Any] = {"event_id": self.event_id, "entity": self.about, "sequence": self.sequence}
        data |= {name: self.facts[name] for name in names if name in self.facts}
        for name, pages in _PAGES.items():
            if name in self.facts and self.event_type != REVOKED:
                place = base_url.rstrip("/")
                data["page"] = f"{place}/loans/{pages}/{self.facts[name]}"
                data["api"] = f"{place}/loans/api/{pages}/{self.facts[name]}"
                break
        message = {"type": self.event_type, "timestamp": self.happened_at.isoformat(), "data": data}
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        if len(body) >= LARGEST:
            raise ValueError(f"A message of {len(body)} bytes: it must have fewer than {LARGEST}")
        return body

    def _say(self) -> dict[str, Any]:
        names = {"event_id": self.event_id, "event_type": self.event_type, "organisation_id": self.organisation}
        return {"endpoint_id": self.endpoint, "message_id": self.message_id} | names

    def queue(self, now: datetime) -> None:
        """Let the next free sender take it."""
        self.state_now, self.due_at, self.tries, self.because = State.QUEUED, now, 0, ""
        self.record(WebhookQueued(**self._say(), again=self.attempts > 0))

    def hold(self) -> None:
        """Keep it while its endpoint is disabled."""
        self.state_now, self.due_at, self.because = State.HELD, None, "disabled"
        self.record(WebhookDropped(**self._say(), because="disabled", kept=True))

    def drop(self, because: str) -> None:
        """Never send it, and say why."""
        self.state_now, self.due_at, self.because = State.DROPPED, None, because
        self.record(WebhookDropped(**self._say(), because=because, kept=False))

    def replay(self, now: datetime) -> None:
        """Send it again, though it arrived or was given up; not while it is on its way."""
        if self.state_now in {State.QUEUED, State.SENDING, State.RETRYING}:
            raise ConflictError("This message is on its way already")
        if self.state_now is State.DROPPED:
            raise ConflictError("This message was dropped for want of consent: it can't be sent")
        if self.is_test:
            raise ConflictError("A test can't be sent again: make a new one")
        self.queue(now)

    def claim(self, lease_until: datetime) -> bool:
        """Start an attempt that nobody else may repeat before `lease_until`; returns whether one before it was lost."""
        lost = self.state_now is State.SENDING
        self.state_now, self.due_at = State.SENDING, lease_until
        self.attempts += 1
        self.tries += 1
        return lost

    def conclude(self, attempt: int, reply: Reply, now: datetime, jitter: Jitter) -> bool:
        """Note what became of attempt number `attempt`; returns false when another sender has taken over since."""
        if self.state_now is not State.SENDING or self.attempts != attempt:
            return False
        self.last_code = reply.code
        if reply.arrived:
            self.state_now, self.due_at, self.delivered_at = State.DELIVERED, None, now
            self.record(WebhookDelivered(**self._say(), attempt=attempt, code=reply.code or 0))
            return True
        self.due_at = None if self.is_test else next_attempt(self.tries, reply, now, jitter)
        self.state_now = State.RETRYING if self.due_at else State.FAILED
        failed = {"attempt": attempt, "code": reply.code, "next_attempt_at": self.due_at}
        self.record(WebhookFailed(**self._say(), **failed))
        return True
