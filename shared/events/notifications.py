"""Events that the notifications service publishes. Addresses and the text of letters never stand in them."""

from __future__ import annotations

from datetime import datetime

from shared.events.base import Event, attempt_and_view

AttemptRefused, RecordViewed = attempt_and_view("notifications")


class LetterEvent(Event):
    """What every event of a delivery says: which letter, to whom, by which channel, and its present state."""

    event_id: str  # the event that the letter tells of
    event_type: str
    rule: str
    channel: str  # email | inbox
    recipient: str  # user id
    recipient_name: str
    category: str
    template: str
    template_version: str
    locale: str
    title: str
    state: str


class DeliveryQueued(LetterEvent):
    """A letter waits to be sent. Entity delivery:<id>."""

    TYPE = "notifications.delivery.queued"
    again: bool = False  # an operator asked for another try after a permanent failure


class DeliverySent(LetterEvent):
    """The mail server took the letter over, or it lies in the person's inbox."""

    TYPE = "notifications.delivery.sent"
    attempt: int = 0


class DeliveryFailed(LetterEvent):
    """An attempt failed: `state` says whether it is tried again (temporary_failure) or not (permanent_failure)."""

    TYPE = "notifications.delivery.failed"
    attempt: int
    code: int | None
    problem: str
    next_attempt_at: datetime | None


class DeliverySuppressed(LetterEvent):
    """A letter is not sent on purpose: `because` is muted or no_address."""

    TYPE = "notifications.delivery.suppressed"
    because: str


class DeliveryRead(LetterEvent):
    """The person opened the letter in their inbox."""

    TYPE = "notifications.delivery.read"


class ActLinkIssued(Event):
    """A letter carries a link by which its reader does one act once, without signing in. Entity link:<id>.

    The link itself is not kept anywhere, `link_sha256` is all that is known of it. `about` is the entity of the act.
    """

    TYPE = "notifications.link.issued"
    link_id: str
    link_sha256: str
    purpose: str
    recipient: str
    about: str
    good_until: datetime


class PreferenceChanged(Event):
    """A person chose which categories reach them by e-mail. Entity preference:<user id>."""

    TYPE = "notifications.preference.changed"
    AUDIENCE = "record"
    user_id: str
    muted: list[str]


class RuleSetAdopted(Event):
    """A programme's rules and letters are in force from now on. Entity ruleset:<programme id>."""

    TYPE = "notifications.ruleset.adopted"
    AUDIENCE = "record"
    programme_id: str
    pack_version: int
    sha256: str
    rules: int
    letters: int
    warnings: list[str] = []


class RuleSetRefused(Event):
    """A programme's rules have errors; those before stay in force."""

    TYPE = "notifications.ruleset.refused"
    AUDIENCE = "record"
    programme_id: str
    pack_version: int
    sha256: str
    problems: list[str]
