"""Finding a proposal, referral or loan for a person: scope first, then version, then the thing itself."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from services.loans import storage
from services.loans.domain.finance import Finance
from services.loans.domain.loan import Loan
from services.loans.domain.proposal import Proposal
from services.loans.domain.referral import HIDDEN_FROM_BANK, Referral
from services.loans.policy import POLICY
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.loans import RecordViewed
from shared.money import Money
from shared.settings import settings
from shared.web.forms import rule_of
from shared.web.identity import Identity

MAX_REFERENCE = 80


def today(uow: UnitOfWork) -> date:
    """Return the local date by which days of law are counted."""
    return local_day(uow.now())


def local_day(now: datetime) -> date:
    """Return the local date of a moment."""
    return now.astimezone(ZoneInfo(settings().time_zone)).date()


def scoped(uow: UnitOfWork, who: Identity, kind: str, reference: str, action: str) -> str:
    """Return the role in which `who` may do `action` to it; whoever may not know of it gets NotFoundError."""
    row = storage.standing(uow.connection, kind, reference) if len(reference) <= MAX_REFERENCE else None
    if row is None:
        raise NotFoundError("There is no such record")
    bank = getattr(row, "bank", None)
    hidden = kind == "referral" and row.stage in HIDDEN_FROM_BANK
    guarantor = getattr(row, "guarantor", None) if "guarantor" in who.roles else None
    theirs = guarantor is not None and guarantor == who.organisation and row.stage != "void"
    draft = kind == "facility" and not row.number  # nobody but the guarantor knows of terms that were never approved
    return POLICY.role_for(
        action,
        who,
        own=who.organisation == getattr(row, "organisation", None),
        org=theirs or (bank is not None and who.organisation == bank and not hidden),
        programme=None if draft else row.programme,
    )


def proposal(
    uow: UnitOfWork, who: Identity, reference: str, action: str, *, version: int | None = None, lock: bool = True
) -> Proposal:
    """Return a proposal that `who` may do `action` to; locked for changing it unless `lock` is false."""
    scoped(uow, who, "proposal", reference, action)
    return storage.proposals(uow).get(reference, expected=version, for_update=lock)


def referral(
    uow: UnitOfWork, who: Identity, reference: str, action: str, *, version: int | None = None, lock: bool = True
) -> Referral:
    """Return a referral that `who` may do `action` to."""
    scoped(uow, who, "referral", reference, action)
    return storage.referrals(uow).get(reference, expected=version, for_update=lock)


def loan(
    uow: UnitOfWork, who: Identity, reference: str, action: str, *, version: int | None = None, lock: bool = True
) -> Loan:
    """Return a loan that `who` may do `action` to."""
    scoped(uow, who, "loan", reference, action)
    return storage.loans(uow).get(reference, expected=version, for_update=lock)


def rules(uow: UnitOfWork, programme: str) -> tuple[Finance, str]:
    """Return a programme's rules for loans and its currency."""
    found = storage.finance_of(uow.connection, programme)
    if found is None:
        raise ConflictError("The programme %(id)s has no rules for loans yet", id=programme)
    return found


def money(field: str, amount: Decimal, currency: str) -> Money:
    """Return a typed amount as Money; raises InvalidError naming the field when it is no exact amount."""
    try:
        return Money(amount=amount, currency=currency)
    except ValidationError as error:
        raise InvalidError({field: rule_of(error.errors()[0])}) from error


def viewed(uow: UnitOfWork, record: str, what: str, *, case: str, programme: str, **look: Any) -> None:
    """Record that somebody opened a sensitive record; `look` is through which way, and what was shown."""
    event = RecordViewed(record=record, what=what, **look)
    uow.record(event, entity=f"record:{uow.ids()}", case=case, programme=programme)
