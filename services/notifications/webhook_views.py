"""What pages and API show of messages to banks' systems."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from services.notifications.domain.endpoint import BY_HAND, FAILING, GONE
from services.notifications.domain.webhook import NEVER_TOLD, NO_CONSENT, State, Webhook
from services.notifications.storage import webhooks as storage
from shared.web.paging import Page, decode_cursor, page_of

PAGE = 50
RECEIVER = Path(__file__).parent / "receiver" / "tamga_webhooks.py"

# Gettext ids, and the colour.
STATES = {
    State.QUEUED: ("waiting", ""),
    State.SENDING: ("being sent", ""),
    State.RETRYING: ("trying again", "warn"),
    State.DELIVERED: ("delivered", "good"),
    State.FAILED: ("given up", "bad"),
    State.HELD: ("kept until the endpoint is enabled", "warn"),
    State.DROPPED: ("not sent", ""),
}
OFF = {
    BY_HAND: "Somebody of your organisation disabled it.",
    GONE: "Your system answered 410 Gone: it wants no more messages.",
    FAILING: "Your system took no message for 120 hours.",
}
BECAUSE = {
    NO_CONSENT: "The applicant revoked the consent before this message left: nothing of the referral is told.",
    NEVER_TOLD: "Nothing of this referral had reached this endpoint, so there is nothing to take back.",
}
VERDICTS = {
    "accepted": ("taken", "good"),
    "refused": ("refused", "bad"),
    "no_answer": ("no answer", "bad"),
    "lost": ("the sender ended before it knew", "warn"),
}
KINDS = {
    "referral": "Referrals",
    "loan": "Loans",
    "product": "Loan products",
    "tape": "Repayment tapes",
    "guarantee": "Guarantees",
}


def messages(connection: Connection, endpoint_id: str, state: State | None, cursor: str | None) -> Page[Webhook]:
    """Return a page of an endpoint's messages, newest first."""
    values = decode_cursor(cursor, 1)
    before = str(values[0]) if values else None
    status = state.value if state else None
    found = storage.messages(connection, endpoint_id, status=status, before=before, limit=PAGE + 1)
    return page_of(found, PAGE, lambda item: [item.id])
