"""Links in letters by which a reader does one act once, without signing in: made when the letter is sent.

The link is written into what goes to the mail server and nowhere else: not into the letter as it is kept, nor into any
event. What is known of it is its hash, which the service of the act learns by an event.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from services.notifications.domain.delivery import Delivery
from shared.database import UnitOfWork
from shared.events.notifications import ActLinkIssued
from shared.i18n import catalogue
from shared.settings import settings

LIFETIME = timedelta(days=7)
# What a link does, as the letter says it: gettext ids.
ACTS = {"acknowledge": "Acknowledge receipt", "question": "Ask the firm a question", "decline": "Decline"}
INTRODUCTION = "Without signing in, until %(moment)s, each link once and for you alone:"


def address_of(base_url: str, token: str) -> str:
    """Return the address of a link; of an empty token, how all of them begin."""
    return f"{base_url.rstrip('/')}/loans/links/{token}"


def written(uow: UnitOfWork, delivery: Delivery) -> str:
    """Make the links that a letter is to carry and return the paragraph that says them, "" when it carries none."""
    if not delivery.links or not delivery.about.startswith("referral:"):
        return ""
    until, words = uow.now() + LIFETIME, catalogue("notifications", delivery.locale)
    local = until.astimezone(ZoneInfo(settings().time_zone))
    moment = format_datetime(local, "d MMMM y, HH:mm", locale=delivery.locale)
    lines = [words.gettext(INTRODUCTION) % {"moment": moment}]
    for purpose in delivery.links:
        token, link_id = secrets.token_urlsafe(32), str(uow.ids())
        event = ActLinkIssued(
            link_id=link_id,
            link_sha256=hashlib.sha256(token.encode()).hexdigest(),
            purpose=purpose,
            recipient=delivery.recipient,
            about=delivery.about,
            good_until=until,
        )
        uow.record(event, entity=f"link:{link_id}", case=delivery.case_reference, programme=delivery.programme)
        lines.append(f"{words.gettext(ACTS[purpose])}: {address_of(settings().base_url, token)}")
    return "\n".join(lines)
