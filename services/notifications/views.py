"""What pages and API show of letters, and who may see which."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from services.notifications import storage
from services.notifications.domain.audience import Step
from services.notifications.domain.delivery import Delivery, Status
from services.notifications.domain.retry import Verdict
from services.notifications.policy import POLICY
from shared.errors import NotFoundError
from shared.web.identity import Identity
from shared.web.paging import Page, decode_cursor, page_of

READ = "notifications.delivery.read"
PAGE = 50

# A status and a channel in words, and the colour of the status; gettext ids.
STATUS_WORDS = {
    Status.QUEUED: ("waiting", ""),
    Status.SENDING: ("being sent", ""),
    Status.SENT: ("sent", "good"),
    Status.TEMPORARY_FAILURE: ("trying again", "warn"),
    Status.PERMANENT_FAILURE: ("failed", "bad"),
    Status.SUPPRESSED: ("not sent", ""),
}
CHANNEL_WORDS = {"email": "e‑mail", "inbox": "inbox"}
VERDICT_WORDS = {
    Verdict.ACCEPTED: ("accepted", "good"),
    Verdict.TEMPORARY: ("refused for now", "warn"),
    Verdict.PERMANENT: ("refused for good", "bad"),
    Verdict.UNCERTAIN: ("no answer after the letter was handed over", "warn"),
    Verdict.LOST: ("the sender ended before it knew", "warn"),
}

# The steps of a decision in words; gettext ids with the steps' facts.
SENTENCES = {
    "matched": "The rule %(rule)s speaks about %(event)s.",
    "nobody_in_party": "The event names nobody as %(party)s.",
    "nobody_known": "%(address)s, named as %(party)s, was not known here.",
    "inactive": "%(person)s, named as %(party)s, is not told: no longer active.",
    "own_act": "%(person)s, named as %(party)s, is not told: it was their own act.",
    "other_role": "%(person)s belongs to the organisation named as %(party)s, but does not stand for it in that role.",
    "other_programme": "%(person)s has the role named as %(party)s, but not in this programme.",
    "named_twice": "%(person)s, named as %(party)s too, is told once.",
    "told": "%(person)s is told, named as %(party)s (%(address)s).",
    "stands_in": "%(person)s stands in for %(name)s now, and is told too.",
    "language": "Wanted language: %(wanted)s; written in: %(chosen)s.",
}
SUPPRESSED_BECAUSE = {
    "muted": "The person does not want this category by e-mail.",
    "no_address": "No e-mail address is known.",
}


def sentence(step: Step | dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the gettext id of a step and its facts."""
    found = step if isinstance(step, Step) else Step.model_validate(step)
    return SENTENCES[found.code], found.facts


def standing(item: Delivery) -> tuple[str, str]:
    """Return where a letter stands, as a gettext id, and the colour of it."""
    if item.channel == "inbox" and item.status is Status.SENT:
        return ("read", "good") if item.read_at else ("in the inbox", "good")
    return STATUS_WORDS[item.status]


def masked(address: str) -> str:
    """Return an address of which only enough is shown to recognise it."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}…@{domain}" if domain else ""


def page_path(link: str) -> str:
    """Return the address within this site that a letter links to."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path or "/notifications/inbox"


def visible_programmes(who: Identity) -> list[str] | None:
    """Return the programmes whose deliveries a person may see; None means of all."""
    scopes = POLICY.require(READ, who).values()
    return None if "all" in scopes else list(who.programmes)


def visible_delivery(connection: Connection, who: Identity, delivery_id: str) -> Delivery:
    """Return a delivery that this person may see; raises NotFoundError for any other."""
    delivery = storage.read_delivery(connection, delivery_id)
    if delivery is None:
        raise NotFoundError("There is no such letter")
    POLICY.role_for(READ, who, programme=delivery.programme)
    return delivery


def listed(
    connection: Connection,
    who: Identity,
    *,
    case: str | None,
    status: Status | None,
    cursor: str | None,
    limit: int = PAGE,
) -> Page[Delivery]:
    """Return a page of the deliveries that this person may see, newest first."""
    found = storage.find_deliveries(
        connection,
        case=case,
        status=status.value if status else None,
        programmes=visible_programmes(who),
        before=_after(cursor),
        limit=limit + 1,
    )
    return page_of(found, limit, lambda item: [item.id])


def inbox(connection: Connection, who: Identity, *, unread: bool, cursor: str | None, limit: int) -> Page[Delivery]:
    """Return a page of a person's own inbox, newest first."""
    found = storage.inbox(connection, who.user, unread=unread, before=_after(cursor), limit=limit + 1)
    return page_of(found, limit, lambda item: [item.id])


def _after(cursor: str | None) -> str | None:
    values = decode_cursor(cursor, 1)
    return str(values[0]) if values else None
