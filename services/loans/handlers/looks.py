"""Looks of banks at referrals: kept where they happen, and shown to the firm and to who advises it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.loans import storage
from services.loans.domain.disclosure import compact
from services.loans.domain.referral import Referral
from services.loans.handlers import access
from services.loans.policy import POLICY
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.identity import Identity
from shared.web.paging import Page

Way = Literal["page", "api", "match", "document"]
READ = "loans.proposal.looks"


def take(  # noqa: PLR0917 - what a look is
    uow: UnitOfWork, who: Identity, referral: Referral, way: Way, fields: Sequence[str], what: str
) -> None:
    """Keep a bank's look and record it; one without a live consent showed no field and is kept as such."""
    shown = compact(fields)
    storage.keep_look(
        uow,
        proposal=referral.proposal,
        referral=referral.id,
        bank=referral.bank,
        bank_name=referral.bank_name,
        person=who.user,
        person_name=who.name,
        role="finance_partner",
        way=way,
        live=bool(fields),
        fields=shown,
    )
    place = {"case": referral.proposal, "programme": referral.programme}
    access.viewed(uow, referral.id, what, **place, way=way, fields=shown)


@dataclass(frozen=True)
class Looked:
    """The looks at one proposal: a page of them, and how many there are by referral."""

    proposal: Any
    page: Page[Any]
    banks: list[Any]


def looked(
    uow: UnitOfWork, who: Identity, reference: str, *, referral: str = "", cursor: str | None = None, limit: int = 50
) -> Looked:
    """Return who of the banks looked at a proposal's referrals; for the firm, its adviser, and staff."""
    row = storage.standing(uow.connection, "proposal", reference) if len(reference) <= access.MAX_REFERENCE else None
    if row is None:
        raise NotFoundError("There is no such record")
    proposal = storage.proposals(uow).get(reference, for_update=False)
    own = who.organisation is not None and who.organisation in {proposal.organisation, proposal.adviser()}
    POLICY.role_for(READ, who, own=own, programme=proposal.programme)
    page = storage.look_rows(uow.connection, proposal.id, referral=referral, cursor=cursor, limit=limit)
    return Looked(proposal, page, storage.looks_by_bank(uow.connection, proposal.id))
