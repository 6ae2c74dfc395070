"""Several firms that ask for one loan: who is in it with which share, who stands for whose debt, who has accepted.

Each member gives its own facts, and consents by bank to which of them leave; without that a bank learns nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from services.loans.domain.blocks import MaybePercent, MaybeSum, Whole
from services.loans.domain.matching import size_class
from shared.entity import Entity, Part, canonical_hash
from shared.errors import ConflictError, IllegalTransitionError, InvalidError, NotFoundError, Rule
from shared.events.fields import Line
from shared.events.loans import group as events
from shared.money import Money, total

MAX_MEMBERS = 20
LIABILITIES = ("several", "joint_and_several")
# What a member may let a bank see of itself; the share is among them, for it tells what the firm will owe.
FIELDS = (
    "name",
    "registration_number",
    "sector",
    "employees",
    "size_class",
    "turnover",
    "women_owned_percent",
    "share",
)
_NEEDED = ("registration_number", "sector", "employees", "turnover")


class Facts(Part):
    """What a member says of itself; turnover is that of its last year, in the proposal's currency."""

    registration_number: Line = ""
    sector: Line = ""
    employees: Whole = None
    turnover: MaybeSum = None
    women_owned_percent: MaybePercent = None

    def missing(self) -> list[str]:
        """Return what a member has to say before it can accept."""
        return [name for name in _NEEDED if getattr(self, name) in {None, ""}]


class MemberConsent(Part):
    """One bank, some of a member's own fields, until a day."""

    bank: str
    fields: list[str]
    until: date
    given_by: str
    given_by_name: str
    given_at: datetime

    def live(self, today: date) -> bool:
        return today <= self.until


class Member(Part):
    """A firm beside the one that applies; `accepted` is the hash of the terms that it agreed to."""

    organisation: str
    name: str
    share: Money
    stage: Literal["invited", "accepted", "declined"] = "invited"
    accepted: str = ""
    answered_at: datetime | None = None
    answered_by: str = ""
    why: str = ""
    facts: Facts = Facts()
    consents: list[MemberConsent] = []

    def consent(self, bank: str, today: date) -> MemberConsent | None:
        """Return the member's live consent for a bank."""
        return next((item for item in self.consents if item.bank == bank and item.live(today)), None)

    def said(self) -> dict[str, Any]:
        """Return all its facts as JSON types, by the names of FIELDS."""
        facts = self.facts.model_dump(mode="json")
        size = "" if self.facts.employees is None else size_class(self.facts.employees)
        return {**facts, "name": self.name, "share": self.share.model_dump(mode="json"), "size_class": size}


@dataclass(frozen=True)
class Seat:
    """One firm's place in what is asked for."""

    organisation: str
    name: str
    share: Money


class Group(Entity):
    """The firms of one proposal. A change of the shares or of the liability asks every member anew."""

    KIND: ClassVar[str] = "group"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"members"})

    proposal: str
    programme: str
    organisation: str  # the one that applies
    organisation_name: str
    title: str
    liability: Annotated[str, Field(pattern="^(several|joint_and_several)$")]
    lead_share: Money
    members: list[Member] = []
    dissolved: bool = False

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        firms = [self.organisation, *(member.organisation for member in self.members)]
        return {"applicant": [f"org:{firm}" for firm in firms], "officer": ["role:officer"]}

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this group says: of the members nothing but their number."""
        return {
            "group_id": self.id,
            "proposal_id": self.proposal,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
            "title": self.title,
            "members": len(self.members),
            "notify": list(notify),
        }

    def terms_sha256(self) -> str:
        """Return the hash of what a member accepts: every share, and who stands for whose debt."""
        shares = [[member.organisation, str(member.share.amount)] for member in self.members]
        lead = [self.organisation, str(self.lead_share.amount)]
        return canonical_hash({"liability": self.liability, "shares": [lead, *shares]})

    def asked(self) -> Money:
        """Return what all shares come to."""
        return total((self.lead_share, *(member.share for member in self.members)), self.lead_share.currency)

    def settle(self, liability: str, lead: Money, seats: Sequence[Seat], amount: Money) -> None:
        """Say who is in it with which share; who accepted other terms is asked again."""
        self._stands("settle")
        _possible(self.organisation, liability, lead, seats, amount)
        known = {member.organisation: member for member in self.members}
        before = self.terms_sha256()
        self.liability, self.lead_share = liability, lead
        self.members = [
            known[seat.organisation].model_copy(update={"share": seat.share})
            if seat.organisation in known
            else Member(organisation=seat.organisation, name=seat.name, share=seat.share)
            for seat in seats
        ]
        now = self.terms_sha256()
        if now == before and all(member.organisation in known for member in self.members):
            return
        asked = {"stage": "invited", "accepted": "", "why": ""}
        self.members = [member.model_copy(update=asked) for member in self.members]
        self.record(events.GroupSettled(**self.facts("applicant"), liability=liability, terms_sha256=now))

    def dissolve(self) -> None:
        """Let the firm apply alone again."""
        self._stands("dissolve")
        self.dissolved = True
        self.record(events.GroupDissolved(**self.facts("applicant")))

    def _stands(self, attempted: str) -> None:
        if self.dissolved:
            raise IllegalTransitionError(attempted, "dissolved", [])

    def member(self, organisation: str) -> Member:
        """Return a firm's place in the group."""
        found = next((item for item in self.members if item.organisation == organisation), None)
        if found is None:
            raise NotFoundError("There is no such record")
        return found

    def _put(self, member: Member, **changed: Any) -> None:
        done = member.model_copy(update=changed)
        self.members = [done if item.organisation == member.organisation else item for item in self.members]

    def accept(self, organisation: str, sha256: str, facts: Facts, now: datetime, by: str) -> None:
        """Agree to the share and to the liability as they stand, and say who one is."""
        self._stands("accept")
        member = self.member(organisation)
        if sha256 != self.terms_sha256():
            raise ConflictError("The shares or the liability have changed: read them again")
        if member.stage == "accepted":
            raise IllegalTransitionError("accept", "accepted", ["decline"])
        if missing := facts.missing():
            raise InvalidError(dict.fromkeys(missing, "is required"))
        self._put(member, stage="accepted", accepted=sha256, facts=facts, answered_at=now, answered_by=by, why="")
        self.record(events.MemberAccepted(**self.facts("applicant"), member_id=organisation, terms_sha256=sha256))

    def decline(self, organisation: str, why: str, now: datetime, by: str) -> None:
        """Stay out of it; the consents of this member end."""
        self._stands("decline")
        member = self.member(organisation)
        if member.stage == "declined":
            raise IllegalTransitionError("decline", "declined", ["accept"])
        if not why.strip():
            raise InvalidError({"why": "is required"})
        self._put(member, stage="declined", accepted="", answered_at=now, answered_by=by, why=why, consents=[])
        self.record(events.MemberDeclined(**self.facts("applicant"), member_id=organisation))

    def consent(self, organisation: str, given: MemberConsent) -> None:
        """Let one bank see some of one's own fields; a new consent for the bank takes the former's place."""
        self._stands("consent")
        member = self.member(organisation)
        if member.stage != "accepted":
            raise IllegalTransitionError("consent", member.stage, ["accept", "decline"])
        unknown = [name for name in given.fields if name not in FIELDS]
        if not given.fields or unknown:
            raise InvalidError({"fields": Rule("choose at least one of: %(names)s", names=", ".join(FIELDS))})
        others = [item for item in member.consents if item.bank != given.bank]
        self._put(member, consents=[*others, given])
        about = {"member_id": organisation, "bank_id": given.bank, "fields": given.fields, "until": given.until}
        self.record(events.MemberConsented(**self.facts("applicant"), **about))

    def revoke(self, organisation: str, bank: str) -> None:
        """Take a consent back: from now on the bank sees nothing of this member."""
        member = self.member(organisation)
        kept = [item for item in member.consents if item.bank != bank]
        if len(kept) == len(member.consents):
            raise ConflictError("There is no consent for this bank")
        self._put(member, consents=kept)
        self.record(events.MemberConsentRevoked(**self.facts("applicant"), member_id=organisation, bank_id=bank))

    def ready(self, amount: Money) -> None:
        """Raise ConflictError unless the shares make the amount and all members have accepted them."""
        if self.dissolved:
            return
        if (problem := _difference(self.asked(), amount)) is not None:
            raise ConflictError(problem.message, **problem.params)
        waiting = [item.name for item in self.members if item.stage != "accepted"]
        if waiting:
            raise ConflictError("Members who have not accepted: %(names)s", names=", ".join(waiting))

    def without_consent(self, bank: str, today: date) -> list[str]:
        """Return the members who have not consented to a bank."""
        return [] if self.dissolved else [item.name for item in self.members if not item.consent(bank, today)]

    def content(self) -> dict[str, Any]:
        """Return what was agreed and what every member has said, to be kept with a locked version."""
        said = [{"organisation": item.organisation, "facts": item.said()} for item in self.members]
        return {"liability": self.liability, "members": said}

    def disclosed(self, kept: dict[str, Any], bank: str, today: date) -> list[dict[str, Any]]:
        """Return of each member of a locked version what it lets that bank see today; an empty mapping otherwise."""
        found = {item.organisation: item for item in self.members}
        shown = []
        for entry in kept["members"]:
            member = found.get(entry["organisation"])
            consent = member.consent(bank, today) if member else None
            names = consent.fields if consent else []
            shown.append({name: entry["facts"][name] for name in FIELDS if name in names})
        return shown


def _difference(sum_: Money, amount: Money) -> Rule | None:
    if sum_ == amount:
        return None
    params = {"sum": sum_, "asked": amount}
    if sum_ < amount:
        return Rule("the shares come to %(sum)s of %(asked)s: %(left)s is missing", **params, left=amount - sum_)
    return Rule("the shares come to %(sum)s of %(asked)s: %(left)s too much", **params, left=sum_ - amount)


def _possible(lead: str, liability: str, share: Money, seats: Sequence[Seat], amount: Money) -> None:
    wrong: dict[str, str] = {}
    firms = [seat.organisation for seat in seats]
    if liability not in LIABILITIES:
        wrong["liability"] = Rule("must be one of: %(names)s", names=", ".join(LIABILITIES))
    if not 1 <= len(seats) <= MAX_MEMBERS:
        wrong["members"] = Rule("must be between 1 and %(most)s", most=MAX_MEMBERS)
    elif lead in firms or len(set(firms)) < len(firms):
        wrong["members"] = "each firm stands there once, and the one that applies not at all"
    elif any(seat.share.amount <= Decimal(0) for seat in seats) or share.amount < 0:
        wrong["members"] = "each share must be above zero"
    elif (problem := _difference(total((share, *(seat.share for seat in seats)), amount.currency), amount)) is not None:
        wrong["members"] = problem
    if wrong:
        raise InvalidError(wrong)
