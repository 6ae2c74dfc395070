"""Use cases of guarantees until they are issued: the firm's consent, the bank's request, the guarantor's decision."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.loans import storage
from services.loans.domain.disclosure import Consent, disclosed, expand
from services.loans.domain.facility import Facility
from services.loans.domain.finance import Finance
from services.loans.domain.guarantee import Guarantee
from services.loans.domain.guarantee_checks import Asked, checks
from services.loans.domain.guarantee_parts import WAITING, GuaranteeTerms
from services.loans.domain.guarantee_sums import covered
from services.loans.domain.loan import Loan
from services.loans.domain.matching import Facts, Finding
from services.loans.domain.permission import Permission
from services.loans.domain.tape_rows import SETTLED
from services.loans.handlers import access, facilities
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.money import Money
from shared.web.identity import Identity

READ, DECIDE, CLAIM = "loans.guarantee.read", "loans.guarantee.decide", "loans.guarantee.claim"


@dataclass(frozen=True)
class Agreement:
    """What the firm agrees to: which fields a guarantor is given for one loan, why, and until when."""

    guarantor: str
    fields: list[str]
    purpose: str
    until: date
    language: str
    text_version: str


def permit(uow: UnitOfWork, who: Identity, loan_id: str, agreement: Agreement) -> Permission:
    """Record the firm's consent: before it, no bank may ask this guarantor and no field leaves."""
    loan = access.loan(uow, who, loan_id, "loans.permission.give")
    finance, _ = access.rules(uow, loan.programme)
    names, day = storage.guarantors(uow.connection), access.today(uow)
    if finance.guarantor(agreement.guarantor) is None or agreement.guarantor not in names:
        raise InvalidError({"guarantor": "choose a guarantor of the programme"})
    _check(agreement, finance, day)
    _let_go(uow, loan, agreement.guarantor, day)
    item = Permission(
        id=uow.next_reference("PER"),
        loan=loan.id,
        number=storage.referrals(uow).get(loan.referral, for_update=False).number,
        **{name: getattr(loan, name) for name in ("proposal", "programme", "organisation", "organisation_name")},
        bank=loan.bank,
        guarantor=agreement.guarantor,
        guarantor_name=names[agreement.guarantor],
        consent=_consent(uow, who, agreement, finance),
    )
    storage.permissions(uow).add(item)
    item.give()
    return item


def _check(agreement: Agreement, finance: Finance, day: date) -> None:
    terms, wrong = finance.for_guarantors(), {}
    if agreement.purpose not in {item.code for item in terms.purposes}:
        wrong["purpose"] = "choose one of the purposes of the programme"
    if not day <= agreement.until <= day + timedelta(days=terms.max_days):
        wrong["until"] = Rule("must be within %(days)s days from today", days=terms.max_days)
    if agreement.text_version != terms.version:
        wrong["text_version"] = "the text of the consent has changed: read it again"
    if agreement.language not in terms.text:
        wrong["language"] = Rule("must be one of: %(names)s", names=", ".join(sorted(terms.text)))
    if set(expand(terms.always)) - set(expand(agreement.fields)):
        wrong["fields"] = Rule("a guarantor can't decide without: %(names)s", names=", ".join(terms.always))
    if wrong:
        raise InvalidError(wrong)


def _let_go(uow: UnitOfWork, loan: Loan, guarantor: str, day: date) -> None:
    """Refuse a second consent while one is live; one whose day has passed gives way."""
    found = storage.live_permission(uow.connection, loan.id, guarantor)
    if found is None:
        return
    former = storage.permissions(uow).get(found)
    if former.live_on(day):
        raise ConflictError(
            "You have agreed already: %(id)s holds until %(until)s", id=found, until=former.consent.until
        )
    former.revoke(uow.now())
    uow.flush()  # it makes room for the new one


def _consent(uow: UnitOfWork, who: Identity, agreement: Agreement, finance: Finance) -> Consent:
    terms = finance.for_guarantors()
    return Consent(
        bank=agreement.guarantor,
        fields=expand(agreement.fields),
        purpose=agreement.purpose,
        until=agreement.until,
        text_version=terms.version,
        text_sha256=hashlib.sha256(terms.text[agreement.language].encode()).hexdigest(),
        language=agreement.language,
        given_by=who.user,
        given_by_name=who.name,
        given_at=uow.now().isoformat(),
    )


def revoke(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Permission:
    """Take a consent back: the guarantor sees no field any more, and what is not issued is void."""
    access.scoped(uow, who, "permission", reference, "loans.permission.give")
    item = storage.permissions(uow).get(reference, expected=version)
    item.revoke(uow.now())
    for waiting in storage.waiting_under(uow.connection, reference):
        guarantee = storage.guarantees(uow).get(waiting)
        if guarantee.stage in WAITING:  # it may have been issued while we waited for its row
            guarantee.revoke(access.today(uow))
    return item


@dataclass(frozen=True)
class Wanted:
    """What a bank asks for: under which facility, what share of the principal, and why."""

    facility: str
    coverage_percent: Decimal
    note: str = ""


def request(uow: UnitOfWork, who: Identity, loan_id: str, wanted: Wanted) -> Guarantee:
    """Ask a guarantor to stand in for a part of a loan; the firm's live consent must name it."""
    loan = access.loan(uow, who, loan_id, "loans.guarantee.request")  # locked: of two who ask at once one comes first
    row = storage.standing(uow.connection, "facility", wanted.facility[:80])
    if row is None or row.programme != loan.programme or not row.number:
        raise InvalidError({"facility": "choose a facility of the programme"})
    facility, day = storage.facilities(uow).get(wanted.facility, for_update=False), access.today(uow)
    found = storage.live_permission(uow.connection, loan.id, facility.guarantor)
    permission = storage.permissions(uow).get(found, for_update=False) if found else None
    if permission is None or not permission.live_on(day):
        raise ConflictError(
            "%(firm)s has not agreed that %(name)s is given its data for this loan",
            firm=loan.organisation_name,
            name=facility.guarantor_name,
        )
    principal = guaranteed_principal(uow, loan)
    _must_fit(facility, wanted, loan, principal, day)
    _must_be_free(uow, loan)
    names = ("proposal", "programme", "organisation", "organisation_name", "bank", "bank_name")
    guarantee = Guarantee(
        id=uow.next_reference("GUA"),
        facility=facility.id,
        facility_name=facility.terms.said("en"),
        loan=loan.id,
        permission=permission.id,
        **{name: getattr(loan, name) for name in names},
        guarantor=facility.guarantor,
        guarantor_name=facility.guarantor_name,
        terms=GuaranteeTerms.of(facility.terms, facility.number, wanted.coverage_percent),
        principal=principal,
        sum=covered(principal, wanted.coverage_percent),
        loan_ends=loan.repayment()[-1].on,
        note=wanted.note,
        requested_at=uow.now(),
        requested_by=who.name,
    )
    storage.guarantees(uow).add(guarantee)
    guarantee.request()
    return guarantee


def guaranteed_principal(uow: UnitOfWork, loan: Loan) -> Money:
    """Return the principal to guarantee: what is agreed, or what is outstanding once it is paid out."""
    if loan.standing() in {*SETTLED, "overdue"}:
        raise ConflictError("A loan that is %(stage)s can't be guaranteed", stage=loan.standing())
    if loan.disbursed() < loan.amount:
        return loan.amount
    line = storage.line_of(uow.connection, loan.id, access.today(uow))
    return Money.of(line.outstanding, loan.amount.currency) if line else loan.disbursed()


def _must_fit(facility: Facility, wanted: Wanted, loan: Loan, principal: Money, day: date) -> None:
    terms, wrong = facility.terms, {}
    if facility.stage != "open" or not terms.holds_on(day):
        wrong["facility"] = "no guarantee is issued under it today"
    elif terms.banks and loan.bank not in terms.banks:
        wrong["facility"] = "is not for loans of your institution"
    elif terms.currency != loan.amount.currency:
        wrong["facility"] = Rule("is in %(currency)s", currency=terms.currency)
    if not 0 < wanted.coverage_percent <= terms.coverage_percent:
        wrong["coverage_percent"] = Rule("must be above zero and at most %(most)s", most=terms.coverage_percent)
    elif covered(principal, wanted.coverage_percent).amount > terms.single_max:
        part = covered(principal, wanted.coverage_percent)
        wrong["coverage_percent"] = Rule(
            "guarantees %(sum)s: one guarantee is at most %(most)s", sum=part, most=terms.single_max
        )
    elif not covered(principal, wanted.coverage_percent):
        wrong["coverage_percent"] = "guarantees nothing: the principal is repaid"
    if wrong:
        raise InvalidError(wrong)


def _must_be_free(uow: UnitOfWork, loan: Loan) -> None:
    for reference, _ in storage.held_for(uow.connection, [loan.id]):
        raise ConflictError("The loan has a guarantee already: %(id)s", id=reference)


def facts_of(uow: UnitOfWork, guarantee: Guarantee) -> Facts:
    """Return what the firm lets the guarantor see today, by block and field."""
    permission = storage.permissions(uow).get(guarantee.permission, for_update=False)
    visible = permission.visible(access.today(uow))
    return disclosed(storage.locked(uow.connection, permission.proposal, permission.number), visible) if visible else {}


def held_against(uow: UnitOfWork, guarantee: Guarantee, facility: Facility, facts: Facts) -> list[Finding]:
    """Hold a guarantee that is not issued yet against its facility as it stands."""
    asked = Asked(guarantee.sum, guarantee.terms.coverage_percent, guarantee.bank, guarantee.bank_name)
    return checks(facility, asked, facilities.room(uow, facility), facts, access.today(uow))


def of_guarantor(uow: UnitOfWork, who: Identity, reference: str, action: str, version: int | None) -> Guarantee:
    """Return a guarantee that a guarantor may act on; its facility's row is locked first, in one order for all."""
    access.scoped(uow, who, "guarantee", reference, action)
    row = storage.standing(uow.connection, "guarantee", reference)
    if row is None or row.guarantor != who.organisation:
        raise NotFoundError("There is no such record")
    storage.facilities(uow).get(row.facility)
    return storage.guarantees(uow).get(reference, expected=version)


def issue(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Guarantee:
    """Issue a guarantee, or agree to it as the first of the two people whom a large one needs."""
    guarantee = of_guarantor(uow, who, reference, DECIDE, version)
    finance, _ = access.rules(uow, guarantee.programme)
    facilities.step_up(uow, who, guarantee, "issue")
    guarantor = finance.guarantor(guarantee.guarantor)
    limit = guarantor.two_from if guarantor else None
    if limit is not None and guarantee.sum.amount > limit and guarantee.stage != "approved":
        guarantee.approve(who.user, who.name, uow.now())
        return guarantee
    guarantee.must("issue")
    day = access.today(uow)
    if not storage.permissions(uow).get(guarantee.permission, for_update=False).live_on(day):
        raise ConflictError("The firm's consent is over: ask it to agree again")
    guaranteed_principal(uow, storage.loans(uow).get(guarantee.loan, for_update=False))
    facility = storage.facilities(uow).get(guarantee.facility)
    found = held_against(uow, guarantee, facility, facts_of(uow, guarantee))
    guarantee.issue(found, day, who.user, who.name)
    return guarantee


def decline(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Guarantee:
    """Refuse to stand in."""
    guarantee = of_guarantor(uow, who, reference, DECIDE, version)
    guarantee.decline(why, access.today(uow))
    return guarantee


def withdraw(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Guarantee:
    """Take the bank's request back."""
    guarantee = of_bank(uow, who, reference, version)
    guarantee.withdraw(access.today(uow))
    return guarantee


def of_bank(uow: UnitOfWork, who: Identity, reference: str, version: int | None) -> Guarantee:
    """Return a guarantee of the person's own bank, locked."""
    access.scoped(uow, who, "guarantee", reference, CLAIM)
    guarantee = storage.guarantees(uow).get(reference, expected=version)
    if guarantee.bank != who.organisation:
        raise NotFoundError("There is no such record")
    return guarantee


@dataclass(frozen=True)
class Opened:
    """A guarantee as one reader may see it: the firm's fields and what follows from them are the guarantor's alone."""

    guarantee: Guarantee
    side: str  # guarantor, bank, applicant, or empty for the programme
    facility: Facility
    fields: Facts
    checks: Sequence[Any]
    line: Any  # of the newest tape


def open_guarantee(uow: UnitOfWork, who: Identity, reference: str) -> Opened:
    """Return a guarantee for reading; a guarantor's view of the firm's fields is recorded and shown to the firm."""
    role = access.scoped(uow, who, "guarantee", reference, READ)
    guarantee = storage.guarantees(uow).get(reference, for_update=False)
    facility = storage.facilities(uow).get(guarantee.facility, for_update=False)
    sides = {"guarantor": "guarantor", "finance_partner": "bank", "applicant": "applicant"}
    side = sides.get(role, "")
    facts: Facts = {}
    if side == "guarantor":
        facts = facts_of(uow, guarantee)
        what = f"{sum(len(block) for block in facts.values())} consented fields"
        access.viewed(uow, guarantee.id, what, case=guarantee.proposal, programme=guarantee.programme)
    found: Sequence[Any] = guarantee.checks
    if guarantee.stage in {"requested", "approved"}:
        found = held_against(uow, guarantee, facility, facts)
    if side != "guarantor":
        found = [item for item in found if item.rule in {"open", "coverage", "single", "room", "bank"}]
    line = storage.line_of(uow.connection, guarantee.loan, access.today(uow))
    return Opened(guarantee, side, facility, facts, found, line)


def seen_by(who: Identity) -> dict[str, Any]:
    """Return which guarantees a person sees: a guarantor and a bank their own, staff those of their programmes."""
    if "guarantor" in who.roles:
        return {"guarantor": who.organisation or ""}
    if "finance_partner" in who.roles:
        return {"bank": who.organisation or ""}
    return {"programmes": who.programmes}
