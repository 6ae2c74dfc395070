"""JSON API of group proposals: shares and liability, members' answers, and what each lets a bank see."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.loans.api.shapes import Given
from services.loans.domain.group import Facts, Group, Member, MemberConsent
from services.loans.handlers import groups
from services.loans.handlers.groups import Opened
from services.loans.storage import groups as stored
from shared.database import UnitOfWork
from shared.events.fields import Line, Prose
from shared.money import Amount, Money
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["groups"])
WRITE = [allowed("loans.proposal.write")]
ANSWER = [allowed("loans.group.answer")]


class SeatIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    organisation: Line
    share: Amount


class SettleIn(Given):
    """Who asks together: the shares of all make the amount of the proposal; `version` is the proposal's."""

    liability: Literal["several", "joint_and_several"]
    lead_share: Amount
    members: Annotated[list[SeatIn], Field(min_length=1, max_length=20)]

    def wanted(self) -> groups.Wanted:
        members = [(seat.organisation, seat.share) for seat in self.members]
        return groups.Wanted(self.liability, self.lead_share, members)


class AcceptIn(Given):
    terms_sha256: Line
    facts: Facts


class DeclineIn(Given):
    why: Prose


class ConsentIn(Given):
    bank: Line
    fields: Annotated[list[Line], Field(min_length=1, max_length=20)]
    until: date


class MemberOut(BaseModel):
    """A member; facts and consents are there for itself and for the staff alone."""

    organisation: str
    name: str
    share: Money
    stage: str
    ready: bool
    size_class: str
    why: str
    facts: Facts | None
    consents: list[MemberConsent] | None

    @classmethod
    def of(cls, member: Member, *, whole: bool) -> MemberOut:
        names = ("organisation", "name", "share", "stage", "why")
        return cls(
            **{name: getattr(member, name) for name in names},
            ready=member.stage == "accepted" and not member.facts.missing(),
            size_class=member.said()["size_class"],
            facts=member.facts if whole else None,
            consents=member.consents if whole else None,
        )


class GroupOut(BaseModel):
    reference: str
    version: int
    proposal: str
    organisation: str
    organisation_name: str
    title: str
    liability: str
    lead_share: Money
    asked: Money
    terms_sha256: str
    dissolved: bool
    side: str
    members: list[MemberOut]

    @classmethod
    def of(cls, opened: Opened) -> GroupOut:
        group: Group = opened.group
        names = ("version", "proposal", "organisation", "organisation_name", "title", "liability", "lead_share")
        return cls(
            reference=group.id,
            **{name: getattr(group, name) for name in (*names, "dissolved")},
            asked=group.asked(),
            terms_sha256=group.terms_sha256(),
            side=opened.side,
            members=[MemberOut.of(item, whole=opened.facts_of(item.organisation)) for item in group.members],
        )


class GroupLine(BaseModel):
    reference: str
    proposal: str
    organisation_name: str
    title: str
    stage: str


class GroupList(BaseModel):
    items: list[GroupLine]
    next: str | None


def _out(uow: UnitOfWork, who: Identity, group: Group) -> GroupOut:
    uow.flush()
    return GroupOut.of(groups.open_group(uow, who, group.id))


def seen_by(who: Identity) -> tuple[str | None, tuple[str, ...]]:
    """Return which groups a person sees in lists: staff those of their programmes, a firm its own."""
    staff = {"officer", "programme_manager"} & set(who.roles)
    return (None, who.programmes) if staff else (who.organisation or "", ())


@router.get("/groups", dependencies=[allowed("loans.group.list")])
def read_all(
    who: Who, connection: Reader, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> GroupList:
    page = stored.group_rows(connection, *seen_by(who), cursor, limit)
    names = set(GroupLine.model_fields) - {"reference"}
    items = [GroupLine(reference=row.id, **{name: getattr(row, name) for name in names}) for row in page.items]
    return GroupList(items=items, next=page.next)


@router.put("/proposals/{reference}/group", dependencies=WRITE)
def settle(reference: str, given: SettleIn, who: Who, uow: Uow) -> GroupOut:
    return _out(uow, who, groups.settle(uow, who, reference, given.wanted(), version=given.version))


@router.post("/proposals/{reference}/group/dissolution", dependencies=WRITE)
def dissolve(reference: str, given: Given, who: Who, uow: Uow) -> GroupOut:
    return _out(uow, who, groups.dissolve(uow, who, reference, version=given.version))


@router.get("/groups/{reference}", dependencies=[allowed("loans.group.read")])
def read(reference: str, who: Who, uow: Uow) -> GroupOut:
    return GroupOut.of(groups.open_group(uow, who, reference))


@router.post("/groups/{reference}/acceptance", dependencies=ANSWER)
def accept(reference: str, given: AcceptIn, who: Who, uow: Uow) -> GroupOut:
    return _out(uow, who, groups.accept(uow, who, reference, given.terms_sha256, given.facts, version=given.version))


@router.post("/groups/{reference}/refusal", dependencies=ANSWER)
def decline(reference: str, given: DeclineIn, who: Who, uow: Uow) -> GroupOut:
    return _out(uow, who, groups.decline(uow, who, reference, given.why, version=given.version))


@router.post("/groups/{reference}/consents", status_code=201, dependencies=ANSWER)
def consent(reference: str, given: ConsentIn, who: Who, uow: Uow) -> GroupOut:
    asked = groups.MemberAgreement(given.bank, list(given.fields), given.until)
    return _out(uow, who, groups.consent(uow, who, reference, asked, version=given.version))


@router.post("/groups/{reference}/consents/{bank}/revocation", dependencies=ANSWER)
def revoke(reference: str, bank: str, given: Given, who: Who, uow: Uow) -> GroupOut:
    return _out(uow, who, groups.revoke(uow, who, reference, bank, version=given.version))
