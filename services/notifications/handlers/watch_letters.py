"""The letter to auditors that the watch over the log found something: once a day, and without saying what."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from services.notifications import storage
from services.notifications.domain.audience import Person, step
from services.notifications.domain.delivery import Delivery
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.i18n import choose_locale, translate
from shared.settings import settings

RULE = "watch-found-something"
_SUBJECT = "The watch over the audit log found something"
_WORDS = (
    "A rule of the watch has found acts in the audit log that somebody should look at. What it found, and on which"
    " entries it rests, stands on the page of the watch; nothing of it is in this letter."
)
_ONCE = "You have one such letter a day at most, however much is found."


def tell_auditors(uow: UnitOfWork, envelope: Envelope) -> None:
    """Tell every auditor, once a day of the house, that there is a hit to look at."""
    own = settings()
    day = uow.now().astimezone(ZoneInfo(own.time_zone)).date()
    matter = uuid5(NAMESPACE_URL, f"urn:tamga:watch:{day}")
    told = storage.letters_about(uow.connection, matter)
    link = f"{own.base_url.rstrip('/')}/audit/watch"
    for person in storage.people_at(uow.connection, "role:auditor"):
        for channel in ("inbox", "email") if person.email else ("inbox",):
            if person.active and (person.id, channel, RULE) not in told:
                _write(uow, envelope, matter, (person, channel), link)


def _write(uow: UnitOfWork, envelope: Envelope, matter: UUID, to: tuple[Person, str], link: str) -> None:
    person, channel = to
    locale = choose_locale([person.locale])
    words = [translate("notifications", text, locale=locale) for text in (_WORDS, _ONCE)]
    letter = Delivery(
        id=str(uow.ids()),
        event_id=str(matter),
        event_type=envelope.type,
        rule=RULE,
        about="watch:log",
        case_reference=None,
        programme=None,
        case_parties={},
        correlation_id=str(envelope.correlation_id),
        recipient=person.id,
        recipient_name=person.name,
        address=person.email if channel == "email" else "",
        channel=channel,
        category="official",
        template=RULE,
        template_version="1",
        locale=locale,
        subject=translate("notifications", _SUBJECT, locale=locale),
        text="\n\n".join([*words, link]),
        link=link,
        created_at=uow.now(),
        trace=[step("told", person=person.name, party="auditor", address="role:auditor")],
    )
    storage.deliveries(uow).add(letter)
    if channel == "inbox":
        letter.put_in_inbox(uow.now())
    else:
        letter.queue(uow.now())
