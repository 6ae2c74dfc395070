"""Sending what is due, one letter at a time, by as many senders at once as there are.

A letter is claimed in one short transaction, handed to the mail server outside of any, and its outcome is
written in a second one. A sender that dies in between leaves the letter `sending` with a lease; when the
lease has run out the attempt is marked lost and the letter is sent again. Between the mail server's
acceptance and our writing it down there is no transaction that spans both, so a letter can then arrive
twice; it carries the same Message-ID, by which mail programs show it once. It is never lost silently.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import Engine

from services.notifications import act_links, storage
from services.notifications.counting import tally
from services.notifications.domain.delivery import Delivery, Status
from services.notifications.domain.retry import Answer, Jitter, Verdict
from services.notifications.handlers.deciding import tell
from services.notifications.mail import Mailer
from shared import checkpoints, telemetry
from shared.clock import Clock, utc_now
from shared.database import Context, UnitOfWork, system
from shared.events import Envelope
from shared.events.envelope import Body
from shared.events.notifications import DeliveryFailed
from shared.settings import settings
from shared.telemetry import Span

SERVICE = "notifications"
# Longer than the slowest conversation that mail.py allows, so that a lease only runs out on a dead sender.
LEASE = timedelta(minutes=5)
BATCH = 100  # letters a tick, so that a long queue does not keep a stopping worker


def _jitter() -> float:
    return random.uniform(-1, 1)  # noqa: S311 - spreads retries, keeps no secret


@dataclass(frozen=True)
class Sender:
    """Sends due letters of one database; everything that a test wants to steer is a field."""

    engine: Engine
    post: Callable[[Delivery], Answer]
    clock: Clock = utc_now
    jitter: Jitter = _jitter

    def run(self, limit: int = BATCH) -> int:
        """Send what is due, at most `limit` letters, and return how many were tried."""
        for count in range(limit):
            if not self.send_one():
                return count
        return limit

    def send_one(self) -> bool:
        """Send the letter that is due longest; returns whether there was one."""
        delivery = self.claim()
        if delivery is None:
            return False
        with telemetry.begin(
            SERVICE, "send letter", parent=delivery.traceparent, correlation_id=delivery.correlation_id
        ) as span:
            answer = self._posted(delivery, span)
            self.conclude(delivery, answer, span.traceparent)
        return True

    def _posted(self, delivery: Delivery, above: Span) -> Answer:
        """Hand the letter to the mail server; of what is said there only the verdict is told, never to whom."""
        with telemetry.begin(
            SERVICE, "smtp", kind="client", parent=above.traceparent, correlation_id=delivery.correlation_id
        ) as span:
            answer = self.post(delivery)
            span.note({"tamga.verdict": answer.verdict.value, "tamga.attempt": delivery.attempts})
            if answer.code is not None:
                span.note({"smtp.response.code": answer.code})
            if answer.verdict is not Verdict.ACCEPTED:
                span.fail(answer.verdict.value)
        return answer

    def claim(self) -> Delivery | None:
        """Take the letter that is due longest, so that no other sender takes it while the lease lasts."""
        context = Context(actor=system(SERVICE))
        with UnitOfWork(self.engine, SERVICE, context, clock=self.clock) as uow:
            found = storage.next_due(uow.connection, uow.now())
            if found is None:
                return None
            delivery = storage.deliveries(uow).get(found)
            lost = delivery.claim(uow.now() + LEASE)
            storage.start_attempt(uow.connection, delivery.id, delivery.attempts, uow.now(), lost=lost)
            said = act_links.written(uow, delivery)
        # What goes out alone has the links: what is kept of the letter has none.
        return delivery.model_copy(update={"text": f"{delivery.text}\n\n{said}"}) if said else delivery

    def conclude(self, sent: Delivery, answer: Answer, traceparent: str) -> None:
        """Write down what became of the attempt; staff are told of a letter that finally failed."""
        context = Context(
            actor=system(SERVICE),
            correlation_id=UUID(sent.correlation_id),
            causation_id=UUID(sent.event_id),
            traceparent=traceparent,
        )
        with UnitOfWork(self.engine, SERVICE, context, clock=self.clock) as uow:
            delivery = storage.deliveries(uow).get(sent.id)
            storage.end_attempt(uow.connection, sent.id, sent.attempts, answer, uow.now())
            before = delivery.status
            delivery.conclude(sent.attempts, answer, uow.now(), self.jitter)
            if before is not delivery.status and delivery.status is Status.PERMANENT_FAILURE:
                tell(uow, _failure(delivery, sent.attempts, uow))
        if before is not delivery.status:
            tally(delivery)


def _failure(delivery: Delivery, attempt: int, uow: UnitOfWork) -> Envelope:
    """Return the failure as the event that the programme's rules can speak about."""
    event = delivery.failure(attempt)
    return Envelope(
        id=uuid5(UUID(delivery.id), f"failed:{attempt}"),
        source=SERVICE,
        type=DeliveryFailed.TYPE,
        entity=f"delivery:{delivery.id}",
        sequence=attempt,
        time=uow.now(),
        correlation_id=uow.context.correlation_id,
        causation_id=uow.context.causation_id,
        traceparent=uow.context.traceparent,
        programme=delivery.programme,
        case=delivery.case_reference,
        body=Body(data=event.model_dump(mode="json"), actor=uow.context.actor, parties=delivery.case_parties),
    )


def send_due(uow: UnitOfWork) -> None:
    """Send what is due now; the worker calls this every second.

    Only after the timer's own transaction, which serves to be alone, so that none is open while a mail server talks.
    """
    known, engine = settings(), uow.engine
    if known.smtp_url:
        kept = checkpoints.newest(uow.connection)
        mailer = Mailer(known.smtp_url, known.mail_from, known.base_url, checkpoint=kept)
        uow.after_commit.append(lambda: _send(engine, mailer))


def _send(engine: Engine, mailer: Mailer) -> None:
    Sender(engine, mailer.send).run()
