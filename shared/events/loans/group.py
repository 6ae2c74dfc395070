"""Events of a group proposal: who is in it, who accepted, who consented to what. None names a member's facts."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class _GroupFact(Event):
    group_id: str
    proposal_id: str
    organisation_id: str
    organisation_name: str
    title: str
    members: int
    notify: list[str] = []


class GroupSettled(_GroupFact):
    """Shares and liability of a group stand so; every member is asked to accept. Entity group:<GRP-…>."""

    TYPE = "loans.group.settled"
    liability: str
    terms_sha256: str


class GroupDissolved(_GroupFact):
    """The firm applies alone again."""

    TYPE = "loans.group.dissolved"


class MemberAccepted(_GroupFact):
    """A member accepted its share and the liability, known by their hash."""

    TYPE = "loans.group.member_accepted"
    member_id: str
    terms_sha256: str


class MemberDeclined(_GroupFact):
    """A member stays out of it."""

    TYPE = "loans.group.member_declined"
    member_id: str


class MemberConsented(_GroupFact):
    """A member lets one bank see some of its own fields, until a day."""

    TYPE = "loans.group.member_consented"
    member_id: str
    bank_id: str
    fields: list[str]
    until: date


class MemberConsentRevoked(_GroupFact):
    """A member took its consent for a bank back."""

    TYPE = "loans.group.consent_revoked"
    member_id: str
    bank_id: str
