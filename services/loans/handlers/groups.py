"""Use cases of a group proposal: who is in it with which share, members accept and consent for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.loans import storage
from services.loans.domain.group import Facts, Group, MemberConsent, Seat
from services.loans.domain.proposal import Proposal
from services.loans.handlers import access
from services.loans.policy import POLICY
from services.loans.storage import groups as stored
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, IllegalTransitionError, InvalidError, NotFoundError, Rule
from shared.money import Money
from shared.web.identity import Identity


@dataclass(frozen=True)
class Wanted:
    """Who is to be in it: liability, the share of the one that applies, and (organisation, share) of the others."""

    liability: str
    lead_share: Decimal
    members: Sequence[tuple[str, Decimal]]


def settle(uow: UnitOfWork, who: Identity, proposal: str, wanted: Wanted, *, version: int | None = None) -> Group:
    """Make a draft's group, or change it; `version` is that of the proposal."""
    item = _draft(uow, who, proposal, version)
    amount = Money.of(item.plan.request.amount or 0, item.currency)
    seats = [_seat(uow, place, *given, item.currency) for place, given in enumerate(wanted.members)]
    lead = access.money("lead_share", wanted.lead_share, item.currency)
    known = stored.group_of(uow.connection, proposal)
    if known is None:
        group = Group(
            id=uow.next_reference("GRP"),
            proposal=proposal,
            **{name: getattr(item, name) for name in ("programme", "organisation", "organisation_name")},
            title=item.title(),
            liability="several",
            lead_share=Money.zero(item.currency),
        )
        group.settle(wanted.liability, lead, seats, amount)
        return stored.groups(uow).add(group)
    group = stored.groups(uow).get(known)
    group.dissolved = False
    group.settle(wanted.liability, lead, seats, amount)
    return group


def _draft(uow: UnitOfWork, who: Identity, proposal: str, version: int | None) -> Proposal:
    item = access.proposal(uow, who, proposal, "loans.proposal.write", version=version)
    if item.stage != "draft":
        raise IllegalTransitionError("settle", item.stage, ["reopen"])
    return item


def _seat(uow: UnitOfWork, place: int, firm: str, share: Decimal, currency: str) -> Seat:
    row = storage.organisation_name(uow.connection, firm)
    if row is None or row.kind != "msme":
        raise InvalidError({f"members-{place}-organisation": "must be a micro, small or medium enterprise"})
    return Seat(row.id, row.name, access.money(f"members-{place}-share", share, currency))


def dissolve(uow: UnitOfWork, who: Identity, proposal: str, *, version: int | None = None) -> Group:
    """Let the firm apply alone again."""
    _draft(uow, who, proposal, version)
    known = stored.group_of(uow.connection, proposal)
    if known is None:
        raise NotFoundError("There is no such group")
    group = stored.groups(uow).get(known)
    group.dissolve()
    return group


def side_of(uow: UnitOfWork, who: Identity, reference: str, action: str) -> str:
    """Return whether one applies, is a member, or is of the staff; others are not told that there is a group."""
    row = stored.group_standing(uow.connection, reference) if len(reference) <= access.MAX_REFERENCE else None
    if row is None:
        raise NotFoundError("There is no such record")
    inside = who.organisation is not None and who.organisation in {row.organisation, *row.members}
    POLICY.role_for(action, who, own=inside, programme=row.programme)
    if who.organisation == row.organisation:
        return "lead"
    return "member" if inside else "staff"


@dataclass(frozen=True)
class Opened:
    """A group as one reader may see it: facts and consents of a member for itself and the staff alone."""

    group: Group
    side: str
    own: str  # the reader's organisation, where it is a member
    banks: list[tuple[str, str]]

    def facts_of(self, organisation: str) -> bool:
        """Tell whether the reader may see what that member says of itself."""
        return self.side == "staff" or self.own == organisation


def open_group(uow: UnitOfWork, who: Identity, reference: str) -> Opened:
    """Return a group for reading; a view by the staff is recorded."""
    side = side_of(uow, who, reference, "loans.group.read")
    group = stored.groups(uow).get(reference, for_update=False)
    if side == "staff":
        access.viewed(uow, group.id, "the group", case=group.id, programme=group.programme)
    finance, _ = access.rules(uow, group.programme)
    known = storage.banks(uow.connection)
    banks = [(item.bank, known[item.bank]) for item in finance.partners if item.bank in known]
    return Opened(group, side, (who.organisation or "") if side == "member" else "", banks)


def _member(uow: UnitOfWork, who: Identity, reference: str, version: int | None) -> tuple[Group, str]:
    if side_of(uow, who, reference, "loans.group.answer") != "member":
        raise ForbiddenError("Only a member answers for itself")
    return stored.groups(uow).get(reference, expected=version), who.organisation or ""


def accept(
    uow: UnitOfWork, who: Identity, reference: str, sha256: str, facts: Facts, *, version: int | None = None
) -> Group:
    """Accept the shares and the liability of that hash, with one's own facts."""
    group, firm = _member(uow, who, reference, version)
    _drafted(uow, group)
    group.accept(firm, sha256, facts, uow.now(), who.name)
    return group


def _drafted(uow: UnitOfWork, group: Group) -> None:
    proposal = storage.proposals(uow).get(group.proposal)
    if proposal.stage != "draft":
        raise ConflictError("The proposal is locked: nothing of the group changes before it is reopened")


def decline(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Group:
    """Stay out of the group."""
    group, firm = _member(uow, who, reference, version)
    _drafted(uow, group)
    group.decline(firm, why, uow.now(), who.name)
    return group


@dataclass(frozen=True)
class MemberAgreement:
    """What a member lets one bank see of itself, until when."""

    bank: str
    fields: list[str]
    until: date


def consent(
    uow: UnitOfWork, who: Identity, reference: str, asked: MemberAgreement, *, version: int | None = None
) -> Group:
    """Let one bank see some of one's own fields."""
    group, firm = _member(uow, who, reference, version)
    finance, _ = access.rules(uow, group.programme)
    day, wrong = access.today(uow), dict[str, str]()
    if finance.partner(asked.bank) is None:
        wrong["bank"] = "choose a finance partner of the programme"
    if not day <= asked.until <= day + timedelta(days=finance.consent.max_days):
        wrong["until"] = Rule("must be within %(days)s days from today", days=finance.consent.max_days)
    if wrong:
        raise InvalidError(wrong)
    given = {"given_by": who.user, "given_by_name": who.name, "given_at": uow.now()}
    group.consent(firm, MemberConsent(bank=asked.bank, fields=asked.fields, until=asked.until, **given))
    return group


def revoke(uow: UnitOfWork, who: Identity, reference: str, bank: str, *, version: int | None = None) -> Group:
    """Take one's consent for a bank back."""
    group, firm = _member(uow, who, reference, version)
    group.revoke(firm, bank)
    return group


def lock(uow: UnitOfWork, proposal: Proposal) -> None:
    """Keep the group with the version that was just locked; raises ConflictError while it is not ready."""
    known = stored.group_of(uow.connection, proposal.id)
    group = stored.groups(uow).get(known) if known else None
    if group is None or group.dissolved:
        return
    group.ready(Money.of(proposal.plan.request.amount or 0, proposal.currency))
    stored.keep_group(uow, group, proposal.number)


def must_consent(uow: UnitOfWork, proposal: Proposal, bank: str) -> None:
    """Raise ConflictError while a member of the group has not consented to a bank."""
    known = stored.group_of(uow.connection, proposal.id)
    group = stored.groups(uow).get(known, for_update=False) if known else None
    missing = group.without_consent(bank, access.today(uow)) if group else []
    if missing:
        raise ConflictError("Members who have not consented to this bank: %(names)s", names=", ".join(missing))


def shown_to(uow: UnitOfWork, proposal: str, number: int, bank: str) -> dict[str, Any] | None:
    """Return what a bank sees of the group of a locked version; None where there is none."""
    kept = stored.kept_group(uow.connection, proposal, number)
    known = stored.group_of(uow.connection, proposal)
    if kept is None or known is None:
        return None
    group = stored.groups(uow).get(known, for_update=False)
    return {"liability": kept["liability"], "members": group.disclosed(kept, bank, access.today(uow))}
