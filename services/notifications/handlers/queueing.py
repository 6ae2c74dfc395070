"""From a fact about a bank to messages for that bank's own systems, and which consents live."""

from __future__ import annotations

from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.webhook import REVOKED, State, Webhook
from services.notifications.handlers.deciding import tell
from services.notifications.storage import webhooks as storage
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.events.loans.referral import ConsentGiven

CONSENT = "loans.referral.consented"
# After these the purpose of the consent is over, and with the last it was taken back.
ENDINGS = ("loans.referral.withdrawn", "loans.referral.closed", "loans.referral.turned_down", "loans.referral.expired")
_FACTS = ("referral_id", "proposal_id", "loan_id", "tape_id", "guarantee_id")


def announce(uow: UnitOfWork, envelope: Envelope) -> None:
    """Write the letters about an event of loans, keep what it says of a consent, and queue messages for the bank."""
    tell(uow, envelope)
    keep_consent(uow, envelope)
    bank = envelope.data.get("bank_id")
    if envelope.outcome != "success" or not isinstance(bank, str):
        return
    for endpoint in storage.listening(uow.connection, bank, envelope.id):
        if envelope.type in endpoint.types:
            _queue(uow, envelope, endpoint)


def _queue(uow: UnitOfWork, envelope: Envelope, endpoint: Endpoint) -> None:
    item = Webhook(
        id=str(uow.ids()),
        endpoint=endpoint.id,
        organisation=endpoint.organisation,
        event_id=str(envelope.id),
        event_type=envelope.type,
        happened_at=envelope.time,
        about=envelope.entity,
        sequence=envelope.sequence,
        facts={name: envelope.data[name] for name in _FACTS if isinstance(envelope.data.get(name), str)},
        correlation_id=str(envelope.correlation_id),
        created_at=uow.now(),
        state_now=State.QUEUED,
    )
    storage.webhooks(uow).add(item)
    if endpoint.enabled:
        item.queue(uow.now())
    else:
        item.hold()


def learn_consent(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep until when a consent lasts, and write the letters about it."""
    keep_consent(uow, envelope)
    tell(uow, envelope)


def keep_consent(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep until when a consent lasts, or that it lives no more."""
    referral = envelope.data.get("referral_id")
    if envelope.type == CONSENT:
        given = ConsentGiven.model_validate(envelope.data)
        storage.keep_consent(uow.connection, given.referral_id, given.until)
    elif envelope.type in {REVOKED, *ENDINGS} and isinstance(referral, str):
        storage.end_consent(uow.connection, referral, revoked=envelope.type == REVOKED)
