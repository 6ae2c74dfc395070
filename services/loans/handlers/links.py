"""Acts of a bank's person by a link of a letter, for banks that have no system of their own.

Looking at a link does nothing: mail filters follow links. What is done by one is done once, in the name of its person,
and recorded as done so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.loans import storage
from services.loans.domain.finance import Finance
from services.loans.domain.referral import Referral, legal_moves
from services.loans.handlers import access, referrals
from shared.database import UnitOfWork
from shared.errors import ConflictError, NotFoundError
from shared.events.loans.rounds import LinkUsed
from shared.web.identity import Identity

ROLE = "finance_partner"
# The move of each purpose; a referral that is new is acknowledged first.
MOVES = {"acknowledge": "acknowledge", "question": "ask", "decline": "decline"}


@dataclass(frozen=True)
class Linked:
    """What a link leads to, and who may follow it."""

    row: Any
    referral: Referral
    finance: Finance

    @property
    def purpose(self) -> str:
        found: str = self.row.purpose
        return found


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def look(uow: UnitOfWork, token: str) -> Linked:
    """Return what a link is for, without using it up; raises NotFoundError for one that works no more."""
    row = storage.usable_link(uow.connection, _hash(token), uow.now())
    if row is None or not _possible(row.purpose, row.stage):
        raise NotFoundError("This link has been used, is too old, or fits no more: sign in instead")
    referral = storage.referrals(uow).get(row.referral, for_update=False)
    return Linked(row, referral, access.rules(uow, row.programme)[0])


def _possible(purpose: str, stage: str) -> bool:
    legal = legal_moves(stage, "bank")
    return MOVES[purpose] in legal or "acknowledge" in legal


def use(uow: UnitOfWork, token: str, version: int, text: str = "", reasons: Sequence[str] = ()) -> str:
    """Do what a link is for, once; returns the referral's id. Raises as the act does, and then the link still works."""
    found = look(uow, token)
    row, hashed = found.row, _hash(token)
    who = Identity(
        user=row.person, name=row.name, roles=(ROLE,), organisation=row.bank, programmes=(row.programme,), session=""
    )
    actor = who.actor(ROLE).model_copy(update={"session": f"link:{row.link}"})
    uow.go_on(replace(uow.context, actor=actor))
    if not storage.mark_used(uow.connection, hashed, uow.now()):
        raise NotFoundError("This link has been used, is too old, or fits no more: sign in instead")
    _act(uow, who, found, version, text, reasons)
    used = LinkUsed(link_id=row.link, purpose=row.purpose, user_id=row.person, referral_id=row.referral)
    uow.record(used, entity=f"link:{row.link}", case=found.referral.proposal, programme=row.programme)
    return found.referral.id


def _act(  # noqa: PLR0917 - what was typed
    uow: UnitOfWork, who: Identity, found: Linked, version: int, text: str, reasons: Sequence[str]
) -> None:
    reference = found.referral.id
    referral = access.referral(uow, who, reference, referrals.DECIDE, version=version)
    if referral.stage == "submitted":
        referral.acknowledge(uow.now())
    elif found.purpose == "acknowledge":
        raise ConflictError("Receipt has been acknowledged already")
    if found.purpose == "question":
        referrals.ask(uow, who, reference, text)
    elif found.purpose == "decline":
        referrals.decline(uow, who, reference, list(reasons), text)
