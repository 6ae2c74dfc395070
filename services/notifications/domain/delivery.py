"""One letter to one person by one channel, from being queued to having arrived."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from services.notifications.domain.audience import Step
from services.notifications.domain.retry import Answer, Jitter, Verdict, next_attempt
from shared.entity import Entity
from shared.errors import ConflictError
from shared.events.notifications import (
    DeliveryFailed,
    DeliveryQueued,
    DeliveryRead,
    DeliverySent,
    DeliverySuppressed,
)


class Status(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    TEMPORARY_FAILURE = "temporary_failure"
    PERMANENT_FAILURE = "permanent_failure"
    SUPPRESSED = "suppressed"


class Delivery(Entity):
    """A rendered letter on its way. `due_at` is when a sender may take it: the next try, or the lease's end."""

    KIND: ClassVar[str] = "delivery"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"address", "text", "case_parties", "last_reply"})

    event_id: str
    event_type: str
    rule: str
    about: str  # the entity of the event
    case_reference: str | None
    programme: str | None
    case_parties: dict[str, list[str]]
    correlation_id: str
    traceparent: str | None = None
    recipient: str
    recipient_name: str
    address: str
    channel: str
    category: str
    template: str
    template_version: str
    locale: str
    subject: str
    text: str
    link: str
    links: list[str] = []  # the acts that a link of this letter may do; the links are made when it is sent
    created_at: datetime
    trace: list[Step] = []
    status: Status = Status.QUEUED
    attempts: int = 0
    tries: int = 0  # since it was last queued
    due_at: datetime | None = None
    sent_at: datetime | None = None
    read_at: datetime | None = None
    because: str | None = None  # why it is suppressed
    last_code: int | None = None
    last_reply: str = ""

    def case(self) -> str | None:
        return self.case_reference

    def programme_id(self) -> str | None:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return self.case_parties

    def _facts(self) -> dict[str, Any]:
        names = ("event_id", "event_type", "rule", "channel", "recipient", "recipient_name", "category")
        of_letter = ("template", "template_version", "locale")
        return {name: getattr(self, name) for name in (*names, *of_letter)} | {
            "title": self.subject,
            "state": self.status.value,
        }

    def queue(self, now: datetime) -> None:
        """Let the next free sender take it."""
        self.status, self.due_at = Status.QUEUED, now
        self.record(DeliveryQueued(**self._facts()))

    def suppress(self, because: str) -> None:
        """Do not send it, and say why."""
        self.status, self.due_at, self.because = Status.SUPPRESSED, None, because
        self.record(DeliverySuppressed(**self._facts(), because=because))

    def put_in_inbox(self, now: datetime) -> None:
        """Lay it into the person's inbox, which can't fail."""
        self.status, self.sent_at, self.due_at = Status.SENT, now, None
        self.record(DeliverySent(**self._facts()))

    def claim(self, lease_until: datetime) -> bool:
        """Start an attempt that nobody else may repeat before `lease_until`; returns whether one before it was lost."""
        lost = self.status is Status.SENDING
        self.status, self.due_at = Status.SENDING, lease_until
        self.attempts += 1
        self.tries += 1
        return lost

    def conclude(self, attempt: int, answer: Answer, now: datetime, jitter: Jitter) -> None:
        """Note what became of attempt number `attempt`.

        An acceptance always counts. A failure counts only for the attempt under way: when another sender
        has taken the letter over since, that one decides.
        """
        if answer.verdict is Verdict.ACCEPTED and self.status is not Status.SENT:
            self._accepted(attempt, answer, now)
        elif self.status is Status.SENDING and self.attempts == attempt:
            self._failed(attempt, answer, now, jitter)

    def _accepted(self, attempt: int, answer: Answer, now: datetime) -> None:
        self.status, self.sent_at, self.due_at = Status.SENT, now, None
        self.last_code, self.last_reply = answer.code, answer.reply
        self.record(DeliverySent(**self._facts(), attempt=attempt))

    def _failed(self, attempt: int, answer: Answer, now: datetime, jitter: Jitter) -> None:
        final = answer.verdict is Verdict.PERMANENT
        self.due_at = None if final else next_attempt(self.tries, now, jitter)
        self.status = Status.TEMPORARY_FAILURE if self.due_at else Status.PERMANENT_FAILURE
        self.last_code, self.last_reply = answer.code, answer.reply
        self.record(self.failure(attempt))

    def failure(self, attempt: int) -> DeliveryFailed:
        """Return what is to be said about the attempt that has just failed; servers like to repeat the address."""
        reply = self.last_reply.replace(self.address, "…") if self.address else self.last_reply
        return DeliveryFailed(
            **self._facts(),
            attempt=attempt,
            code=self.last_code,
            problem=reply[:200],
            next_attempt_at=self.due_at,
        )

    def resend(self, address: str, now: datetime) -> None:
        """Queue it once more after a permanent failure, to the address that the person has now."""
        if self.status is not Status.PERMANENT_FAILURE:
            raise ConflictError("Only a letter that finally failed can be sent again")
        self.address, self.tries = address, 0
        self.status, self.due_at = Status.QUEUED, now
        self.record(DeliveryQueued(**self._facts(), again=True))

    def read(self, now: datetime) -> None:
        """Note that the person read it in their inbox; a second reading changes nothing."""
        if self.channel != "inbox":
            raise ConflictError("Only a letter of the inbox can be marked as read")
        if self.read_at is None:
            self.read_at = now
            self.record(DeliveryRead(**self._facts()))

    def unread(self) -> None:
        """Mark it as not read; a person's own reminder, which is nobody else's business and no event."""
        self.read_at = None
