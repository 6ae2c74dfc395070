"""The letter to whoever set an endpoint up, when it was disabled by what its server answered, or did not."""

from __future__ import annotations

from uuid import UUID, uuid5

from services.notifications import storage
from services.notifications.domain.audience import Person, step
from services.notifications.domain.delivery import Delivery
from services.notifications.domain.endpoint import GONE, Endpoint
from services.notifications.domain.webhook import Webhook
from shared.database import UnitOfWork
from shared.events.webhooks import EndpointDisabled
from shared.i18n import choose_locale, translate

RULE = "webhook-endpoint-disabled"
_SUBJECT = "%(host)s: messages to your system have stopped"
_GONE = (
    "Your system at %(host)s answered that it wants no more messages (410 Gone). We have disabled this endpoint;"
    " nothing is lost: what happens from now on is kept for it."
)
_FAILING = (
    "Your system at %(host)s has taken no message for 120 hours. We have disabled this endpoint; nothing is lost:"
    " what happens from now on is kept for it."
)
_THEN = "When it is mended, try it with a test, enable the endpoint, and have everything sent that did not arrive:"


def tell_owner(uow: UnitOfWork, endpoint: Endpoint, item: Webhook, base_url: str) -> None:
    """Write to whoever set the endpoint up; were they to leave, to their colleagues at the bank."""
    known = storage.person_by_id(uow.connection, endpoint.owner)
    people = [known] if known and known.active else storage.people_at(uow.connection, f"org:{endpoint.organisation}")
    link = f"{base_url.rstrip('/')}/notifications/webhooks/{endpoint.id}"
    for person in people:
        if person.active and "finance_partner" in person.roles:
            for channel in ("inbox", "email") if person.email else ("inbox",):
                _write(uow, endpoint, item, (person, channel), link)


def _write(uow: UnitOfWork, endpoint: Endpoint, item: Webhook, to: tuple[Person, str], link: str) -> None:
    person, channel = to
    locale = choose_locale([person.locale])
    facts = {"host": endpoint.host}
    words = [translate("notifications", _GONE if endpoint.off_because == GONE else _FAILING, facts, locale=locale)]
    words += [translate("notifications", _THEN, locale=locale), link]
    letter = Delivery(
        id=str(uow.ids()),
        event_id=str(uuid5(UUID(item.id), f"disabled:{item.attempts}")),
        event_type=EndpointDisabled.TYPE,
        rule=RULE,
        about=f"endpoint:{endpoint.id}",
        case_reference=None,
        programme=None,
        case_parties={},
        correlation_id=item.correlation_id,
        recipient=person.id,
        recipient_name=person.name,
        address=person.email if channel == "email" else "",
        channel=channel,
        category="official",
        template=RULE,
        template_version="1",
        locale=locale,
        subject=translate("notifications", _SUBJECT, facts, locale=locale),
        text="\n\n".join(words),
        link=link,
        created_at=uow.now(),
        trace=[step("told", person=person.name, party="partner", address=f"org:{endpoint.organisation}")],
    )
    storage.deliveries(uow).add(letter)
    if channel == "inbox":
        letter.put_in_inbox(uow.now())
    else:
        letter.queue(uow.now())
