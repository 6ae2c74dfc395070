"""Use cases of success fees: assign an adviser, accrue, approve, pay, take back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from services.loans import storage
from services.loans.domain.fee import Fee
from services.loans.domain.loan import Loan
from services.loans.domain.proposal import Proposal
from services.loans.handlers import access
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, Rule
from shared.web.identity import Identity, must_have_confirmed


def assign(uow: UnitOfWork, who: Identity, reference: str, adviser: str) -> Fee:
    """Assign an adviser to a proposal, before any of its loan is confirmed; the rule of today holds from then on."""
    access.scoped(uow, who, "proposal", reference, "loans.fee.assign")
    proposal = storage.proposals(uow).get(reference)  # locked: two who assign at once come one after the other
    rule = access.rules(uow, proposal.programme)[0].success_fee
    if rule is None:
        raise ConflictError("The programme has no rule for success fees")
    if rule.currency != proposal.currency:
        raise ConflictError(
            "The fee is in %(fee)s and the proposal in %(proposal)s", fee=rule.currency, proposal=proposal.currency
        )
    names = storage.adviser_names(uow.connection, proposal.programme)
    if adviser not in names:
        raise InvalidError({"adviser": Rule("must be one of: %(names)s", names=", ".join(sorted(names)))})
    if adviser == proposal.organisation:
        raise InvalidError({"adviser": "must not be the firm itself"})
    _must_be_free(uow, reference)
    fee = Fee(
        id=uow.next_reference("FEE"),
        proposal=reference,
        programme=proposal.programme,
        organisation=adviser,
        organisation_name=names[adviser],
        firm_name=proposal.organisation_name,
        rule=rule,
        assigned_at=uow.now(),
        assigned_by=who.name,
        assigner=who.user,
    )
    fee.assign()
    storage.fees(uow).add(fee)
    return fee


def _must_be_free(uow: UnitOfWork, reference: str) -> None:
    found = storage.fee_of(uow.connection, reference)
    if found is not None:
        raise ConflictError("%(name)s advises on this proposal already", name=found.organisation_name)
    loan = storage.loan_of(uow.connection, reference)
    confirmed = storage.loans(uow).get(loan).confirmed() if loan else None
    if confirmed:
        raise ConflictError(
            "An adviser is assigned before money is confirmed: %(confirmed)s is confirmed already", confirmed=confirmed
        )


def accrue(uow: UnitOfWork, loan: Loan, number: int) -> None:
    """Let the adviser's fee accrue by a disbursement that both sides have confirmed, in the same transaction."""
    for fee in storage.fees_of(uow, [loan.proposal]):
        fee.accrue(loan, number, uow.now())


def take_back(uow: UnitOfWork, loans: Iterable[Loan]) -> None:
    """Take back the fees of loans that have defaulted early; once, however many tapes say so."""
    late = {loan.proposal: loan for loan in loans if loan.early_default_on is not None}
    for fee in storage.fees_of(uow, list(late)) if late else ():
        fee.default(late[fee.proposal], uow.now())


def restore(uow: UnitOfWork, loans: Iterable[Loan]) -> None:
    """Give back the fees of loans whose early default stood in a tape that is corrected now."""
    sound = {loan.proposal: loan for loan in loans}
    for fee in storage.fees_of(uow, list(sound)) if sound else ():
        fee.restore(sound[fee.proposal], uow.now())


def open_fee(uow: UnitOfWork, who: Identity, reference: str) -> Fee:
    """Return a fee for reading: the adviser's own, or one of the person's programme."""
    access.scoped(uow, who, "fee", reference, "loans.fee.read")
    return storage.fees(uow).get(reference, for_update=False)


def _fee(uow: UnitOfWork, who: Identity, reference: str, act: str, version: int | None) -> Fee:
    access.scoped(uow, who, "fee", reference, f"loans.fee.{act}")
    fee = storage.fees(uow).get(reference, expected=version)
    if act in fee.rule.step_up:
        must_have_confirmed(who, uow.now())
    return fee


def approve(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Fee:
    """Approve what is earned and not yet approved."""
    fee = _fee(uow, who, reference, "approve", version)
    fee.approve(uow.now(), who.user, who.name)
    return fee


def pay(
    uow: UnitOfWork, who: Identity, reference: str, number: int, given: tuple[date, str], *, version: int | None = None
) -> Fee:
    """Record on which day and under which reference an approved sum was paid."""
    fee = _fee(uow, who, reference, "pay", version)
    fee.pay(number, *given, access.today(uow), who=who.user, name=who.name)
    return fee


def give_back(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    amount: Decimal,
    given: tuple[date, str],
    *,
    version: int | None = None,
) -> Fee:
    """Record what the adviser returned."""
    fee = _fee(uow, who, reference, "pay", version)
    sum_ = access.money("amount", amount, fee.rule.currency)
    fee.give_back(sum_, *given, access.today(uow), who.name)
    return fee


def seen_by(who: Identity, adviser: str = "") -> tuple[tuple[str, ...] | None, str]:
    """Return which fees a person sees: staff those of their programmes, an adviser their own alone."""
    staff = {"officer", "programme_manager", "finance_officer", "auditor"} & set(who.roles)
    return (who.programmes, adviser) if staff else (None, who.organisation or "")


def beside(uow: UnitOfWork, who: Identity, proposal: Proposal) -> dict[str, Any]:
    """Return what a proposal's page says to staff about its adviser."""
    may = bool({"officer", "programme_manager"} & set(who.roles)) and who.organisation != proposal.organisation
    rule = access.rules(uow, proposal.programme)[0].success_fee if may else None
    if rule is None:
        return {"may_assign": False}
    names = storage.adviser_names(uow.connection, proposal.programme)
    found = storage.fee_of(uow.connection, proposal.id)
    return {"may_assign": True, "fee": found, "advisers": list(names.items())}
