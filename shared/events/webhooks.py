"""Events about banks' own systems: where they listen, what reached them. Of an address they say the host alone."""

from __future__ import annotations

from datetime import datetime

from shared.events.base import Event


class _EndpointFact(Event):
    AUDIENCE = "record"
    endpoint_id: str
    organisation_id: str
    host: str


class EndpointRegistered(_EndpointFact):
    """A person of an organisation had its system listen. Entity endpoint:<id>."""

    TYPE = "notifications.endpoint.registered"
    event_types: list[str]
    scheme: str


class EndpointChanged(_EndpointFact):
    """The endpoint's address, description or events were changed."""

    TYPE = "notifications.endpoint.changed"
    event_types: list[str]


class EndpointSecretMade(_EndpointFact):
    """A new secret signs; the one before signs beside it until `older_until`."""

    TYPE = "notifications.endpoint.secret_made"
    number: int
    older_until: datetime


class EndpointSecretRetired(_EndpointFact):
    """The older of two secrets signs no more."""

    TYPE = "notifications.endpoint.secret_retired"
    number: int


class EndpointSecretsResealed(_EndpointFact):
    """The endpoint's secrets are the same, kept under a newer key of the house."""

    TYPE = "notifications.endpoint.secrets_resealed"
    key: str
    numbers: list[int]


class EndpointEnabled(_EndpointFact):
    """Messages are sent to it again."""

    TYPE = "notifications.endpoint.enabled"


class EndpointDisabled(_EndpointFact):
    """Nothing is sent to it: `because` is person, gone (it answered 410) or failing (for 120 hours)."""

    TYPE = "notifications.endpoint.disabled"
    because: str
    failing_since: datetime | None


class _WebhookFact(Event):
    AUDIENCE = "record"
    endpoint_id: str
    organisation_id: str
    message_id: str
    event_id: str
    event_type: str


class WebhookQueued(_WebhookFact):
    """A message to a bank's system waits to be sent. Entity webhook:<id>."""

    TYPE = "notifications.webhook.queued"
    again: bool = False


class WebhookDelivered(_WebhookFact):
    """The bank's system answered 2xx."""

    TYPE = "notifications.webhook.delivered"
    attempt: int
    code: int


class WebhookFailed(_WebhookFact):
    """An attempt failed; it is tried again at `next_attempt_at`, or not any more."""

    TYPE = "notifications.webhook.failed"
    attempt: int
    code: int | None
    next_attempt_at: datetime | None


class WebhookDropped(_WebhookFact):
    """A message is not sent on purpose: the endpoint is disabled (`kept` for later), or there is no live consent."""

    TYPE = "notifications.webhook.dropped"
    because: str
    kept: bool
