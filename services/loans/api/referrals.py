"""JSON API of referrals and loans: every act of the bank's and of the applicant's pages."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from services.loans import storage
from services.loans.api.shapes import (
    ComparedOut,
    Decline,
    Disburse,
    Given,
    LoanOut,
    MakeCounter,
    MakeOffer,
    ReferralLine,
    ReferralList,
    ReferralOut,
    Restructure,
    Say,
)
from services.loans.api.tape_shapes import StandingOut
from services.loans.handlers import access, loans, referrals
from shared.database import UnitOfWork
from shared.money import Money
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity

router = APIRouter(prefix="/api", tags=["referrals"])
Folder = Literal["", "turn", "overdue", "new", "analysis", "waiting", "offered", "disbursed", "declined", "closed"]
DECIDE = [allowed("loans.referral.decide")]


def _out(uow: UnitOfWork, who: Identity, reference: str) -> ReferralOut:
    uow.flush()
    return ReferralOut.of(referrals.open_referral(uow, who, reference, "api"))


@router.get("/referrals", dependencies=[allowed("loans.referral.list")])
def inbox(  # noqa: PLR0917 - what the list is asked for
    request: Request,
    who: Who,
    connection: Reader,
    folder: Folder = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ReferralList:
    today = access.local_day(request.app.state.clock())
    own = who.organisation or ""
    page = storage.referral_rows(connection, own, today=today, folder=folder, cursor=cursor, limit=limit)
    names = set(ReferralLine.model_fields) - {"reference", "amount"}
    items = [
        ReferralLine(
            reference=row.id,
            amount=Money.of(row.amount, row.currency),
            **{name: getattr(row, name) for name in names},
        )
        for row in page.items
    ]
    return ReferralList(items=items, next=page.next)


@router.get("/referrals/{reference}", dependencies=[allowed("loans.referral.read")])
def read(reference: str, who: Who, uow: Uow) -> ReferralOut:
    return ReferralOut.of(referrals.open_referral(uow, who, reference, "api"))


@router.post("/referrals/{reference}/receipt", dependencies=DECIDE)
def acknowledge(reference: str, given: Given, who: Who, uow: Uow) -> ReferralOut:
    referrals.acknowledge(uow, who, reference, version=given.version)
    return _out(uow, who, reference)


@router.post("/referrals/{reference}/analysis", dependencies=DECIDE)
def analyse(reference: str, given: Given, who: Who, uow: Uow) -> ReferralOut:
    referrals.analyse(uow, who, reference, version=given.version)
    return _out(uow, who, reference)


@router.post("/referrals/{reference}/question", dependencies=DECIDE)
def ask(reference: str, given: Say, who: Who, uow: Uow) -> ReferralOut:
    referrals.ask(uow, who, reference, given.text, version=given.version)
    return _out(uow, who, reference)


@router.post("/referrals/{reference}/answer", dependencies=[allowed("loans.referral.answer")])
def answer(reference: str, given: Say, who: Who, uow: Uow) -> ReferralOut:
    referrals.answer(uow, who, reference, given.text, version=given.version)
    return _out(uow, who, reference)


@router.post("/referrals/{reference}/decline", dependencies=DECIDE)
def decline(reference: str, given: Decline, who: Who, uow: Uow) -> ReferralOut:
    referrals.decline(uow, who, reference, given.reasons, given.note, version=given.version)
    return _out(uow, who, reference)


@router.post("/referrals/{reference}/offer", status_code=201, dependencies=DECIDE)
def offer(reference: str, given: MakeOffer, who: Who, uow: Uow) -> ReferralOut:
    terms = referrals.Terms.of(given)
    referrals.make_offer(uow, who, reference, terms, version=given.version)
    return _out(uow, who, reference)


@router.post("/referrals/{reference}/counter", status_code=201, dependencies=[allowed("loans.referral.counter")])
def counter(reference: str, given: MakeCounter, who: Who, uow: Uow) -> ReferralOut:
    referrals.counter(uow, who, reference, referrals.Wish.of(given), version=given.version)
    return _out(uow, who, reference)


@router.get("/proposals/{reference}/offers", dependencies=[allowed("loans.proposal.offers")])
def offers(reference: str, who: Who, uow: Uow) -> list[ComparedOut]:
    access.scoped(uow, who, "proposal", reference, "loans.proposal.offers")
    return [ComparedOut.of(line) for line in referrals.compared(uow, reference)]


@router.post("/referrals/{reference}/acceptance", status_code=201, dependencies=[allowed("loans.referral.accept")])
def accept(reference: str, given: Given, who: Who, uow: Uow) -> LoanOut:
    loan = referrals.accept(uow, who, reference, version=given.version)
    uow.flush()
    return LoanOut.of(loan)


@router.post("/referrals/{reference}/refusal", dependencies=[allowed("loans.referral.accept")])
def turn_down(reference: str, given: Given, who: Who, uow: Uow) -> ReferralOut:
    referrals.turn_down(uow, who, reference, version=given.version)
    return _out(uow, who, reference)


@router.post("/referrals/{reference}/withdrawal", dependencies=[allowed("loans.referral.withdraw")])
def withdraw(reference: str, given: Given, who: Who, uow: Uow) -> ReferralOut:
    referrals.withdraw(uow, who, reference, version=given.version)
    return _out(uow, who, reference)


@router.post("/referrals/{reference}/revocation", dependencies=[allowed("loans.referral.withdraw")])
def revoke(reference: str, given: Given, who: Who, uow: Uow) -> ReferralOut:
    referrals.revoke(uow, who, reference, version=given.version)
    return _out(uow, who, reference)


@router.get("/loans/{reference}", dependencies=[allowed("loans.loan.read")])
def read_loan(reference: str, who: Who, uow: Uow) -> LoanOut:
    return LoanOut.of(access.loan(uow, who, reference, "loans.loan.read", lock=False))


@router.post("/loans/{reference}/disbursements", status_code=201, dependencies=[allowed("loans.loan.disburse")])
def disburse(reference: str, given: Disburse, who: Who, uow: Uow) -> LoanOut:
    loan = loans.report(uow, who, reference, given.amount, given.on)
    uow.flush()
    return LoanOut.of(loan)


@router.post("/loans/{reference}/restructuring", status_code=201, dependencies=[allowed("loans.loan.restructure")])
def restructure(reference: str, given: Restructure, who: Who, uow: Uow) -> LoanOut:
    terms = loans.NewTerms.of(given)
    loan = loans.restructure(uow, who, reference, terms, version=given.version)
    uow.flush()
    return LoanOut.of(loan)


@router.get("/loans/{reference}/standing", dependencies=[allowed("loans.loan.read")])
def standing(reference: str, who: Who, uow: Uow) -> StandingOut:
    loan = access.loan(uow, who, reference, "loans.loan.read", lock=False)
    return StandingOut.of(loans.stands(uow, loan))


@router.post("/loans/{reference}/disbursements/{number}/confirmation", dependencies=[allowed("loans.loan.confirm")])
def confirm(reference: str, number: int, who: Who, uow: Uow) -> LoanOut:
    loan = loans.confirm(uow, who, reference, number)
    uow.flush()
    return LoanOut.of(loan)
