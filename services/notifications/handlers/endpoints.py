"""What a bank's person does with the endpoints of their systems: set up, change, rotate, try, send again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.notifications.domain import signing
from services.notifications.domain.endpoint import BY_HAND, MOST_ENDPOINTS, TEST, Endpoint, checked
from services.notifications.domain.signing import Scheme
from services.notifications.domain.webhook import Webhook
from services.notifications.egress import Egress
from services.notifications.handlers.posting import about
from services.notifications.policy import POLICY
from services.notifications.storage import webhooks as storage
from shared.database import UnitOfWork
from shared.errors import ConflictError, NotFoundError
from shared.settings import Settings
from shared.vault import Vault, vault_of
from shared.web.identity import Identity, must_have_confirmed

MANAGE, READ = "notifications.endpoint.manage", "notifications.endpoint.read"
REPLAYED_AT_ONCE = 1000


@dataclass(frozen=True)
class Tools:
    """What setting up needs beside the unit of work: the keys that seal, and what may be called."""

    vault: Vault
    egress: Egress
    random: Callable[[int], bytes] = secrets.token_bytes

    @classmethod
    def of(cls, settings: Settings) -> Tools:
        """Return this installation's; raises ConflictError where nobody has set a key."""
        if settings.webhook_key_file is None:
            raise ConflictError("This installation has no key for webhooks (TAMGA_WEBHOOK_KEY_FILE): tell its operator")
        return cls(vault_of(settings.webhook_key_file), Egress.of(settings))


def organisation_of(who: Identity) -> str:
    """Return the bank that a person stands for; one without an organisation has no endpoints to know of."""
    if not who.organisation:
        raise NotFoundError("You belong to no organisation: there are no endpoints")
    return who.organisation


def own(uow: UnitOfWork, who: Identity, endpoint_id: str, version: int | None = None, action: str = MANAGE) -> Endpoint:
    """Return an endpoint of this person's bank, locked when it is to be changed; others' are not found."""
    found = storage.endpoints(uow).find(endpoint_id, for_update=action == MANAGE)
    if found is None:
        raise NotFoundError("There is no such endpoint")
    POLICY.role_for(action, who, org=found.organisation == organisation_of(who))
    if version is not None and version != found.version:
        raise storage.endpoints(uow).stale(endpoint_id, version)
    return found


def register(
    uow: UnitOfWork, who: Identity, tools: Tools, *, url: str, description: str, types: list[str], scheme: Scheme
) -> tuple[Endpoint, str]:
    """Set an endpoint up and return it with its secret, which is told this once."""
    must_have_confirmed(who, uow.now())
    url, description, types = checked(url, description, types, plain_http=tools.egress.plain_http)
    there = storage.endpoints_of(uow.connection, organisation_of(who), lock=True)
    if len(there) >= MOST_ENDPOINTS:
        raise ConflictError("Your organisation has %(has)s endpoints, and at most so many: change one", has=len(there))
    endpoint = Endpoint(
        id=str(uow.ids()),
        organisation=organisation_of(who),
        url=url,
        description=description,
        types=types,
        scheme=scheme,
        owner=who.user,
        owner_name=who.name,
        created_at=uow.now(),
    )
    secret = signing.new_secret(scheme, tools.random)
    storage.endpoints(uow).add(endpoint)
    endpoint.register(tools.vault.seal(secret.encode(), about(endpoint.id, 1)), signing.public_half(secret))
    return endpoint, secret


def change(
    uow: UnitOfWork,
    who: Identity,
    tools: Tools,
    endpoint_id: str,
    *,
    url: str,
    description: str,
    types: list[str],
    version: int,
) -> Endpoint:
    """Let an endpoint listen elsewhere or to other things; another address asks for the password."""
    endpoint = own(uow, who, endpoint_id, version)
    url, description, types = checked(url, description, types, plain_http=tools.egress.plain_http)
    if url != endpoint.url:
        must_have_confirmed(who, uow.now())
    endpoint.change(url=url, description=description, types=types)
    return endpoint


def rotate(uow: UnitOfWork, who: Identity, tools: Tools, endpoint_id: str, version: int) -> tuple[Endpoint, str]:
    """Make a new secret and return it, told this once; the one before signs beside it for a day."""
    endpoint = own(uow, who, endpoint_id, version)
    must_have_confirmed(who, uow.now())
    secret = signing.new_secret(endpoint.scheme, tools.random)
    number = endpoint.secrets[-1].number + 1
    sealed = tools.vault.seal(secret.encode(), about(endpoint.id, number))
    endpoint.rotate(sealed, signing.public_half(secret), who.name, uow.now())
    return endpoint, secret


def retire(uow: UnitOfWork, who: Identity, endpoint_id: str, version: int) -> Endpoint:
    """Let the older of two secrets sign no more."""
    endpoint = own(uow, who, endpoint_id, version)
    endpoint.retire(uow.now())
    return endpoint


def enable(uow: UnitOfWork, who: Identity, endpoint_id: str, version: int) -> Endpoint:
    """Send to an endpoint again."""
    endpoint = own(uow, who, endpoint_id, version)
    endpoint.enable()
    return endpoint


def disable(uow: UnitOfWork, who: Identity, endpoint_id: str, version: int) -> Endpoint:
    """Send nothing to an endpoint; what happens meanwhile is kept for it."""
    endpoint = own(uow, who, endpoint_id, version)
    endpoint.disable(BY_HAND, uow.now())
    return endpoint


def try_out(uow: UnitOfWork, who: Identity, endpoint_id: str) -> Webhook:
    """Queue a message that says nothing, tried once, also to a disabled endpoint: to see the exact bytes signed."""
    endpoint = own(uow, who, endpoint_id)
    item = _test_of(uow, endpoint)
    storage.webhooks(uow).add(item)
    item.queue(uow.now())
    return item


def _test_of(uow: UnitOfWork, endpoint: Endpoint) -> Webhook:
    return Webhook(
        id=str(uow.ids()),
        endpoint=endpoint.id,
        organisation=endpoint.organisation,
        event_id=str(uow.ids()),
        event_type=TEST,
        happened_at=uow.now(),
        about=f"endpoint:{endpoint.id}",
        sequence=0,
        facts={},
        correlation_id=str(uow.context.correlation_id),
        created_at=uow.now(),
    )


def message_of(uow: UnitOfWork, who: Identity, endpoint_id: str, webhook_id: str, action: str = READ) -> Webhook:
    """Return a message to an endpoint of this person's bank."""
    endpoint = own(uow, who, endpoint_id, action=action)
    found = storage.webhooks(uow).find(webhook_id, for_update=action == MANAGE)
    if found is None or found.endpoint != endpoint.id:
        raise NotFoundError("There is no such message")
    return found


def replay(uow: UnitOfWork, who: Identity, endpoint_id: str, webhook_id: str) -> Webhook:
    """Send one message again."""
    item = message_of(uow, who, endpoint_id, webhook_id, MANAGE)
    _must_be_enabled(own(uow, who, endpoint_id))
    item.replay(uow.now())
    return item


def replay_failed(uow: UnitOfWork, who: Identity, endpoint_id: str, since: datetime | None) -> int:
    """Send everything again that did not arrive since a moment, oldest first; returns how many (at most 1,000)."""
    endpoint = own(uow, who, endpoint_id)
    _must_be_enabled(endpoint)
    repository = storage.webhooks(uow)
    ids = storage.given_up(uow.connection, endpoint.id, since, REPLAYED_AT_ONCE)
    for webhook_id in ids:
        repository.get(webhook_id).replay(uow.now())
    return len(ids)


def _must_be_enabled(endpoint: Endpoint) -> None:
    if not endpoint.enabled:
        raise ConflictError("This endpoint is disabled: enable it first")
