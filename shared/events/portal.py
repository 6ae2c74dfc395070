"""Events that the portal service publishes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from shared.events.base import Event, attempt_and_view

AttemptRefused, RecordViewed = attempt_and_view("portal")


class UserRegistered(Event):
    """A person may sign in from now on. Entity user:<id>."""

    TYPE = "portal.user.registered"
    PERSONAL = True
    user_id: str
    name: str
    email: str
    locale: str = "en"
    roles: list[str]
    organisation: str | None = None
    programmes: list[str] = Field(default_factory=list)


class UserChanged(Event):
    """A person's name, address, language, roles or organisation changed; the whole present state."""

    TYPE = "portal.user.changed"
    PERSONAL = True
    user_id: str
    name: str
    email: str
    locale: str
    roles: list[str]
    organisation: str | None = None
    programmes: list[str] = Field(default_factory=list)


class UserDeactivated(Event):
    """A person can no longer sign in; the record of what they did stays."""

    TYPE = "portal.user.deactivated"
    user_id: str
    reason: str


class OrganisationRegistered(Event):
    """An organisation is known: BSO, lead firm, MSME, bank, MFI, programme office. Entity organisation:<id>."""

    TYPE = "portal.organisation.registered"
    organisation_id: str
    name: str
    kind: str
    country: str | None = None
    registration_number: str | None = None
    tax_number: str | None = None
    address: str | None = None
    website: str | None = None


class OrganisationChanged(Event):
    """An organisation's facts are others now; the whole present state. Entity organisation:<id>.

    `proposed_by` is who entered name, type, country or numbers that another person then confirmed.
    """

    TYPE = "portal.organisation.changed"
    organisation_id: str
    name: str
    kind: str
    country: str | None = None
    registration_number: str | None = None
    tax_number: str | None = None
    address: str | None = None
    website: str | None = None
    proposed_by: str | None = None


class OrganisationChangeProposed(Event):
    """Another name, type, country or number waits to be confirmed; `new` when nobody knows the organisation yet."""

    TYPE = "portal.organisation.change_proposed"
    organisation_id: str
    name: str
    facts: dict[str, str | None]
    proposed_by: str
    new: bool = False


class OrganisationChangeRefused(Event):
    """What waited was not confirmed, with the reason; `own` when whoever entered it took it back."""

    TYPE = "portal.organisation.change_refused"
    AUDIENCE = "record"
    organisation_id: str
    facts: dict[str, str | None]
    proposed_by: str
    why: str
    own: bool = False


class ProgrammeLoaded(Event):
    """A programme pack was loaded or replaced; the whole pack travels. Entity programme:<id>."""

    TYPE = "portal.programme.loaded"
    programme_id: str
    pack_version: int
    sha256: str
    pack: dict[str, object]
    edited_call: str | None = None


class CallDraftOpened(Event):
    """Somebody began to write a call in the browser, or to change one. Entity call_draft:<id>."""

    TYPE = "portal.call_draft.opened"
    AUDIENCE = "record"
    draft_id: str
    programme_id: str
    call: str
    pack_version: int
    copied_from: str | None = None


class CallDraftEdited(Event):
    """The draft of a call says something else; `parts` are the members that changed. Entity call_draft:<id>."""

    TYPE = "portal.call_draft.edited"
    AUDIENCE = "record"
    draft_id: str
    programme_id: str
    call: str
    parts: list[str]


class CallDraftHandedIn(Event):
    """The draft of a call waits for a second person to publish it. Entity call_draft:<id>."""

    TYPE = "portal.call_draft.handed_in"
    draft_id: str
    programme_id: str
    call: str
    call_name: dict[str, str] = {}


class CallDraftReturned(Event):
    """A second person gave the draft of a call back with a reason. Entity call_draft:<id>."""

    TYPE = "portal.call_draft.returned"
    AUDIENCE = "record"
    draft_id: str
    programme_id: str
    call: str
    reason: str


class CallDraftPublished(Event):
    """The draft of a call became a version of its programme's pack. Entity call_draft:<id>."""

    TYPE = "portal.call_draft.published"
    AUDIENCE = "record"
    draft_id: str
    programme_id: str
    call: str
    pack_version: int
    sha256: str
    parts: list[str]


class CallDraftDiscarded(Event):
    """The draft of a call was given up. Entity call_draft:<id>."""

    TYPE = "portal.call_draft.discarded"
    AUDIENCE = "record"
    draft_id: str
    programme_id: str
    call: str


class PasswordChanged(Event):
    """A person changed their password, or the operator gave a new one; other sessions end. Entity user:<id>."""

    TYPE = "portal.user.password_changed"
    AUDIENCE = "record"
    user_id: str


class SessionOpened(Event):
    """A person signed in. Entity session:<hash of the session>."""

    TYPE = "portal.session.opened"
    AUDIENCE = "record"
    user_id: str


class SessionConfirmed(Event):
    """A person gave their password again before an act that asks for it. Entity session:<hash of the session>."""

    TYPE = "portal.session.confirmed"
    AUDIENCE = "record"
    user_id: str


class SessionClosed(Event):
    """A person signed out, or the session was ended for them. Entity session:<hash of the session>."""

    TYPE = "portal.session.closed"
    AUDIENCE = "record"
    user_id: str
    reason: str


class SignInRefused(Event):
    """A sign-in failed. The address tried is not kept, only its hash. Entity signin:<id>."""

    TYPE = "portal.signin.refused"
    AUDIENCE = "record"
    account_hash: str
    user_id: str | None
    reason: str


class LinkIssued(Event):
    """A person may choose a password by a link that works once; the link itself is not kept. Entity link:<id>."""

    TYPE = "portal.link.issued"
    AUDIENCE = "record"
    link_id: str
    user_id: str
    good_until: datetime


class KeyIssued(Event):
    """A person may use the API with a key from now on; the key itself is not kept. Entity key:<id>."""

    TYPE = "portal.key.issued"
    AUDIENCE = "record"
    key_id: str
    user_id: str
    label: str
    scopes: list[str] = []


class KeyRevoked(Event):
    """An API key opens nothing any more. Entity key:<id>."""

    TYPE = "portal.key.revoked"
    AUDIENCE = "record"
    key_id: str
    user_id: str
