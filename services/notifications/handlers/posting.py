"""Sending messages to banks' systems, by the same steps as letters: claimed, sent outside any transaction, concluded.

Whether the applicant's consent lives is asked when a message is claimed, at every attempt: what was revoked meanwhile
is dropped, and without a live consent not even the proposal's number leaves. An endpoint that failed is left alone
for the rest of the round, so that a slow one does not keep the others waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import Engine

from services.notifications.domain import signing
from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.retry import Jitter
from services.notifications.domain.webhook import NEVER_TOLD, NO_CONSENT, REVOKED, Reply, Webhook
from services.notifications.egress import Egress
from services.notifications.handlers.owners import tell_owner
from services.notifications.handlers.sending import SERVICE, _jitter
from services.notifications.storage import webhooks as storage
from shared import checkpoints, telemetry
from shared.clock import Clock, utc_now
from shared.database import Context, UnitOfWork, system
from shared.settings import settings
from shared.vault import Vault, VaultError, vault_of

log = structlog.get_logger()

LEASE = timedelta(minutes=2)  # longer than any conversation that egress.py allows
ROUND = 50  # messages a tick
USER_AGENT = "Tamga-Webhooks/1.0"


@dataclass(frozen=True)
class Ready:
    """A message that may leave now: exactly these bytes to exactly this address."""

    item: Webhook
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Poster:
    """Sends due messages of one database; everything that a test wants to steer is a field."""

    engine: Engine
    vault: Vault
    egress: Egress
    base_url: str
    clock: Clock = utc_now
    jitter: Jitter = _jitter
    skip: set[str] = field(default_factory=set)

    def run(self, limit: int = ROUND) -> int:
        """Send what is due, at most `limit` messages, and return how many were looked at."""
        self.skip.clear()
        for count in range(limit):
            if not self.send_one():
                return count
        return limit

    def send_one(self) -> bool:
        """Send the message that is due longest; returns whether there was one."""
        with UnitOfWork(self.engine, SERVICE, Context(actor=system(SERVICE)), clock=self.clock) as uow:
            found = storage.next_due(uow.connection, uow.now(), self.skip)
            if found is None:
                return False
            ready = self.claim(uow, storage.webhooks(uow).get(found))
        if ready is not None:
            with telemetry.begin(SERVICE, "send webhook", correlation_id=ready.item.correlation_id) as span:
                reply = self.egress.post(ready.url, ready.headers, ready.body)
                span.note({"tamga.attempt": ready.item.attempts} | ({"http.status": reply.code} if reply.code else {}))
                self.conclude(ready.item, reply)
        return True

    def claim(self, uow: UnitOfWork, item: Webhook) -> Ready | None:
        """Take a message so that no other sender does; None when it is held back or dropped instead."""
        endpoint = storage.endpoints(uow).get(item.endpoint, for_update=False)
        if not endpoint.enabled and not item.is_test:
            item.hold()
            return None
        referral = item.facts.get("referral_id")
        lives, revoked = storage.consent_of(uow.connection, referral, uow.now().date()) if referral else (False, False)
        if revoked and item.event_type != REVOKED:
            item.drop(NO_CONSENT)
            return None
        if item.event_type == REVOKED and not storage.was_told(uow.connection, endpoint.id, referral or ""):
            item.drop(NEVER_TOLD)
            return None
        body = item.body(self.base_url, consented=lives)
        try:
            headers = self.signed(endpoint, item, body, uow)
        except VaultError as error:  # the operator mends it, and what waits is sent; others' messages go on meanwhile
            log.error("the secrets of an endpoint can't be opened", endpoint=endpoint.id, error=str(error))  # noqa: TRY400
            self.skip.add(endpoint.id)
            return None
        lost = item.claim(uow.now() + LEASE)
        sent = {"url": endpoint.url, "headers": headers, "body": body.decode()}
        storage.start(uow.connection, item, uow.now(), sent, lost=lost)
        return Ready(item, endpoint.url, headers, body)

    def signed(self, endpoint: Endpoint, item: Webhook, body: bytes, uow: UnitOfWork) -> dict[str, str]:
        """Return the headers of an attempt, signed with every secret that lives at this moment."""
        secrets = [
            self.vault.open(one.sealed, about(endpoint.id, one.number)).decode()
            for one in endpoint.live_secrets(uow.now())
        ]
        plain = {"content-type": "application/json; charset=utf-8", "user-agent": USER_AGENT}
        plain |= checkpoints.header(uow.connection)
        return plain | signing.headers(secrets, item.message_id, uow.now(), body)

    def conclude(self, sent: Webhook, reply: Reply) -> None:
        """Write down what became of an attempt; the owner is told when the endpoint is disabled by it."""
        context = Context(
            actor=system(SERVICE), correlation_id=UUID(sent.correlation_id), causation_id=UUID(sent.event_id)
        )
        if not reply.arrived:
            self.skip.add(sent.endpoint)
        with UnitOfWork(self.engine, SERVICE, context, clock=self.clock) as uow:
            item = storage.webhooks(uow).get(sent.id)
            storage.end(uow.connection, sent.id, sent.attempts, reply, uow.now())
            if item.conclude(sent.attempts, reply, uow.now(), self.jitter) and not item.is_test:
                self._judge(uow, item, reply)

    def _judge(self, uow: UnitOfWork, item: Webhook, reply: Reply) -> None:
        """Let the endpoint know how it did; it is locked only when that changes something."""
        repository = storage.endpoints(uow)
        seen = storage.standing(uow.connection, item.endpoint)
        if reply.arrived and seen is None:
            return
        endpoint = repository.get(item.endpoint)
        if reply.arrived:
            endpoint.succeeded()
        elif endpoint.failed(uow.now(), gone=reply.gone):
            tell_owner(uow, endpoint, item, settings().base_url)


def about(endpoint_id: str, number: int) -> str:
    """Return what a sealed secret is bound to."""
    return f"endpoint:{endpoint_id}:secret:{number}"


def post_due(uow: UnitOfWork) -> None:
    """Send the messages that are due now; the worker calls this every second, outside of any transaction."""
    known, engine = settings(), uow.engine
    if known.webhook_key_file:
        poster = Poster(engine, vault_of(known.webhook_key_file), Egress.of(known), known.base_url)
        uow.after_commit.append(lambda: _post(poster))


def _post(poster: Poster) -> None:
    poster.run()
